/** The console's first page in a browser, against a local deployment. */
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeEach, expect, it } from 'vitest';
import { withStore } from '../../../scripts/cli/store/open-store.ts';
import { KEY_RANDOM_BYTES, mintApiKey } from '../../../worker/auth/api-key.ts';
import { putApiKey } from '../../../worker/auth/key-store.ts';
import { expectAccessible } from '../../support/accessibility.ts';
import { type ConsoleDeployment, HOSTILE_LABEL, HOSTILE_VERSION } from '../../support/console-deployment.ts';
import { describeConsole } from '../../support/console-suite.ts';
import { readPhoto } from '../../support/photo.ts';

describeConsole('Try', { path: '/' }, ({ deployment: deploymentOf, page: pageOf }) => {
  let deployment: ConsoleDeployment;
  let page: Page;

  beforeEach(() => {
    deployment = deploymentOf();
    page = pageOf();
  });

  const picture = (name: string) => page.getByRole('article', { name });
  const choose = async (...names: string[]) => {
    const files = names.map((name) => ({ name, mimeType: 'image/png', buffer: Buffer.from(readPhoto()) }));
    await page.getByLabel('Choose pictures').setInputFiles(files);
  };
  /** The best label, as the API gives it. */
  const bestLabel = async (image: Uint8Array<ArrayBuffer>) => {
    const response = await fetch(`${deployment.url}/v1/classify`, {
      method: 'POST',
      body: image,
      headers: { 'cache-control': 'no-store' },
    });
    const { predictions } = (await response.json()) as { predictions: { label: string; score: number }[] };
    return predictions[0]!;
  };

  it('answers a chosen picture with the labels of the API, the time of stages and what the decoder read', async () => {
    await choose('photo.png');
    const card = picture('photo.png');
    const { label, score } = await bestLabel(readPhoto());
    const first = card.getByRole('list').first().getByRole('listitem').first();
    await expect.poll(() => first.textContent()).toContain(`${(score * 100).toFixed(1)} %`);
    expect(await first.textContent()).toContain(label.split(', ')[0]);
    await expect.poll(() => card.textContent()).toContain('Network sees 64 × 64');
    expect(await card.textContent()).toMatch(/FormatPNG.*Size128 × 128/);
    expect(await card.textContent()).toMatch(/inference [\d.]+ m?s/);
  });

  it('shows the px that the network sees: those of the preprocessor, through the browser’s own decoder', async () => {
    await page.getByRole('button', { name: 'Try a drawing: School bus' }).click();
    const canvas = page.getByRole('img', { name: 'The picture as the network sees it' });
    await canvas.waitFor();
    const shown = await canvas.evaluate((element) => {
      const context = (element as HTMLCanvasElement).getContext('2d')!;
      return [...context.getImageData(0, 0, 64, 64).data].filter((_, index) => index % 4 !== 3);
    });
    const sample = await fetch(`${deployment.url}/console/samples/school-bus.jpg`);
    const bytes = new Uint8Array(await sample.arrayBuffer());
    const { preprocessToRgb8 } = await import('../../../worker/preprocess/preprocess.ts');
    const { parseProcessorConfig } = await import('../../../worker/preprocess/config.ts');
    const answer = await fetch(`${deployment.url}/v1/models/${deployment.model.name}/preprocessor`);
    const { preprocessor } = (await answer.json()) as { preprocessor: unknown };
    const { rgb8 } = await preprocessToRgb8(bytes, parseProcessorConfig(preprocessor));
    expect(shown).toEqual([...rgb8]);
  });

  it('takes several pictures, a dropped one and a pasted one', async () => {
    await choose('one.png', 'two.png');
    for (const [kind, name] of [
      ['drop', 'dropped.png'],
      ['paste', 'pasted.png'],
    ] as const) {
      await page.evaluate(
        ([type, fileName, bytes]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], fileName, { type: 'image/png' }));
          const event =
            type === 'drop'
              ? new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true })
              : new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true });
          document.body.dispatchEvent(event);
        },
        [kind, name, [...readPhoto()]] as const,
      );
    }
    for (const name of ['one.png', 'two.png', 'dropped.png', 'pasted.png']) {
      await expect.poll(() => picture(name).textContent()).toContain('%');
    }
    await picture('one.png').getByRole('button', { name: 'Remove one.png' }).click();
    expect(await page.getByRole('article').count()).toBe(3);
  });

  it('takes a picture with the camera', async () => {
    await page.getByRole('button', { name: 'Camera' }).click();
    await page.getByRole('button', { name: 'Take picture' }).click();
    await expect.poll(() => picture('camera.jpg').textContent()).toContain('%');
  });

  it('shows what is no picture as the problem of the API, beside the others', async () => {
    const files = [
      { name: 'notes.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no picture') },
      { name: 'photo.png', mimeType: 'image/png', buffer: Buffer.from(readPhoto()) },
    ];
    await page.getByLabel('Choose pictures').setInputFiles(files);
    const alert = picture('notes.jpg').getByRole('alert');
    await expect.poll(() => alert.textContent()).toContain('unrecognized_image');
    expect(await alert.textContent()).toMatch(/request [0-9a-f-]{36}/);
    await expect.poll(() => picture('photo.png').textContent()).toContain('%');
  });

  it('compares two versions, and treats hostile labels and file names as text', async () => {
    const name = '<img src=x onerror="document.title=`owned`">.png';
    await page.getByLabel('Compare with').selectOption(`${deployment.model.name}@${HOSTILE_VERSION}`);
    await choose(name);
    const card = page.getByRole('article');
    await expect.poll(() => card.textContent()).toContain(HOSTILE_LABEL);
    expect(await card.textContent()).toContain('Different best label');
    expect(await page.getByText('Same best label on 0 of 1 picture').count()).toBe(1);
    expect(await card.locator('b').count()).toBe(0);
    expect(await page.title()).toBe('Try · bit-edge');
    await page.getByLabel('Compare with').selectOption(`${deployment.model.name}@${deployment.model.version}`);
    await expect.poll(() => card.textContent()).toContain('Same best label');
  });

  it('lays the evidence for a label over the picture', async () => {
    await page.getByRole('button', { name: 'Try a drawing: School bus' }).click();
    const card = picture('school-bus.jpg');
    await card.getByText('Network sees').waitFor();
    await card.getByLabel('Heat map').selectOption({ index: 1 });
    const map = card.getByRole('img', { name: /^Evidence for/ });
    await map.waitFor();
    await expect
      .poll(() => card.getByRole('status').textContent())
      .toMatch(/2 × 2 places; their mean .* are the logit/);
    const alphas = () =>
      map.evaluate((element) => {
        const { width, height } = element as HTMLCanvasElement;
        const { data } = (element as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height);
        return Math.max(...[...data].filter((_, at) => at % 4 === 3));
      });
    expect(await alphas()).toBe(190);
    await expectAccessible(page);
    await card.getByLabel('Heat map').selectOption('');
    await expect.poll(() => map.count()).toBe(0);
  });

  it('gives the call to copy with the model and parameters that are chosen', async () => {
    await page.getByLabel('Labels').selectOption('3');
    await page.getByRole('tab', { name: 'Python' }).click();
    expect(await page.getByRole('tabpanel').textContent()).toContain('top_k=3');
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => page.getByRole('tabpanel').textContent()).toContain('await fetch(');
  });

  it('has no violation of axe, empty and with answers, wide and narrow, light and dark', async () => {
    await page.getByText('Drop pictures here').waitFor();
    await expectAccessible(page);
    await choose('photo.png');
    await expect.poll(() => picture('photo.png').textContent()).toContain('Network sees');
    await expectAccessible(page);
    await page.setViewportSize({ width: 390, height: 844 });
    await expectAccessible(page);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
  });

  it('asks for a key where the deployment has some, keeps it out of addresses, and shows the pages of its scopes', async () => {
    const random = crypto.getRandomValues(new Uint8Array(KEY_RANDOM_BYTES));
    const key = { name: 't', rateTier: 'standard', createdAt: '2026-01-01T00:00:00Z', expiresAt: null } as const;
    const { token, record } = await mintApiKey({ ...key, scopes: ['classify'] }, random);
    await withStore({ persistPath: join(deployment.statePath, 'v3') }, ({ store }) => putApiKey(store, record));
    await expect
      .poll(async () => (await fetch(`${deployment.url}/v1/key`)).status, { timeout: 60_000, interval: 500 })
      .toBe(401);
    await page.goto(deployment.url);
    await page.getByLabel('API key').fill(`${token.slice(0, -4)}0000`);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('unauthorized');
    await expectAccessible(page);
    await page.getByLabel('API key').fill(token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await choose('photo.png');
    await expect.poll(() => picture('photo.png').textContent()).toContain('%');
    expect(page.url()).not.toContain('bek_');
    expect(await page.getByRole('tabpanel').textContent()).toContain('$BIT_EDGE_KEY');
    expect(await page.getByRole('tabpanel').textContent()).not.toContain('bek_');
    expect(await page.getByRole('navigation').getByRole('link').allTextContents()).toEqual(['Try', 'Models', 'API']);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('API key').waitFor();
  });
});
