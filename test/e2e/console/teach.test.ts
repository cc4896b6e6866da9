/** The console's page of heads, in a browser: from three pictures per class to a classifier, and what is done with it. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import { expect, it } from 'vitest';
import { drawFruit, FRUIT, type Fruit } from '../../../scripts/demo/draw-fruit.ts';
import { expectAccessible } from '../../support/accessibility.ts';
import { describeConsole } from '../../support/console-suite.ts';

const HOSTILE_LABEL = '<b onclick="alert(1)">plum</b>';
const TRAINED_MS = 60_000;

const png = (fruit: Fruit, seed: number) => ({
  name: `${fruit}-${seed}.png`,
  mimeType: 'image/png',
  buffer: Buffer.from(drawFruit(fruit, seed)),
});

describeConsole('Teach', { path: '/teach' }, ({ deployment, page }) => {
  const columns = () => page().getByRole('list', { name: 'Classes' }).getByRole('listitem');
  const column = (at: number) => page().getByLabel(`Class ${at}`, { exact: true });
  const head = () => page().getByRole('region', { name: 'Head', exact: true });
  const report = () => page().getByRole('region', { name: 'What to expect' });
  const tried = () => page().getByRole('region', { name: 'Try it' });
  const addTo = (scope: Locator, name: string, files: ReturnType<typeof png>[]) =>
    scope.getByLabel(`Add pictures to ${name}`).setInputFiles(files);

  /** Opens a head of three pictures per class that was made through the API. */
  const openHead = async (name: string) => {
    const form = new FormData();
    form.append('name', name);
    for (const fruit of FRUIT) {
      for (const seed of [1, 2, 3]) form.append(fruit, new Blob([new Uint8Array(drawFruit(fruit, seed))]), 'x.png');
    }
    const response = await fetch(`${deployment().url}/v1/heads`, { method: 'POST', body: form });
    expect(response.status).toBe(201);
    await page().goto(`${deployment().url}/teach`);
    await page().getByRole('link', { name }).click();
    await head().waitFor();
  };

  it('makes a head of three pictures per class, says what it is worth, and answers about a new picture', async () => {
    const form = page().getByRole('form', { name: 'New head' });
    await expect.poll(() => form.getByRole('status').textContent()).toContain('Two classes');
    await expectAccessible(page());
    await page().getByRole('button', { name: 'Add a class' }).click();
    const labels = ['lemon', HOSTILE_LABEL, 'watermelon'];
    for (const [at, label] of labels.entries()) {
      await column(at + 1).fill(label);
      const pictures = [1, 2, 3].map((seed) => png(FRUIT[at]!, seed));
      await addTo(form, label, pictures);
    }
    await addTo(form, 'lemon', [{ name: 'notes.png', mimeType: 'image/png', buffer: Buffer.from('no picture') }]);
    await expect
      .poll(() => form.getByRole('alert').textContent())
      .toContain('notes.png is left out: unrecognized_image');
    await expect.poll(() => form.getByRole('button', { name: 'Train' }).isEnabled()).toBe(true);
    await expectAccessible(page());
    await page().getByLabel('Name').fill('fruit');
    await form.getByRole('button', { name: 'Train' }).click();
    await expect.poll(() => head().textContent(), { timeout: TRAINED_MS }).toMatch(/fruitready9 examples of 3 classes/);
    await expect
      .poll(() => report().textContent())
      .toMatch(/9 of 9 right by leaving one out; 95 % interval 7\d\.\d % to 100/);
    const matrix = report().getByRole('group', { name: 'Confusion matrix' });
    expect(await matrix.getByRole('row').count()).toBe(4);
    expect(await matrix.textContent()).toContain(HOSTILE_LABEL);
    expect(
      await report()
        .getByRole('img', { name: /Accuracy by examples per class. 1: / })
        .count(),
    ).toBe(1);
    await tried()
      .getByLabel('Choose pictures to try')
      .setInputFiles([png('watermelon', 9)]);
    const best = tried().getByRole('listitem', { name: 'watermelon-9.png' }).getByRole('listitem').first();
    await expect.poll(() => best.textContent()).toContain('watermelon');
    expect(await page().getByRole('tabpanel').textContent()).toContain('/v1/classify?model=fruit');
    expect(await page().locator('main b').count()).toBe(0);
    await expectAccessible(page());
    await page().setViewportSize({ width: 390, height: 844 });
    await expectAccessible(page());
    expect(await page().evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  });

  it('is taught more, shows the picture whose label is wrong, corrects it, and publishes a version', async () => {
    await openHead('melons');
    const more = page().getByRole('form', { name: 'More examples' });
    await column(1).waitFor();
    expect(await columns().count()).toBe(4);
    // Two more melons, and a third that is called a lemon.
    await addTo(more, 'watermelon', [png('watermelon', 4), png('watermelon', 5)]);
    await addTo(more, 'lemon', [png('watermelon', 6)]);
    await expect.poll(() => more.getByRole('button', { name: 'Add and train' }).isEnabled()).toBe(true);
    await more.getByRole('button', { name: 'Add and train' }).click();
    await expect.poll(() => head().textContent(), { timeout: TRAINED_MS }).toMatch(/ready12 examples/);
    const suspects = page().getByRole('region', { name: 'Look at these' });
    await expect.poll(() => suspects.textContent()).toContain('lemon taken for watermelon');
    await expect.poll(() => suspects.getByRole('img', { name: 'Labelled lemon' }).count()).toBeGreaterThan(0);
    await expectAccessible(page());
    await suspects.getByRole('button', { name: 'It is watermelon' }).first().click();
    await expect.poll(() => suspects.count(), { timeout: TRAINED_MS }).toBe(0);
    const versions = page().getByRole('list', { name: 'Versions of the head' }).getByRole('listitem');
    const newest = await versions.first().locator('code').textContent();
    await page().getByLabel('Alias').fill('production');
    await versions.first().getByRole('button', { name: 'Publish as production' }).click();
    await expect.poll(() => versions.first().textContent()).toContain('production');
    const response = await fetch(`${deployment().url}/v1/heads/melons`);
    const { aliases, classes } = (await response.json()) as { aliases: object; classes: object[] };
    expect(aliases).toMatchObject({ production: newest });
    expect(classes).toContainEqual({ label: 'watermelon', examples: 6 });
  });

  it('takes pictures that are dropped on a class and pasted into the one in use, and folders as classes', async () => {
    await page().goto(`${deployment().url}/teach?new`);
    await column(1).fill('one');
    await column(2).fill('two');
    for (const [kind, fruit] of [
      ['drop', 'lemon'],
      ['paste', 'plum'],
    ] as const) {
      await columns()
        .nth(1)
        .locator('.drop-zone')
        .evaluate(
          (element, [type, bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], `${type}.png`, { type: 'image/png' }));
            transfer.items.add(new File(['no picture'], 'notes.txt', { type: 'text/plain' }));
            const event =
              type === 'drop'
                ? new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true })
                : new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true });
            element.dispatchEvent(event);
          },
          [kind, [...drawFruit(fruit, 1)]] as const,
        );
    }
    await expect.poll(() => columns().nth(1).getByRole('img').count()).toBe(2);
    expect(await columns().nth(1).getByRole('img').first().getAttribute('alt')).toBe('drop.png');
    const isTextLeftToTheField = await column(2).evaluate((field) => {
      const transfer = new DataTransfer();
      transfer.setData('text/plain', 'two');
      return field.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
    });
    expect(isTextLeftToTheField).toBe(true);
    await columns().nth(1).getByRole('button', { name: 'Remove drop.png' }).click();
    await expect.poll(() => columns().nth(1).textContent()).toContain('1 picture');
    await page().getByLabel('Class 1', { exact: true }).fill('two');
    await columns()
      .first()
      .getByLabel('Add pictures to two')
      .setInputFiles([png('lemon', 1)]);
    const status = page().getByRole('form', { name: 'New head' }).getByRole('status');
    await expect.poll(() => status.textContent()).toContain('“two” is the name of two classes');
    const folder = await mkdtemp(join(tmpdir(), 'bit-edge-classes-'));
    try {
      for (const fruit of FRUIT) {
        await mkdir(join(folder, fruit));
        await writeFile(join(folder, fruit, '1.png'), drawFruit(fruit, 1));
      }
      await page().getByLabel('Or a folder of folders').setInputFiles(folder);
      await expect
        .poll(() =>
          page()
            .getByRole('textbox', { name: /^Class \d/ })
            .count(),
        )
        .toBe(5);
      const names = page().getByRole('textbox', { name: /^Class \d/ });
      const values = await names.evaluateAll((inputs) => inputs.map((input) => (input as HTMLInputElement).value));
      expect(values.slice(2).sort()).toEqual([...FRUIT]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('releases the memory of pictures that are no longer shown', async () => {
    await page().addInitScript(() => {
      const live = new Set<string>();
      Object.assign(globalThis, { liveUrls: live });
      const [create, revoke] = [URL.createObjectURL.bind(URL), URL.revokeObjectURL.bind(URL)];
      URL.createObjectURL = (object) => {
        const url = create(object);
        live.add(url);
        return url;
      };
      URL.revokeObjectURL = (url) => {
        live.delete(url);
        revoke(url);
      };
    });
    const live = () => page().evaluate(() => (globalThis as unknown as { liveUrls: Set<string> }).liveUrls.size);
    const form = page().getByRole('form', { name: 'New head' });
    await page().goto(`${deployment().url}/teach?new`);
    await addTo(form, 'class 1', [png('lemon', 1), png('lemon', 2)]);
    await addTo(form, 'class 2', [png('plum', 1)]);
    await expect.poll(live).toBe(3);
    await page().getByRole('button', { name: 'Remove class 1' }).click();
    await expect.poll(live).toBe(1);
    await page().getByRole('link', { name: 'Models' }).click();
    await expect.poll(live).toBe(0);
  });

  it('goes on where teaching broke off', async () => {
    await page().goto(`${deployment().url}/teach?new`);
    const form = page().getByRole('form', { name: 'New head' });
    for (const [at, fruit] of FRUIT.slice(0, 2).entries()) {
      await column(at + 1).fill(fruit);
      await addTo(form, fruit, [png(fruit, 1), png(fruit, 2)]);
    }
    await page().getByLabel('Name').fill('broken-off');
    await page().route('**/v1/heads/broken-off/train', (route) => route.abort(), { times: 1 });
    await form.getByRole('button', { name: 'Train' }).click();
    await expect.poll(() => form.getByRole('alert').textContent()).toContain('No answer');
    await form.getByRole('button', { name: 'Train' }).click();
    await expect.poll(() => head().textContent(), { timeout: TRAINED_MS }).toMatch(/broken-offready4 examples/);
  });

  it('says why a head could not be deleted', async () => {
    await openHead('kept');
    await page().route('**/v1/heads/kept', (route) =>
      route.request().method() === 'DELETE' ? route.abort() : route.continue(),
    );
    await page().getByRole('button', { name: 'Delete this head…' }).click();
    await page().getByRole('button', { name: 'Delete kept' }).click();
    await expect.poll(() => page().getByRole('alert').textContent()).toContain('No answer');
    expect(new URL(page().url()).search).toBe('?head=kept');
  });

  it('deletes a head when it is asked twice', async () => {
    await openHead('gone');
    await page().getByRole('button', { name: 'Delete this head…' }).click();
    await page().getByRole('button', { name: 'Delete gone' }).click();
    await expect.poll(() => new URL(page().url()).search).toBe('');
    expect((await fetch(`${deployment().url}/v1/heads/gone`)).status).toBe(404);
  });
});
