/** The console's review queue, in a browser: three images answered with the keyboard. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withStore } from '../../../scripts/cli/store/open-store.ts';
import { drawFruit } from '../../../scripts/demo/draw-fruit.ts';
import { startReceivers } from '../../../scripts/soak/receivers.ts';
import { publishPolicy } from '../../../worker/moderation/policy/store.ts';
import { expectAccessible } from '../../support/accessibility.ts';
import { describeConsole } from '../../support/console-suite.ts';

const HOSTILE_NAME = '<b onclick="alert(1)">second</b>';
const receivers = await startReceivers(`whsec_${btoa('receiver-secret-of-32-characters')}`);

/** Its score always reaches the threshold. */
const POLICY = {
  schema_version: 1,
  name: 'open',
  version: '1',
  model: { name: 'bit-tiny-200' },
  activation: 'sigmoid',
  categories: [{ name: 'fruit', labels: ['lemon', 'orange'], thresholds: { review: 1e-6 } }],
};

async function prepare(statePath: string): Promise<void> {
  await withStore({ persistPath: join(statePath, 'v3') }, ({ store }) =>
    publishPolicy(store, JSON.stringify(POLICY), 'latest', new Date().toISOString()),
  );
}

afterAll(() => receivers.close());

const variables = { FETCH_EXEMPT_ORIGINS: receivers.origin };
describeConsole('Review', { path: '/review', variables, prepare }, ({ deployment, page }) => {
  beforeAll(async () => {
    const form = new FormData();
    form.append('name', 'seen');
    for (const label of ['allow', 'block']) {
      form.append(label, new Blob([new Uint8Array(drawFruit(label === 'allow' ? 'lemon' : 'plum', 1))]), 'x.png');
    }
    const made = await fetch(`${deployment().url}/v1/heads`, { method: 'POST', body: form });
    expect(made.status).toBe(201);
    for (const [at, id] of ['first', HOSTILE_NAME, 'third'].entries()) {
      const response = await fetch(`${deployment().url}/v1/moderate?policy=open&id=${encodeURIComponent(id)}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ url: `${receivers.origin}/images/${at}` }),
      });
      expect(((await response.json()) as { verdict: string }).verdict).toBe('review');
    }
  });

  const examplesOf = async (head: string) => {
    const response = await fetch(`${deployment().url}/v1/heads/${head}/examples`);
    const { examples } = (await response.json()) as { examples: { labels: string[] }[] };
    return examples.flatMap(({ labels }) => labels).sort();
  };

  it('is worked through by keyboard: who and when are recorded, answers are exported as labels', async () => {
    const status = page().getByRole('status');
    await expect.poll(() => status.textContent()).toContain('3 waiting');
    await expectAccessible(page());
    await page().getByLabel('Your name').fill('ann');
    await page().getByLabel('Answers teach').selectOption('seen');
    await page().getByRole('button', { name: 'Start reviewing' }).press('Enter');
    const card = page().getByRole('article', { name: 'Image to review' });
    await expect.poll(() => card.textContent()).toContain('first');
    await expect.poll(() => card.getByRole('img').count()).toBe(1);
    expect(await card.textContent()).toMatch(/fruitreview[\d.]+ %, threshold < 0\.1 %/);
    await expectAccessible(page());
    // Typed into the note, a letter is a letter.
    await page().getByLabel('Note').pressSequentially('a real one');
    await page().getByLabel('Note').blur();
    await page().keyboard.press('a');
    await expect.poll(() => card.textContent()).toContain(HOSTILE_NAME);
    await page().keyboard.press('r');
    await expect.poll(() => card.textContent()).toContain('third');
    await page().keyboard.press('r');
    await expect.poll(() => page().locator('main').textContent()).toContain('All done');
    const answered = page().getByRole('region', { name: 'Answered' });
    await expect.poll(() => answered.getByRole('listitem').count()).toBe(3);
    expect(await answered.textContent()).toMatch(/approvedfirst“a real one”ann/);
    await expectAccessible(page());

    expect(await examplesOf('seen')).toEqual(['allow', 'allow', 'block', 'block', 'block']);
    const response = await fetch(`${deployment().url}/v1/reviews?state=rejected`);
    const { reviews } = (await response.json()) as { reviews: { item_id: string; reviewer: { name: string } }[] };
    expect(reviews.map(({ item_id }) => item_id)).toEqual(['third', HOSTILE_NAME]);
    expect(reviews.every(({ reviewer }) => reviewer.name === 'ann')).toBe(true);
    const [download] = await Promise.all([
      page().waitForEvent('download'),
      page().getByRole('button', { name: 'Export labels' }).click(),
    ]);
    const lines = (await readFile(await download.path(), 'utf8')).trim().split('\n');
    const labels = lines.map((line) => JSON.parse(line) as { item_id: string; label: string; image_sha256: string });
    expect(labels.map(({ label }) => label).sort()).toEqual(['allow', 'block', 'block']);
    for (const { image_sha256: hash } of labels) expect(hash).toMatch(/^[0-9a-f]{64}$/);
  });
});
