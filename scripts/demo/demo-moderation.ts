/**
 * `npm run demo:moderation`: an upload to R2, its event on the queue, the verdict, the signed callback and the quarantine,
 * all of it on this machine.
 */
import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import dataUri from 'baboon-image-uri';
import { Webhook } from 'standardwebhooks';
import { publishPolicy } from '../../worker/moderation/policy/store.ts';
import type { Decision } from '../../worker/moderation/verdict-shapes.ts';
import { withStore } from '../cli/store/open-store.ts';
import { makeTemporaryFolder } from '../process/ending.ts';
import { runScript } from '../process/run-script.ts';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../start/dev-server.ts';
import { seedDefaultModel } from '../start/seed.ts';
import { withConfigVariables } from './config-with-variables.ts';
import { LEMON_FILE } from './lemon.ts';

const READY_TIMEOUT_MS = 120_000;
const CALLBACK_TIMEOUT_MS = 60_000;

/** Blocks citrus fruit: something that the small default model knows, and that can be drawn. */
const POLICY = {
  schema_version: 1,
  name: 'demo',
  version: '1',
  description: 'No citrus fruit.',
  model: { name: 'bit-tiny-200' },
  categories: [
    { name: 'citrus', labels: ['lemon', 'orange'], combine: 'sum', thresholds: { review: 0.2, block: 0.5 } },
    { name: 'weapons', labels: ['cannon', 'projectile, missile'], combine: 'sum', thresholds: { block: 0.3 } },
  ],
  effects: { block: [{ type: 'write_decision' }, { type: 'quarantine', prefix: 'quarantine/' }] },
};

interface Callback {
  readonly type: string;
  readonly data: {
    readonly id: string;
    readonly event_id: string;
    readonly decision: Decision;
    readonly effects?: readonly { readonly type: string; readonly key?: string }[];
  };
}

const startedMs = performance.now();
const say = (step: string, text: string): void => {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  process.stdout.write(`${seconds.padStart(5)} s  ${step.padEnd(10)}${text}\n`);
};

const secret = `whsec_${randomBytes(32).toString('base64')}`;
const webhook = new Webhook(secret);
const callbacks = new Map<string, (callback: Callback) => void>();

const USAGE = `usage: npm run demo:moderation

Two uploads to R2, their events on the queue, the verdicts, the signed callbacks and the quarantine, all of it on this machine.
`;

await runScript({ name: 'demo:moderation', usage: USAGE, options: {} }, async () => {
  let allWell = true;
  const receiver = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    try {
      const headers = request.headers as Record<string, string>;
      const callback = webhook.verify(Buffer.concat(chunks).toString(), headers) as Callback;
      response.writeHead(204).end();
      callbacks.get(callback.data.id)?.(callback);
    } catch (error) {
      allWell = false;
      say('refused', String(error));
      response.writeHead(401).end();
    }
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;

  const statePath = await makeTemporaryFolder('bit-edge-demo-');
  let server: DevServer | null = null;
  try {
    const model = await seedDefaultModel(statePath);
    await withStore({ persistPath: join(statePath, 'v3') }, ({ store }) =>
      publishPolicy(store, JSON.stringify(POLICY), 'latest', new Date().toISOString()),
    );
    say('published', `model ${model.name}@${model.version}, policy ${POLICY.name}@${POLICY.version}`);
    const variables = {
      FETCH_EXEMPT_ORIGINS: origin,
      MODERATION: JSON.stringify({
        receivers: [{ name: 'demo', url: `${origin}/hook`, secrets: [secret] }],
        buckets: [{ name: 'bit-edge-uploads', binding: 'UPLOADS', prefixes: ['incoming/'] }],
        r2_rules: [
          { name: 'uploads', bucket: 'bit-edge-uploads', prefix: 'incoming/', policy: 'demo', receiver: 'demo' },
        ],
      }),
    };
    const port = await findFreePort();
    server = await withConfigVariables(variables, (configPath) =>
      startDevServer({ port, statePath, configPaths: ['scripts/demo/uploader.toml', configPath] }),
    );
    await waitUntilOk(`${server.url}/readyz`, READY_TIMEOUT_MS);
    say('started', server.url);

    const photo = Buffer.from(dataUri.slice(dataUri.indexOf(',') + 1), 'base64');
    for (const [key, bytes] of [
      ['incoming/lemon.png', await readFile(LEMON_FILE)],
      ['incoming/mandrill.png', photo],
    ] as const) {
      if (!(await moderate(server.url, key, bytes))) allWell = false;
    }
    return allWell ? 0 : 1;
  } finally {
    await server?.stop();
    receiver.closeAllConnections();
    receiver.close();
    await rm(statePath, { recursive: true, force: true });
  }
});

/** Uploads one image and follows it to its callback. @returns whether the object is where the verdict puts it. */
async function moderate(url: string, key: string, bytes: Uint8Array): Promise<boolean> {
  const told = new Promise<Callback>((resolve, reject) => {
    callbacks.set(key, resolve);
    setTimeout(() => reject(new Error(`no callback for ${key}`)), CALLBACK_TIMEOUT_MS).unref();
  });
  const body = new Uint8Array(bytes);
  const upload = await fetch(`${url}/uploads/${key}`, {
    method: 'PUT',
    body,
    headers: { 'content-type': 'image/png' },
  });
  if (upload.status !== 201) throw new Error(`the upload answered ${upload.status}: ${await upload.text()}`);
  say('uploaded', `${key}, ${bytes.byteLength} bytes`);
  say('event', await upload.text());

  const { type, data } = await told;
  const { decision } = data;
  say('verdict', `${decision.verdict}${decision.reason === null ? '' : ` because of ${decision.reason}`}`);
  for (const { name, score, threshold, action, labels } of decision.categories) {
    say(
      '',
      `${name} ${score} (threshold ${threshold}: ${action}); ${labels.map((each) => `${each.label.split(',')[0]} ${each.score}`).join(', ')}`,
    );
  }
  say('callback', `${type}, signature verified, event ${data.event_id}`);
  for (const effect of data.effects ?? []) say('effect', `${effect.type}: ${effect.key ?? 'done'}`);
  const { status } = await fetch(`${url}/uploads/${key}`);
  say('object', `GET ${key}: ${status === 404 ? '404, it is in quarantine' : `${status}, it stays where it is`}`);
  return status === (decision.verdict === 'block' ? 404 : 200);
}
