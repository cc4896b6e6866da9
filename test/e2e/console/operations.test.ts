/** The console's pages for those who run a deployment, in a browser. */
import { expect, it } from 'vitest';
import { expectAccessible } from '../../support/accessibility.ts';
import { HOSTILE_VERSION } from '../../support/console-deployment.ts';
import { describeConsole } from '../../support/console-suite.ts';

describeConsole('Models', { path: '/models' }, ({ deployment, page }) => {
  const latest = async () => {
    const response = await fetch(`${deployment().url}/v1/models/${deployment().model.name}/aliases`);
    const { aliases } = (await response.json()) as { aliases: { alias: string; version: string; history: string[] }[] };
    return aliases.find(({ alias }) => alias === 'latest')!;
  };

  it('moves an alias, rolls it back with one click, and undoes that', async () => {
    const { version } = deployment().model;
    const list = page().getByRole('list', { name: `Aliases of ${deployment().model.name}` });
    const rollBack = list.getByRole('button', { name: 'Roll back' });
    await rollBack.waitFor();
    expect(await rollBack.isDisabled()).toBe(true);
    await list.getByLabel('Version for latest').selectOption(HOSTILE_VERSION);
    await list.getByRole('button', { name: 'Move' }).click();
    await expect.poll(() => page().getByRole('status').textContent()).toContain(`to ${HOSTILE_VERSION}`);
    await expect.poll(() => list.textContent()).toContain(`→ ${HOSTILE_VERSION}`);
    expect(await latest()).toMatchObject({ version: HOSTILE_VERSION, history: [version] });
    await rollBack.click();
    await expect.poll(() => list.textContent()).toContain(`→ ${version}`);
    expect(await latest()).toMatchObject({ version, history: [] });
    await page().getByRole('button', { name: 'Undo' }).click();
    await expect.poll(() => list.textContent()).toContain(`→ ${HOSTILE_VERSION}`);
    await rollBack.click();
    await expect.poll(async () => (await latest()).version).toBe(version);
  });

  it('shows what a version costs, and loads one into the isolate', async () => {
    const versions = page().getByRole('list', { name: 'Versions' });
    const hostile = versions.getByRole('listitem').filter({ hasText: HOSTILE_VERSION });
    await hostile.getByRole('button', { name: 'Warm' }).click();
    await expect.poll(() => hostile.textContent()).toContain('loaded');
    await hostile.getByRole('button', { name: 'Details' }).click();
    await expect.poll(() => hostile.textContent()).toMatch(/WASM heap.*16\.8 MB.*3\s698 k.*logits, pooler_output/);
    expect(await hostile.textContent()).toContain('without an import report');
    await expectAccessible(page());
  });
});

describeConsole('Health', { path: '/health' }, ({ deployment, page }) => {
  it('draws requests, memory and latency, and counts errors by code, while they happen', async () => {
    const tile = page().getByRole('region', { name: 'Memory' });
    await expect.poll(() => tile.textContent()).toMatch(/MB.*% of 109 MB/);
    for (let at = 0; at < 3; at++) await fetch(`${deployment().url}/v1/models/none`);
    const errors = page().getByRole('region', { name: 'Errors by code' });
    await expect.poll(() => errors.textContent()).toMatch(/model_not_found3/);
    const routes = page().getByRole('region', { name: 'Routes' });
    expect(await routes.textContent()).toMatch(/GET \/v1\/models\/:model33[\d.]+ ms/);
    await expect.poll(() => page().locator('.sparkline polyline').count()).toBe(2);
    await expectAccessible(page());
    await page().setViewportSize({ width: 390, height: 844 });
    await expectAccessible(page());
  });
});
