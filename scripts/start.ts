/** `npm start`: the default model into local R2, then the worker on http://127.0.0.1:8787. */
import { parseArgs } from 'node:util';
import { AppError } from '../worker/errors.ts';
import { isPortFree, LOCAL_HOST, startDevServer, waitUntilOk } from './dev-server.ts';
import { DEFAULT_STATE_PATH, seedDefaultModel } from './seed.ts';

const DEFAULT_PORT = 8787;
const READY_TIMEOUT_MS = 60_000;

/** Lines of `wrangler dev` that say nothing to a user of this project. */
const NOISE = [
  /^\s*$/,
  /wrangler \d/,
  /^[─-]+$/,
  /Starting local server/,
  /Ready on /,
  /Your types might be out of date/,
];

try {
  process.exitCode = await start();
} catch (error) {
  const known = error instanceof AppError || (error instanceof Error && 'code' in error);
  process.stderr.write(`bit-edge: ${error instanceof Error ? (known ? error.message : error.stack) : String(error)}\n`);
  process.exitCode = 1;
}

async function start(): Promise<number> {
  const { values } = parseArgs({
    options: { port: { type: 'string' }, state: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    process.stdout.write('usage: npm start -- [--port 8787] [--state FOLDER]\n');
    return 0;
  }
  const port = Number(values.port ?? DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    process.stderr.write(`bit-edge: --port is "${values.port}"; it must be an integer from 1 to 65535\n`);
    return 2;
  }
  if (!(await isPortFree(port))) {
    process.stderr.write(
      `bit-edge: port ${port} of ${LOCAL_HOST} is taken; stop what listens there, or: npm start -- --port ${port + 1}\n`,
    );
    return 1;
  }
  const statePath = values.state ?? DEFAULT_STATE_PATH;
  const seeded = await seedDefaultModel(statePath);
  process.stdout.write(
    `model    ${seeded.name}@${seeded.version} (${seeded.published ? 'published to' : 'is in'} local R2)\n`,
  );

  const server = await startDevServer({
    port,
    statePath,
    onLine(line) {
      if (!NOISE.some((pattern) => pattern.test(line))) process.stdout.write(`${line}\n`);
    },
  });
  const stop = (): void => void server.stop();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  await waitUntilOk(`${server.url}/readyz`, READY_TIMEOUT_MS);
  process.stdout.write(`ready    ${server.url}\ntry      curl --data-binary @photo.jpg ${server.url}/v1/classify\n`);
  await server.exited;
  return 0;
}
