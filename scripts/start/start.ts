/** `npm start`: a model into local R2, then the worker on http://127.0.0.1:8787. */

import { ModelError } from '../../worker/errors.ts';
import { MAX_SIZE_PX, MIN_SIZE_PX } from '../cli/import/resized-preprocessor.ts';
import { ensureRequestedModel, parseModelSource } from '../cli/requested-model.ts';
import { runScript, UsageError } from '../process/run-script.ts';
import { isPortFree, LOCAL_HOST, startDevServer, waitUntilOk } from './dev-server.ts';
import { DEFAULT_STATE_PATH, type Seeded, seedDefaultModel, seedVersion } from './seed.ts';
import { shownLine } from './server-lines.ts';

const DEFAULT_PORT = 8787;
const READY_TIMEOUT_MS = 120_000;

const USAGE = `usage: npm start -- [--model SOURCE[@REVISION]] [--size PX] [--calibrate IMAGES] [--port ${DEFAULT_PORT}] [--state FOLDER]

Serves BiT from workerd on this machine: R2, queues and Durable Objects are local.
  --model SOURCE     a BiT of yours: a repository on the hub (google/bit-50, google/bit-50@refs/pr/1), a folder or a file that
                     "bit-edge import" takes. It is downloaded, imported, published into local R2, and answers where a request
                     names no model. The next start uses what is there. Default: the small model of this repository.
  --size PX          of the images that --model sees, 32 to 1024: a smaller one takes less time and memory, and knows less.
                     Default: the checkpoint's own (448 for google/bit-50).
  --calibrate IMAGES a folder of pictures to refine int8's scales by.
  --port N           Default: ${DEFAULT_PORT}.
  --state FOLDER     of R2, queues and Durable Objects. Default: .wrangler/state.
HF_TOKEN, HF_ENDPOINT and BIT_EDGE_CACHE (default ~/.cache/bit-edge) are read from the environment.
Exit codes: 0 stopped, 1 failed, 2 wrong usage.
`;

const OPTIONS = {
  model: { type: 'string' },
  size: { type: 'string' },
  calibrate: { type: 'string' },
  port: { type: 'string' },
  state: { type: 'string' },
} as const;

await runScript({ name: 'bit-edge', usage: USAGE, options: OPTIONS, signalExitCode: 0 }, async (options) => {
  const port = Number(options.port ?? DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new UsageError(`--port is "${options.port}"; it must be an integer from 1 to 65535`);
  }
  const sizePx = options.size === undefined ? null : Number(options.size);
  if (sizePx !== null && !(Number.isInteger(sizePx) && sizePx >= MIN_SIZE_PX && sizePx <= MAX_SIZE_PX)) {
    throw new UsageError(`--size is "${options.size}"; it must be an integer from ${MIN_SIZE_PX} to ${MAX_SIZE_PX}`);
  }
  const needsModel = ['size', 'calibrate'].find((name) => name in options && options.model === undefined);
  if (needsModel !== undefined) throw new UsageError(`--${needsModel} is for --model`);
  if (!(await isPortFree(port))) {
    process.stderr.write(
      `bit-edge: port ${port} of ${LOCAL_HOST} is taken; stop what listens there, or: npm start -- --port ${port + 1}\n`,
    );
    return 1;
  }
  const statePath = options.state ?? DEFAULT_STATE_PATH;
  // Policies and examples of this repository name the default model, whatever else is asked for.
  let model = await seedDefaultModel(statePath);
  if (options.model !== undefined)
    model = await seedRequested(options.model, sizePx, options.calibrate ?? null, statePath);
  process.stdout.write(
    `model    ${model.name}@${model.version} (${model.published ? 'published to' : 'is in'} local R2)\n`,
  );

  const server = await startDevServer({
    port,
    statePath,
    variables: options.model === undefined ? {} : { DEFAULT_MODEL: model.name },
    onLine(line) {
      const shown = shownLine(line);
      if (shown !== null) process.stdout.write(`${shown}\n`);
    },
  });
  await waitUntilOk(`${server.url}/readyz`, READY_TIMEOUT_MS);
  process.stdout.write(
    [
      `ready    ${server.url}`,
      `try      curl --data-binary @examples/lemon.png ${server.url}/v1/classify`,
      `console  ${server.url}/`,
      `docs     ${server.url}/docs`,
      '',
    ].join('\n'),
  );
  await server.exited;
  return 0;
});

async function seedRequested(
  text: string,
  sizePx: number | null,
  calibrate: string | null,
  statePath: string,
): Promise<Seeded> {
  const request = { ...(await parseModelSource(text)), sizePx, calibrate };
  const say = (note: string): void => void process.stderr.write(`bit-edge: ${note}\n`);
  const { directory } = await ensureRequestedModel(request, process.env, say);
  try {
    return await seedVersion(statePath, directory, true);
  } catch (error) {
    if (!(error instanceof ModelError) || error.code !== 'model_too_large') throw error;
    const smaller = `smaller images take less: npm start -- --model ${text} --size 224`;
    throw new ModelError('model_too_large', `${error.message}; ${smaller}`, { details: error.details });
  }
}
