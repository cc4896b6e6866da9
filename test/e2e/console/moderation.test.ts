/** The console's pages of policies and webhooks, in a browser. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withStore } from '../../../scripts/cli/store/open-store.ts';
import { startReceivers } from '../../../scripts/soak/receivers.ts';
import { publishPolicy } from '../../../worker/moderation/policy/store.ts';
import { expectAccessible } from '../../support/accessibility.ts';
import { describeConsole } from '../../support/console-suite.ts';

const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;
const [senderSecret, receiverSecret] = [newSecret(), newSecret()];
const receivers = await startReceivers(receiverSecret);
const folder = await mkdtemp(join(tmpdir(), 'bit-edge-labelled-'));

afterAll(async () => {
  receivers.close();
  await rm(folder, { recursive: true, force: true });
});

const POLICY = {
  schema_version: 1,
  name: 'shop',
  version: '1',
  model: { name: 'bit-tiny-200', reference: 'latest' },
  activation: 'softmax',
  categories: [
    { name: 'fruit', labels: ['lemon', 'orange'], combine: 'sum', thresholds: { review: 0.1, block: 0.995 } },
    { name: 'traffic', labels: ['school bus'], thresholds: { review: 0.5 } },
  ],
};

async function prepare(statePath: string): Promise<void> {
  await withStore({ persistPath: join(statePath, 'v3') }, ({ store }) =>
    publishPolicy(store, JSON.stringify(POLICY), 'latest', new Date().toISOString()),
  );
}

describeConsole('Moderate', { path: '/moderate', prepare }, ({ deployment, page }) => {
  beforeAll(async () => {
    for (const [category, sample] of [
      ['fruit', 'lemon'],
      ['none', 'goldfish'],
      ['traffic', 'school-bus'],
    ] as const) {
      const image = await fetch(`${deployment().url}/console/samples/${sample}.jpg`);
      await mkdir(join(folder, category), { recursive: true });
      await writeFile(join(folder, category, `${sample}.jpg`), new Uint8Array(await image.arrayBuffer()));
    }
  });

  it('moves precision, recall and verdicts with a threshold, and saves the policy as a version', async () => {
    await page().getByLabel('Policy', { exact: true }).fill('shop');
    await page().getByRole('button', { name: 'Open' }).click();
    await page().getByRole('region', { name: 'fruit' }).waitFor();
    await page().getByLabel('A folder of folders').setInputFiles(folder);
    const verdicts = page().getByRole('region', { name: 'Verdicts' });
    await expect.poll(() => verdicts.textContent()).toMatch(/allow 1 .*review 2 .*block 0 /);
    const fruit = page().getByRole('region', { name: 'fruit' });
    expect(await fruit.textContent()).toMatch(/Precision100\.0 %Recall100\.0 %Images1False alarms0/);
    await expectAccessible(page());
    await page().getByLabel('fruit: review from').fill('0.9');
    await expect.poll(() => verdicts.textContent()).toMatch(/allow 2 .*review 1 .*block 0 /);
    expect(await fruit.textContent()).toMatch(/Precisionnone caughtRecall0\.0 %/);
    await page().getByLabel('fruit: block from').fill('0.3');
    await expect.poll(() => verdicts.textContent()).toMatch(/block 1 /);
    // Review stays below block.
    expect(await page().getByLabel('fruit: review from').inputValue()).toBe('0.295');
    await page().getByText('Policy as JSON').click();
    const text = page().getByRole('textbox', { name: 'Policy as JSON' });
    expect(await text.inputValue()).toContain('"block": 0.3');
    await text.fill('{"schema_version": 1}');
    await expect.poll(() => page().getByRole('alert').textContent()).toContain('name');
    await text.fill(JSON.stringify({ ...POLICY, on_error: 'block' }));
    await expect.poll(() => verdicts.textContent()).toMatch(/review 2 /);
    const form = page().getByRole('form', { name: 'Save as a version' });
    await form.getByRole('button', { name: 'Save' }).click();
    await expect.poll(() => form.textContent()).toContain('shop@2 is published and latest names it');
    const response = await fetch(`${deployment().url}/v1/policies/shop@2`);
    expect(await response.json()).toMatchObject({ version: '2', on_error: 'block' });
  });
});

const variables = {
  FETCH_EXEMPT_ORIGINS: receivers.origin,
  WEBHOOK_RETRY_SCALE: '0.000003',
  MODERATION: JSON.stringify({
    sources: [{ name: 'shop', secrets: [senderSecret], receivers: ['all'] }],
    receivers: [{ name: 'all', url: `${receivers.origin}/hooks/`, secrets: [receiverSecret] }],
  }),
};

describeConsole('Webhooks', { path: '/webhooks', variables }, ({ deployment, page }) => {
  beforeAll(async () => {
    const now = new Date();
    const body = JSON.stringify(
      ['ok', 'dead', 'gone'].map((behaviour, at) => ({
        id: `<i>${behaviour}</i>`,
        url: `${receivers.origin}/images/${at}`,
        callback_url: `${receivers.origin}/hooks/${behaviour}`,
      })),
    );
    const response = await fetch(`${deployment().url}/v1/webhooks/images`, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'webhook-id': 'msg_1',
        'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
        'webhook-signature': new Webhook(senderSecret).sign('msg_1', now, body),
      },
    });
    expect(response.status).toBe(202);
  });

  it('shows every attempt of an event, replays it, and enables a receiver that had said 410', async () => {
    const sources = page().getByRole('list', { name: 'Sources' });
    await expect.poll(() => sources.textContent(), { timeout: 60_000 }).toMatch(/shop.*delivered 1.*/);
    await expect.poll(() => sources.textContent(), { timeout: 60_000 }).toMatch(/dead 1/);
    await expectAccessible(page());
    await page().getByLabel('State').selectOption('dead');
    await page()
      .getByRole('link', { name: /<i>dead<\/i>/ })
      .click();
    const event = page().getByRole('region', { name: 'Event', exact: true });
    const attempts = event.getByRole('group', { name: 'Attempts' });
    await expect.poll(() => attempts.getByRole('row').count()).toBe(11);
    // The last attempt is shown until another is chosen: who sent what, without the signature, and what came back.
    const request = event.getByRole('group', { name: 'Request 10', exact: true });
    expect(await request.textContent()).toMatch(
      /POST http.*hooks\/dead[\s\S]*webhook-signature: \(redacted\)[\s\S]*"<i>dead<\/i>"/,
    );
    expect(await event.getByRole('group', { name: 'Response 10', exact: true }).textContent()).toContain('HTTP 500');
    await event.getByRole('button', { name: 'Show request and response of attempt 2', exact: true }).click();
    await event.getByRole('group', { name: 'Response 2', exact: true }).waitFor();
    await expectAccessible(page());
    await event.getByRole('button', { name: 'Replay' }).click();
    await expect.poll(() => attempts.getByRole('row').count(), { timeout: 60_000 }).toBeGreaterThan(11);
    const endpoints = page().getByRole('region', { name: 'Receivers' });
    await endpoints.getByRole('button', { name: 'Enable and replay' }).click();
    // It says 410 again: one attempt more than before.
    const attemptsOf = async (item: string) => {
      const response = await fetch(`${deployment().url}/v1/webhooks/events?source=shop`);
      const { events } = (await response.json()) as { events: { item_id: string; attempts: number }[] };
      return events.find(({ item_id }) => item_id === item)?.attempts;
    };
    await expect.poll(() => attemptsOf('<i>gone</i>')).toBe(2);
  });
});
