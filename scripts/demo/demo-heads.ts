/** `npm run demo:heads`: from an empty store to a head that tells three kinds of pictures apart, with its report, on this machine. */
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeTemporaryFolder } from '../process/ending.ts';
import { runScript } from '../process/run-script.ts';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../start/dev-server.ts';
import { seedDefaultModel } from '../start/seed.ts';
import { drawFruit, FRUIT, type Fruit } from './draw-fruit.ts';

const READY_TIMEOUT_MS = 120_000;
const EXAMPLES = 5;
const TESTS = 10;

const startedMs = performance.now();
const say = (step: string, text: string): void => {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  process.stdout.write(`${seconds.padStart(5)} s  ${step.padEnd(10)}${text}\n`);
};

interface Answer {
  readonly model: { readonly name: string; readonly version: string };
  readonly predictions: readonly { readonly label: string; readonly score: number }[];
}

const USAGE = `usage: npm run demo:heads

From an empty store to a head that tells three kinds of drawn pictures apart, with its report, on this machine.
Exit code 1 if fewer than 8 in 10 new pictures are told apart.
`;

await runScript({ name: 'demo:heads', usage: USAGE, options: {} }, async () => {
  const statePath = await makeTemporaryFolder('bit-edge-demo-heads-');
  let server: DevServer | null = null;
  try {
    const model = await seedDefaultModel(statePath);
    server = await startDevServer({ port: await findFreePort(), statePath });
    await waitUntilOk(`${server.url}/readyz`, READY_TIMEOUT_MS);
    say('started', `${server.url}, backbone ${model.name}@${model.version}`);

    const form = new FormData();
    form.append('name', 'fruit');
    form.append('unknown', 'true');
    for (const fruit of FRUIT) {
      for (let i = 0; i < EXAMPLES; i++) form.append(fruit, png(fruit, i), `${fruit}-${i}.png`);
    }
    const response = await fetch(`${server.url}/v1/heads`, { method: 'POST', body: form });
    const text = await response.text();
    if (response.status !== 201) throw new Error(`POST /v1/heads answered ${response.status}: ${text}`);
    const head = JSON.parse(text) as { aliases: { latest: string }; versions: { bytes: number }[] };
    say(
      'trained',
      `fruit@${head.aliases.latest} from ${FRUIT.length} x ${EXAMPLES} pictures, ${head.versions[0]!.bytes} bytes`,
    );

    let right = 0;
    for (const fruit of FRUIT) {
      for (let i = 0; i < TESTS; i++) {
        const { predictions } = await classify(server.url, png(fruit, EXAMPLES + i));
        if (predictions[0]!.label === fruit) right++;
        if (i > 0) continue;
        const scores = predictions.map(({ label, score }) => `${label} ${score.toFixed(3)}`).join(', ');
        say('asked', `a new ${fruit}: ${scores}`);
      }
    }
    const tested = FRUIT.length * TESTS;
    say('accuracy', `${right} of ${tested} new pictures`);
    const report = await (await fetch(`${server.url}/v1/heads/fruit/report?format=markdown`)).text();
    process.stdout.write(`\n${report}`);
    const picture = await (await fetch(`${server.url}/v1/heads/fruit/report?format=svg`)).text();
    const file = join(tmpdir(), 'bit-edge-fruit-report.svg');
    await writeFile(file, picture);
    say('picture', file);
    return right < 0.8 * tested ? 1 : 0;
  } finally {
    await server?.stop();
    await rm(statePath, { recursive: true, force: true });
  }
});

function png(fruit: Fruit, seed: number): Blob {
  return new Blob([new Uint8Array(drawFruit(fruit, seed))], { type: 'image/png' });
}

async function classify(url: string, picture: Blob): Promise<Answer> {
  const response = await fetch(`${url}/v1/classify?model=fruit`, { method: 'POST', body: picture });
  if (!response.ok) throw new Error(`/v1/classify answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Answer;
}
