/** `bit-edge jobs`: bulk jobs of a running deployment: submit, watch, results, cancel, retry, list. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { RequestError } from '../../../worker/errors.ts';
import { Deployment, type Job } from '../jobs/deployment.ts';
import { reportFailures } from '../jobs/failures.ts';
import { Progress } from '../progress.ts';
import { withStore } from '../store/open-store.ts';
import { putFiles } from '../uploads/put-files.ts';
import { DEPLOYMENT_OPTIONS } from './store-options.ts';
import { UPLOADS_PREFIX } from './uploads.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge jobs submit MANIFEST.ndjson|MANIFEST.csv | --prefix PREFIX | INPUT... [--watch]
                       [--task classify|embed|moderate] [--model NAME[@VERSION]] [--parameters JSON]
                       [--callback URL] [--idempotency-key KEY]
       bit-edge jobs watch ID
       bit-edge jobs results ID [--follow]
       bit-edge jobs cancel ID
       bit-edge jobs retry ID
       bit-edge jobs list
options: [--url http://127.0.0.1:8787] [--key API_KEY] [--json]; for uploads [--state FOLDER] as of "npm start"

submit prints the job's id. An INPUT is a URL, a key of the uploads bucket, or a file or folder of this machine, which is uploaded
first; --prefix takes every object of the bucket below it.
watch shows progress on standard error until the job is over, then how many items failed by code, with an example of each.
results prints one JSON line an item, in the order of the inputs; --follow waits for those that are not there yet.
retry makes the failed items of a completed job pending again.
Exit codes: 0 done; 1 refused, or watched to an end that is not "completed" or has failed items; 2 wrong usage.
`;

const POLL_MS = 500;

const pageSchema = z.object({
  jobs: z.array(
    z.object({ id: z.string(), created_at: z.string(), task: z.string(), model: z.string(), state: z.string() }),
  ),
  next_cursor: z.string().nullable(),
});

/** Runs the command. @throws RequestError, FetchError where the deployment refuses or cannot be reached. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...DEPLOYMENT_OPTIONS,
      task: { type: 'string' },
      model: { type: 'string' },
      parameters: { type: 'string' },
      prefix: { type: 'string' },
      callback: { type: 'string' },
      'idempotency-key': { type: 'string' },
      state: { type: 'string' },
      watch: { type: 'boolean', default: false },
      follow: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [action, ...rest] = positionals;
  const deployment = new Deployment(values.url, values.key);
  const print = (job: Job): void =>
    void process.stdout.write(values.json ? `${JSON.stringify(job)}\n` : `${describe(job)}\n`);
  if (action === 'submit' && rest.length > 0 !== (values.prefix !== undefined)) {
    const inputs = await uploadLocal(rest, values.url, values.state);
    const job = await submit(deployment, inputs, {
      task: values.task,
      model: values.model,
      parameters: values.parameters,
      prefix: values.prefix,
      callbackUrl: values.callback,
      idempotencyKey: values['idempotency-key'],
    });
    if (!values.watch) {
      process.stdout.write(values.json ? `${JSON.stringify(job)}\n` : `${job.id}\n`);
      return 0;
    }
    process.stderr.write(`${job.id}\n`);
    return watch(deployment, job.id, print);
  }
  const [id] = rest;
  if (action === 'list' && id === undefined) return list(deployment, values.json);
  if (id === undefined || rest.length !== 1) {
    process.stderr.write(HELP);
    return 2;
  }
  const path = `/v1/jobs/${encodeURIComponent(id)}`;
  switch (action) {
    case 'watch':
      return watch(deployment, id, print);
    case 'results':
      return results(deployment, path, values.follow);
    case 'cancel':
      print(await deployment.job('DELETE', path));
      return 0;
    case 'retry':
      print(await deployment.job('POST', `${path}/retry`));
      return 0;
    default:
      process.stderr.write(HELP);
      return 2;
  }
}

interface Submission {
  readonly task: string | undefined;
  readonly model: string | undefined;
  /** JSON. */
  readonly parameters: string | undefined;
  readonly prefix: string | undefined;
  readonly callbackUrl: string | undefined;
  readonly idempotencyKey: string | undefined;
}

/**
 * Uploads the inputs that are files or folders of this machine: to the local bucket for a local deployment, to the real one
 * otherwise. A manifest alone is read, not uploaded.
 * @returns the inputs with keys in place of paths.
 */
async function uploadLocal(inputs: readonly string[], url: string, state: string | undefined): Promise<string[]> {
  if (inputs.length === 1 && /\.(ndjson|csv)$/.test(inputs[0]!)) return [...inputs];
  const local = inputs.filter((input) => !input.includes('://') && existsSync(input));
  if (local.length === 0) return [...inputs];
  const isHere = ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname);
  const where = { remote: !isHere, ...(state === undefined ? {} : { persistPath: join(state, 'v3') }) };
  const uploaded = await withStore({ ...where, binding: 'UPLOADS' }, ({ store }) =>
    putFiles(store, local, UPLOADS_PREFIX),
  );
  process.stderr.write(`${uploaded.length} pictures uploaded to ${UPLOADS_PREFIX}\n`);
  return [...inputs.filter((input) => !local.includes(input)), ...uploaded.map(({ key }) => key)];
}

async function submit(deployment: Deployment, inputs: readonly string[], given: Submission): Promise<Job> {
  const { task, model, prefix, callbackUrl, idempotencyKey } = given;
  const parameters = parseJson(given.parameters ?? '{}');
  const key = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
  const [file = ''] = inputs;
  const type = file.endsWith('.ndjson') ? 'application/x-ndjson' : file.endsWith('.csv') ? 'text/csv' : null;
  if (inputs.length === 1 && type !== null && !file.includes('://')) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...parameters, task, model, callback_url: callbackUrl })) {
      if (value !== undefined) query.set(name, String(value));
    }
    const headers = { 'content-type': type, ...key };
    return deployment.job('POST', `/v1/jobs?${query}`, { headers, body: await readFile(file) });
  }
  const named = prefix === undefined ? { inputs } : { prefix: { r2: prefix } };
  const body = JSON.stringify({ task, model, parameters, callback_url: callbackUrl, ...named });
  return deployment.job('POST', '/v1/jobs', { headers: { 'content-type': 'application/json', ...key }, body });
}

async function watch(deployment: Deployment, id: string, print: (job: Job) => void): Promise<number> {
  let progress: Progress | null = null;
  for (;;) {
    const job = await deployment.job('GET', `/v1/jobs/${encodeURIComponent(id)}`);
    const { total, pending, failed } = job.counts;
    if (job.state === 'completed' || job.state === 'cancelled') {
      progress?.clear();
      print(job);
      if (failed > 0) await reportFailures(deployment, id);
      return job.state === 'completed' && failed === 0 ? 0 : 1;
    }
    // The bar needs its end: until every input is read there is none.
    if (job.total_is_final) progress ??= new Progress(id, total);
    progress?.update(total - pending);
    await sleep(POLL_MS);
  }
}

async function results(deployment: Deployment, path: string, follow: boolean): Promise<number> {
  let cursor: string | null = '0-0';
  while (cursor !== null) {
    const response: Response = await deployment.call('GET', `${path}/results?cursor=${cursor}`);
    const text = await response.text();
    process.stdout.write(text);
    cursor = response.headers.get('x-next-cursor');
    if (text !== '' || cursor === null) continue;
    if (!follow) return 0;
    await sleep(POLL_MS);
  }
  return 0;
}

async function list(deployment: Deployment, json: boolean): Promise<number> {
  let cursor: string | null = '';
  let count = 0;
  while (cursor !== null) {
    const query: string = cursor === '' ? '' : `?cursor=${encodeURIComponent(cursor)}`;
    const page = pageSchema.parse(await deployment.json('GET', `/v1/jobs${query}`));
    count += page.jobs.length;
    for (const job of page.jobs) {
      const { id, created_at: created, task, model, state } = job;
      process.stdout.write(
        json ? `${JSON.stringify(job)}\n` : `${id}  ${created}  ${state.padEnd(10)}${task.padEnd(10)}${model}\n`,
      );
    }
    cursor = page.next_cursor;
  }
  if (count === 0 && !json) process.stdout.write('there are no jobs\n');
  return 0;
}

function describe({ id, state, counts }: Job): string {
  const { total, pending, succeeded, failed, cancelled } = counts;
  return `${id}  ${state}: ${succeeded} succeeded, ${failed} failed, ${pending} pending, ${cancelled} cancelled of ${total}`;
}

function parseJson(text: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.json()).parse(JSON.parse(text));
  } catch (error) {
    throw new RequestError('invalid_parameter', `--parameters must be a JSON object: ${text.slice(0, 80)}`, {
      cause: error,
    });
  }
}
