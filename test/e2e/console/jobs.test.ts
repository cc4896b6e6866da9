/** The console's page of bulk jobs, in a browser, against a local deployment and a server of images. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, expect, it } from 'vitest';
import { startReceivers } from '../../../scripts/soak/receivers.ts';
import { expectAccessible } from '../../support/accessibility.ts';
import { describeConsole } from '../../support/console-suite.ts';

const IMAGES = 200;
const receivers = await startReceivers(`whsec_${randomBytes(32).toString('base64')}`);
const variables = { FETCH_EXEMPT_ORIGINS: receivers.origin, JOB_TICK_MS: '200', JOB_RETRY_SECONDS: '0' };

afterAll(() => receivers.close());

describeConsole('Jobs', { path: '/jobs', variables }, ({ page }) => {
  it('starts a job of 200 and shows its progress, failures by code, results and the download', async () => {
    await expect.poll(() => page().locator('main').textContent()).toContain('No job yet');
    await page().getByRole('button', { name: 'New job' }).click();
    const urls = Array.from({ length: IMAGES - 2 }, (_, at) => `${receivers.origin}/images/${at}`);
    const lines = [...urls, 'http://127.0.0.1:1/private', '{"r2": "uploads/<b>none</b>.png", "id": "<i>key</i>"}'];
    await page().getByLabel('One image a line').fill(lines.join('\n'));
    await page().getByText(`${IMAGES} images`).waitFor();
    await expectAccessible(page());
    await page().getByRole('button', { name: 'Start' }).click();
    const job = page().getByRole('region', { name: 'Job', exact: true });
    await expect.poll(() => job.textContent(), { timeout: 90_000 }).toContain('completed');
    expect(await job.textContent()).toContain(`198 succeeded, 2 failed of ${IMAGES}`);
    const failures = page().getByRole('region', { name: 'Failures' });
    await expect.poll(() => failures.textContent()).toMatch(/url_not_allowed 1.*Item 198/);
    expect(await failures.textContent()).toMatch(/object_not_found 1/);
    await expect.poll(() => page().getByRole('region', { name: 'Results' }).getByRole('listitem').count()).toBe(24);
    await expectAccessible(page());
    const [download] = await Promise.all([
      page().waitForEvent('download'),
      page().getByRole('button', { name: 'Download results' }).click(),
    ]);
    const results = (await readFile(await download.path(), 'utf8')).trim().split('\n');
    expect(results.map((line) => (JSON.parse(line) as { index: number }).index)).toEqual(lines.map((_, at) => at));
    await page().getByRole('button', { name: 'Retry 2 failed' }).click();
    await expect.poll(() => job.textContent()).toContain('2 failed');
  });

  it('cancels a job, and lists it', async () => {
    await page().getByRole('button', { name: 'New job' }).click();
    const urls = Array.from({ length: 3000 }, (_, at) => `${receivers.origin}/images/${at}`);
    await page().getByLabel('Images from').selectOption('File');
    const file = { name: 'images.txt', mimeType: 'text/plain', buffer: Buffer.from(urls.join('\n')) };
    await page().getByLabel('A file of lines').setInputFiles(file);
    await page().getByRole('button', { name: 'Start' }).click();
    const job = page().getByRole('region', { name: 'Job', exact: true });
    await job.getByRole('button', { name: 'Cancel' }).click();
    await expect.poll(() => job.textContent()).toContain('cancelled');
    await expect.poll(() => page().getByRole('list', { name: 'Jobs' }).textContent()).toContain('cancelled');
  });
});
