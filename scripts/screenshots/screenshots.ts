/**
 * `npm run screenshots [-- NAME ...]`: pages of the console, all or those that are named, wide and narrow, from a deployment of its
 * own into docs/images.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { parseSigningKey, signMessage } from '../../worker/callbacks/standard-webhooks.ts';
import { publishPolicy } from '../../worker/moderation/policy/store.ts';
import { withStore } from '../cli/store/open-store.ts';
import { drawFruit, FRUIT, type Fruit } from '../demo/draw-fruit.ts';
import { makeTemporaryFolder } from '../process/ending.ts';
import { runScript } from '../process/run-script.ts';
import { type Receivers, startReceivers } from '../soak/receivers.ts';
import { findFreePort, startDevServer, waitUntilOk } from '../start/dev-server.ts';
import { seedDefaultModel } from '../start/seed.ts';
import { CHROMIUM_PATH, hasChromium, startBrowser } from './browser.ts';

const FOLDER = fileURLToPath(new URL('../../docs/images', import.meta.url));
const SIZES = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
] as const;
const SAMPLES = ['lemon', 'school-bus', 'goldfish', 'ladybug'] as const;
const READY_TIMEOUT_MS = 60_000;

/** Reviews fruit and blocks buses, so that every verdict is seen. */
const POLICY = {
  schema_version: 1,
  name: 'shop',
  version: '1',
  model: { name: 'bit-tiny-200', reference: 'latest' },
  activation: 'softmax',
  categories: [
    { name: 'fruit', labels: ['lemon', 'orange'], combine: 'sum', thresholds: { review: 0.1, block: 0.995 } },
    { name: 'traffic', labels: ['school bus', 'moving van'], combine: 'sum', thresholds: { review: 0.4, block: 0.9 } },
  ],
};

/** What a page is shown with. */
interface Scene {
  readonly name: string;
  readonly path: string;
  readonly theme?: 'dark';
  /** What a person does before the picture is taken. */
  act?(page: Page): Promise<void>;
}

const USAGE = `usage: npm run screenshots [-- NAME ...]

Pages of the console, all or those that are named (try, teach, moderate, api ...), wide and narrow, from a deployment of its own
into docs/images, in Debian's Chromium.
`;

await runScript({ name: 'screenshots', usage: USAGE, options: {}, allowPositionals: true }, async (_, names) => {
  if (!hasChromium()) {
    process.stderr.write(`bit-edge: there is no ${CHROMIUM_PATH}; install Debian's package chromium\n`);
    return 1;
  }
  const state = await makeTemporaryFolder('bit-edge-screenshots-');
  const [senderSecret, receiverSecret] = [newSecret(), newSecret()];
  const receivers = await startReceivers(receiverSecret);
  try {
    await seedDefaultModel(state);
    await withStore({ persistPath: join(state, 'v3') }, ({ store }) =>
      publishPolicy(store, JSON.stringify(POLICY), 'latest', new Date().toISOString()),
    );
    const server = await startDevServer({
      port: await findFreePort(),
      statePath: state,
      variables: {
        FETCH_EXEMPT_ORIGINS: receivers.origin,
        WEBHOOK_RETRY_SCALE: '0.000003',
        JOB_TICK_MS: '200',
        JOB_RETRY_SECONDS: '0',
        RESULT_CACHE_TTL_S: '0',
        MODERATION: JSON.stringify({
          sources: [{ name: 'shop', secrets: [senderSecret], policy: 'shop', receivers: ['all'] }],
          receivers: [{ name: 'all', url: `${receivers.origin}/hooks/`, secrets: [receiverSecret] }],
        }),
      },
    });
    try {
      await waitUntilOk(`${server.url}/readyz`, READY_TIMEOUT_MS);
      await fill(server.url, receivers, senderSecret);
      await photograph(server.url, names);
    } finally {
      await server.stop();
    }
  } finally {
    receivers.close();
    await rm(state, { recursive: true, force: true });
  }
  return 0;
});

/** Something to look at on every page: a job, webhooks, and an image that waits for a person. */
async function fill(url: string, receivers: Receivers, senderSecret: string): Promise<void> {
  const inputs = Array.from({ length: 60 }, (_, at) => ({
    url: `${receivers.origin}/images/${at}`,
    id: `image ${at}`,
  }));
  const broken = [{ r2: 'uploads/missing.png' }, { url: 'https://10.0.0.1/x.png' }, { r2: 'uploads/gone.png' }];
  await post(`${url}/v1/jobs`, JSON.stringify({ inputs: [...inputs, ...broken] }));
  const items = ['ok', 'dead', 'gone', 'fails', 'ok'].map((behaviour, at) => ({
    id: `upload-${17 + at}`,
    url: `${receivers.origin}/images/${at}`,
    callback_url: `${receivers.origin}/hooks/${behaviour}`,
  }));
  const body = JSON.stringify(items);
  const timestampSeconds = Math.floor(Date.now() / 1000);
  const bytes = new TextEncoder().encode(body);
  const signature = await signMessage({ id: 'msg_1', timestampSeconds }, bytes, [parseSigningKey(senderSecret)]);
  await post(`${url}/v1/webhooks/images`, body, {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': signature,
  });
  const lemon = await (await fetch(`${url}/console/samples/lemon.jpg`)).arrayBuffer();
  receivers.images.set('lemon', new Uint8Array(lemon));
  const image = JSON.stringify({ url: `${receivers.origin}/images/lemon` });
  for (const id of ['upload-41', 'upload-42', 'upload-43'])
    await post(`${url}/v1/moderate?policy=shop&id=${id}`, image);
}

async function post(url: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
}

async function photograph(url: string, wanted: readonly string[]): Promise<void> {
  const labelled = await labelledFolder(url);
  const scenes: readonly Scene[] = [
    { name: 'try', path: '/', act: trySamples },
    { name: 'try-dark', path: '/', theme: 'dark', act: trySamples },
    { name: 'teach', path: '/teach?new', act: teach },
    { name: 'teach-head', path: '/teach?head=fruit', act: tryHead },
    { name: 'moderate', path: '/moderate', act: (page) => moderate(page, labelled) },
    { name: 'review', path: '/review', act: review },
    { name: 'webhooks', path: '/webhooks', act: (page) => page.getByRole('link', { name: /upload-18/ }).click() },
    { name: 'jobs', path: '/jobs', act: (page) => page.getByRole('link', { name: /job_/ }).first().click() },
    { name: 'models', path: '/models', act: (page) => page.getByRole('button', { name: 'Details' }).click() },
    { name: 'health', path: '/health' },
    { name: 'api', path: '/docs#classify', act: tryOperation },
  ];
  await mkdir(FOLDER, { recursive: true });
  const browser = await startBrowser({ reducedMotion: 'reduce' });
  try {
    const page = await browser.context.newPage();
    for (const scene of scenes.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
      for (const size of scene.theme === undefined ? SIZES : SIZES.slice(0, 1)) {
        await page.setViewportSize(size);
        await page.emulateMedia({ colorScheme: scene.theme ?? 'light', reducedMotion: 'reduce' });
        // A new document, also where only the size or what is behind the # differs.
        await page.goto('about:blank');
        await page.goto(url + scene.path);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await scene.act?.(page);
        await page.waitForTimeout(scene.name === 'health' ? 7000 : 2500);
        await page.mouse.move(0, 0);
        const path = join(FOLDER, `${scene.name}-${size.width}.png`);
        await page.screenshot({ path });
        process.stdout.write(`${path}\n`);
      }
    }
  } finally {
    await browser.close();
    await rm(labelled, { recursive: true, force: true });
  }
}

async function trySamples(page: Page): Promise<void> {
  for (const name of ['Lemon', 'School bus']) {
    await page.getByRole('button', { name: `Try a drawing: ${name}` }).click();
    await page.getByRole('article').first().getByText('Network sees').waitFor();
  }
}

async function tryOperation(page: Page): Promise<void> {
  const form = page.getByRole('form', { name: 'Try classify', exact: true });
  const lemon = await page.request.get(`${new URL(page.url()).origin}/console/samples/lemon.jpg`);
  await form.getByLabel('top_k').fill('3');
  await form
    .getByLabel('File')
    .setInputFiles({ name: 'lemon.jpg', mimeType: 'image/jpeg', buffer: await lemon.body() });
  await form.getByRole('button', { name: 'Send' }).click();
  await form.getByRole('region', { name: 'Answer' }).locator('pre').waitFor();
}

/** Columns that are being filled. */
async function teach(page: Page): Promise<void> {
  for (const [at, fruit] of FRUIT.slice(0, 2).entries()) {
    await page.getByLabel(`Class ${at + 1}`, { exact: true }).fill(fruit);
    await page.getByLabel(`Add pictures to ${fruit}`).setInputFiles(fruitFiles(fruit, [1, 2, 3, 4]));
  }
  await page.locator('button[type=submit]:enabled').waitFor();
}

/** A head of which one example has a wrong label: the first time it is shown, it is taught. */
async function tryHead(page: Page): Promise<void> {
  const url = new URL(page.url()).origin;
  if (!(await page.request.get(`${url}/v1/heads/fruit`)).ok()) {
    await page.goto(`${url}/teach?new`);
    await page.getByRole('button', { name: 'Add a class' }).click();
    for (const [at, fruit] of FRUIT.entries()) {
      await page.getByLabel(`Class ${at + 1}`, { exact: true }).fill(fruit);
      const files = fruitFiles(fruit, [1, 2, 3, 4, 5, 6]);
      if (fruit === 'lemon') files.push(...fruitFiles('plum', [7]));
      await page.getByLabel(`Add pictures to ${fruit}`).setInputFiles(files);
    }
    await page.getByLabel('Name').fill('fruit');
    await page.locator('button[type=submit]:enabled').click();
  }
  await page.getByRole('region', { name: 'What to expect' }).waitFor();
  await page
    .getByLabel('Choose pictures to try')
    .setInputFiles([...fruitFiles('lemon', [9]), ...fruitFiles('plum', [9])]);
}

function fruitFiles(fruit: Fruit, seeds: readonly number[]) {
  return seeds.map((seed) => ({
    name: `${fruit}-${seed}.png`,
    mimeType: 'image/png',
    buffer: Buffer.from(drawFruit(fruit, seed)),
  }));
}

async function moderate(page: Page, folder: string): Promise<void> {
  await page.getByLabel('Policy', { exact: true }).fill('shop');
  await page.getByRole('button', { name: 'Open' }).click();
  await page.getByRole('region', { name: 'fruit' }).waitFor();
  await page.getByLabel('A folder of folders').setInputFiles(folder);
}

async function review(page: Page): Promise<void> {
  const name = page.getByLabel('Your name');
  await name.fill('Ann');
  await page.getByRole('button', { name: 'Start reviewing' }).click();
  await page.getByRole('article', { name: 'Image to review' }).getByRole('img').waitFor();
}

async function labelledFolder(url: string): Promise<string> {
  const folder = await makeTemporaryFolder('bit-edge-labelled-');
  const categories = { lemon: 'fruit', 'school-bus': 'traffic', goldfish: 'none', ladybug: 'none' } as const;
  for (const sample of SAMPLES) {
    const image = await fetch(`${url}/console/samples/${sample}.jpg`);
    await mkdir(join(folder, categories[sample]), { recursive: true });
    await writeFile(join(folder, categories[sample], `${sample}.jpg`), new Uint8Array(await image.arrayBuffer()));
  }
  return folder;
}

function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}
