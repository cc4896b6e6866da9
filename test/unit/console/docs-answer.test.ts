import { expect, it } from 'vitest';
import { type AnswerState, readAnswer } from '../../../console/src/pages/docs/answer.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

async function reportsOf(body: BodyInit | null, headers: Record<string, string>): Promise<AnswerState[]> {
  const reports: AnswerState[] = [];
  await readAnswer(new Response(body, { headers }), 1, (state) => reports.push(state)).catch(() => {});
  return reports;
}

it('indents JSON that is shown whole, and says so only of what is cut', async () => {
  const [small, large] = [60_000, 200_000].map((items) => JSON.stringify(new Array(items).fill(1)));
  const whole = (await reportsOf(small!, JSON_TYPE)).at(-1)!;
  expect(whole.text!.length).toBeGreaterThan(200_000);
  expect(whole).toMatchObject({ isCut: false, bytes: small!.length });
  const cut = (await reportsOf(large!, JSON_TYPE)).at(-1)!;
  expect(cut).toMatchObject({ isCut: true, text: large!.slice(0, 200_000), bytes: large!.length });
  expect(await cut.body!.text()).toBe(large);
});

it('reports text as it comes, and keeps what came before a stream broke off', async () => {
  const chunks = ['data: 1\n\n', 'data: 2\n\n'].map((text) => new TextEncoder().encode(text));
  const broken = new ReadableStream({
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk === undefined) controller.error(new Error('stopped'));
      else controller.enqueue(chunk);
    },
  });
  const reports = await reportsOf(broken, { 'content-type': 'text/event-stream' });
  expect(reports.map(({ text }) => text)).toEqual([
    '',
    'data: 1\n\n',
    'data: 1\n\ndata: 2\n\n',
    'data: 1\n\ndata: 2\n\n',
  ]);
  expect(reports.map(({ body }) => body === null)).toEqual([true, true, true, false]);
  expect(await reports.at(-1)!.body!.text()).toBe('data: 1\n\ndata: 2\n\n');
});

it('counts the bytes of what is not text', async () => {
  const last = (await reportsOf(new Uint8Array(3), { 'content-type': 'image/png' })).at(-1)!;
  expect(last).toMatchObject({ text: null, bytes: 3, isCut: false });
});
