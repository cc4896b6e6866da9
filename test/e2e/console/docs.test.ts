/** The console's page of the API, in a browser: every operation can be tried, and answers are text. */
import { expect, it } from 'vitest';
import { expectAccessible } from '../../support/accessibility.ts';
import { describeConsole } from '../../support/console-suite.ts';
import { readPhoto } from '../../support/photo.ts';

describeConsole('API', { path: '/docs' }, ({ deployment, page }) => {
  const photo = (name: string) => ({ name, mimeType: 'image/png', buffer: Buffer.from(readPhoto()) });
  const form = (id: string) => page().getByRole('form', { name: `Try ${id}`, exact: true });
  /** Within the document that is there: the address changes behind the # only. */
  const open = async (id: string) => {
    await page().getByLabel('Find').waitFor();
    await page().goto(`${deployment().url}/docs#${id}`);
    await form(id).waitFor();
    return form(id);
  };
  const answerOf = (id: string) => form(id).getByRole('region', { name: 'Answer' });

  it('has a form for every operation of the document, and an anchor for every code', async () => {
    const response = await fetch(`${deployment().url}/openapi.json`);
    const { paths } = (await response.json()) as { paths: Record<string, Record<string, { operationId: string }>> };
    const ids = Object.values(paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
    await page().locator(`#${ids[0]}`).waitFor();
    await expectAccessible(page());
    for (const id of ids) await page().locator(`#${id} > summary`).click();
    await expect.poll(() => page().getByRole('form').count()).toBe(ids.length);
    await page().goto(`${deployment().url}/docs#model_not_found`);
    await expect.poll(() => page().locator('tr#model_not_found').isVisible()).toBe(true);
  });

  it('is searched', async () => {
    await page().getByLabel('Find').fill('rollback head');
    await expect.poll(() => page().locator('.operation').count()).toBe(1);
    expect(await page().locator('.operation').textContent()).toContain('/v1/heads/{head}/aliases/{alias}/rollback');
    await page().getByLabel('Find').fill('no such thing');
    await expect.poll(() => page().locator('main').textContent()).toContain('No operation has this');
  });

  it('sends a file with parameters, and the fields of a form, and gives the same with curl', async () => {
    const classify = await open('classify');
    await classify.getByLabel('top_k').fill('3');
    await classify.getByLabel('function_to_apply').selectOption('sigmoid');
    await classify.getByLabel('File').setInputFiles(photo('photo.png'));
    await classify.getByRole('button', { name: 'Send' }).click();
    await expect.poll(() => answerOf('classify').textContent()).toContain('200 OK');
    const answer = JSON.parse((await answerOf('classify').locator('pre').textContent())!) as { predictions: object[] };
    expect(answer.predictions).toHaveLength(3);
    expect(await classify.locator('.curl').textContent()).toMatch(
      /classify\?top_k=3&function_to_apply=sigmoid'[\s\S]*@photo\.png/,
    );
    await expectAccessible(page());
    await classify.getByLabel('Content type').selectOption('multipart/form-data');
    await classify.getByLabel('Files of field 1').setInputFiles([photo('a.png'), photo('b.png')]);
    await classify.getByRole('button', { name: 'Send' }).click();
    await expect.poll(() => answerOf('classify').locator('pre').textContent()).toMatch(/"results": \[/);
    await page().setViewportSize({ width: 390, height: 844 });
    await expectAccessible(page());
    expect(await page().evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  });

  it('sends JSON and a part of the path, and shows a refusal with its headers', async () => {
    const { name } = deployment().model;
    const move = await open('moveAlias');
    for (const parameter of ['name', 'alias']) await move.getByLabel(parameter).waitFor();
    await move.getByLabel('name').fill(name);
    await move.getByLabel('alias').fill('from-docs');
    await move.getByLabel('Text').fill(JSON.stringify({ version: 'none' }));
    await move.getByRole('button', { name: 'Send' }).click();
    await expect.poll(() => answerOf('moveAlias').textContent()).toContain('404');
    expect(await answerOf('moveAlias').locator('pre').textContent()).toContain('model_not_found');
    await move.getByText('Headers').click();
    await expect.poll(() => answerOf('moveAlias').textContent()).toContain('x-request-id');
  });

  it('keeps the fields of a form apart while the content type changes', async () => {
    const classify = await open('classify');
    const type = classify.getByLabel('Content type');
    await type.selectOption('multipart/form-data');
    for (let added = 0; added < 2; added++) await classify.getByRole('button', { name: 'Add text' }).click();
    await classify.getByRole('button', { name: 'Remove field 1' }).click();
    await type.selectOption('application/json');
    await type.selectOption('multipart/form-data');
    await classify.getByRole('button', { name: 'Add text' }).click();
    const names = classify.getByRole('textbox', { name: /^Field \d$/ });
    await names.last().fill('top_k');
    expect(await names.evaluateAll((inputs) => inputs.map((input) => (input as HTMLInputElement).value))).toEqual([
      '',
      '',
      'top_k',
    ]);
  });

  it('stops a request when its operation is closed', async () => {
    const models = await open('listModels');
    await page().route('**/v1/models', () => {
      // Not answered.
    });
    const sent = page().waitForRequest('**/v1/models');
    await models.getByRole('button', { name: 'Send' }).click();
    await sent;
    const failed = page().waitForEvent('requestfailed', { timeout: 5_000 });
    await page().locator('#listModels > summary').click();
    expect((await failed).failure()?.errorText).toBe('net::ERR_ABORTED');
  });

  it('shows HTML as text', async () => {
    const docs = await open('docs');
    await docs.getByRole('button', { name: 'Send' }).click();
    await expect.poll(() => answerOf('docs').locator('pre').textContent()).toContain('<div id="app"></div>');
    expect(await page().locator('#app').count()).toBe(1);
  });
});
