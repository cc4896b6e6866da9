/** `bit-edge webhooks`: the events of a running deployment: count, list, judge again, deliver again. */
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { Deployment } from '../jobs/deployment.ts';
import { DEPLOYMENT_OPTIONS } from './store-options.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge webhooks stats [--source SOURCE]
       bit-edge webhooks events [--source SOURCE] [--state STATE] [--json]
       bit-edge webhooks rejudge --source SOURCE
       bit-edge webhooks replay --source SOURCE --state dead|disabled
options: [--url http://127.0.0.1:8787] [--key API_KEY]

stats prints the events of every source by state; a source with "undecided" events had a model or a service that failed.
events prints one line per event, newest first; --json prints each as JSON.
rejudge has every undecided event judged: repair the model first.
replay delivers every dead or disabled event again.
Exit codes: 0 done; 1 refused, or the deployment cannot be reached; 2 wrong usage.
`;

/** Calls the deployment, and gives its answer's JSON. */
type Api = (method: string, path: string, body?: unknown) => Promise<unknown>;

const statsSchema = z.object({ sources: z.record(z.string(), z.record(z.string(), z.int())) });
const pageSchema = z.object({
  events: z.array(
    z.looseObject({
      id: z.string(),
      accepted_at: z.string(),
      state: z.string(),
      item_id: z.string(),
      verdict: z.string().nullable(),
      failure: z.object({ code: z.string() }).nullable(),
    }),
  ),
  next_cursor: z.string().nullable(),
});

/** Runs the command. @throws FetchError, RequestError if the deployment cannot be reached or refuses. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...DEPLOYMENT_OPTIONS, source: { type: 'string' }, state: { type: 'string' } },
  });
  const [action, ...rest] = positionals;
  const { source, state } = values;
  const deployment = new Deployment(values.url, values.key);
  const api: Api = (method, path, body) => {
    const init = { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    return deployment.json(method, path, body === undefined ? {} : init);
  };
  if (!values.help && rest.length === 0) {
    if (action === 'stats' && state === undefined) return stats(api, source);
    if (action === 'events') return events(api, { source, state }, values.json);
    if (action === 'rejudge' && source !== undefined && state === undefined) {
      const { rejudged } = z.object({ rejudged: z.int() }).parse(await api('POST', '/v1/webhooks/rejudge', { source }));
      process.stdout.write(`${rejudged} queued to be judged\n`);
      return 0;
    }
    if (action === 'replay' && source !== undefined && state !== undefined) {
      const answer = await api('POST', '/v1/webhooks/replay', { source, state });
      const { replayed } = z.object({ replayed: z.int() }).parse(answer);
      process.stdout.write(`${replayed} queued to be delivered\n`);
      return 0;
    }
  }
  (values.help ? process.stdout : process.stderr).write(HELP);
  return values.help ? 0 : 2;
}

async function stats(api: Api, source: string | undefined): Promise<number> {
  const { sources } = statsSchema.parse(await api('GET', `/v1/webhooks/stats${query({ source })}`));
  for (const [name, counts] of Object.entries(sources)) {
    const text = Object.entries(counts).map(([state, count]) => `${count} ${state}`);
    process.stdout.write(`${name.padEnd(32)}  ${text.join(', ') || 'no events'}\n`);
  }
  return 0;
}

async function events(
  api: Api,
  filter: { readonly source: string | undefined; readonly state: string | undefined },
  json: boolean,
): Promise<number> {
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const page = pageSchema.parse(
      await api('GET', `/v1/webhooks/events${query({ ...filter, limit: '1000', cursor })}`),
    );
    for (const event of page.events) {
      const outcome = event.verdict ?? event.failure?.code ?? '-';
      const line = `${event.id}  ${event.accepted_at}  ${event.state.padEnd(11)}  ${outcome.padEnd(16)}  ${event.item_id}`;
      process.stdout.write(`${json ? JSON.stringify(event) : line}\n`);
    }
    cursor = page.next_cursor;
  }
  return 0;
}

function query(parameters: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}
