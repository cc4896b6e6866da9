import { expect, it } from 'vitest';
import { groupFailures, parseInputs } from '../../../console/src/pages/jobs/inputs.ts';

it('takes URLs, keys and objects, one a line, and leaves what is no object to the deployment', () => {
  const text =
    ' https://a.example/1.jpg \n\nuploads/2.png\r\n{"url":"https://a.example/3.jpg","id":"three"}\n{"url":\n';
  expect(parseInputs(text)).toEqual([
    { url: 'https://a.example/1.jpg' },
    { r2: 'uploads/2.png' },
    { url: 'https://a.example/3.jpg', id: 'three' },
    '{"url":',
  ]);
});

it('groups failures by code with three examples, the most frequent first', () => {
  const failed = (index: number, code: string) => ({
    index,
    status: 'failed',
    error: { code, message: `of ${index}` },
  });
  const lines = [failed(0, 'a'), { index: 1, status: 'succeeded' }, ...[2, 3, 4, 5].map((index) => failed(index, 'b'))];
  expect(groupFailures(lines)).toEqual([
    { code: 'b', count: 4, examples: [2, 3, 4].map((index) => ({ index, message: `of ${index}` })) },
    { code: 'a', count: 1, examples: [{ index: 0, message: 'of 0' }] },
  ]);
});
