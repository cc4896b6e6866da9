import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { type Call, snippetsOf } from '../../../console/src/components/calls.ts';

const CALL: Call = {
  origin: 'https://bit.example',
  model: 'bit-tiny-200@latest',
  topK: 5,
  functionToApply: null,
  exact: false,
  fileName: 'photo.jpg',
  needsKey: false,
};

const codeOf = (name: string, call: Call): string => snippetsOf(call).find((each) => each.name === name)!.code;

it('names the model, and only parameters that are no defaults', () => {
  expect(codeOf('curl', CALL)).toBe(
    "curl 'https://bit.example/v1/classify?model=bit-tiny-200@latest' \\\n  --data-binary @photo.jpg",
  );
  const asked = codeOf('curl', { ...CALL, topK: 3, functionToApply: 'sigmoid', exact: true });
  expect(asked).toContain('?model=bit-tiny-200@latest&top_k=3&function_to_apply=sigmoid&exact=true');
});

it('names the variable of the key where one is needed', () => {
  for (const { code } of snippetsOf(CALL)) expect(code).not.toContain('BIT_EDGE_KEY');
  for (const { code } of snippetsOf({ ...CALL, needsKey: true })) expect(code).toContain('BIT_EDGE_KEY');
});

it('quotes a file name so that a shell, JavaScript and Python read it as it is', () => {
  const fileName = `it's "a" $(touch x) \`b\`.jpg`;
  const words = codeOf('curl', { ...CALL, fileName }).replace('curl', "printf '%s\\n'");
  expect(execFileSync('sh', ['-c', words], { encoding: 'utf8' }).split('\n')).toContain(`@${fileName}`);
  for (const name of ['fetch', 'Python', 'Hugging Face']) {
    expect(codeOf(name, { ...CALL, fileName })).toContain(JSON.stringify(fileName));
  }
});
