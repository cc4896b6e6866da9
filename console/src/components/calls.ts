/** The same call for other programs: text to copy. It names the key's variable, never the key. Pure. */

/** One call of `POST /v1/classify`. */
export interface Call {
  /** Of the deployment. */
  readonly origin: string;
  readonly model: string;
  readonly topK: number;
  /** Null: what the model was trained for. */
  readonly functionToApply: 'softmax' | 'sigmoid' | null;
  readonly exact: boolean;
  readonly fileName: string;
  /** Whether the deployment asks for a key. */
  readonly needsKey: boolean;
}

/** A program in one language. */
export interface Snippet {
  readonly name: string;
  readonly code: string;
}

const DEFAULT_TOP_K = 5;

/** The call in each language. */
export function snippetsOf(call: Call): readonly Snippet[] {
  const url = `${call.origin}/v1/classify?${queryOf(call)}`;
  const file = shellWord(call.fileName);
  const text = (value: string): string => JSON.stringify(value);
  const [name = ''] = call.model.split('@');
  const curl = [
    `curl ${shellWord(url)}`,
    ...(call.needsKey ? ['  -H "Authorization: Bearer $BIT_EDGE_KEY"'] : []),
    `  --data-binary @${file}`,
  ].join(' \\\n');
  const headers = call.needsKey ? "\n  headers: { authorization: 'Bearer ' + process.env.BIT_EDGE_KEY }," : '';
  const fetchCode = `import { readFile } from 'node:fs/promises';

const response = await fetch(${text(url)}, {
  method: 'POST',${headers}
  body: await readFile(${text(call.fileName)}),
});
const { predictions } = await response.json();
console.log(predictions);`;
  const pythonHeaders = call.needsKey
    ? '\n    headers={"Authorization": f"Bearer {os.environ[\'BIT_EDGE_KEY\']}"},'
    : '';
  const python = `${call.needsKey ? 'import os\n' : ''}import requests

response = requests.post(
    ${text(url)},${pythonHeaders}
    data=open(${text(call.fileName)}, "rb"),
)
print(response.json()["predictions"])`;
  const token = call.needsKey ? 'process.env.BIT_EDGE_KEY' : '';
  const huggingFace = `import { openAsBlob } from 'node:fs';
import { InferenceClient } from '@huggingface/inference';

const client = new InferenceClient(${token}).endpoint(${text(`${call.origin}/models/${name}`)});
console.log(await client.imageClassification({ data: await openAsBlob(${text(call.fileName)}) }));`;
  return [
    { name: 'curl', code: curl },
    { name: 'fetch', code: fetchCode },
    { name: 'Python', code: python },
    { name: 'Hugging Face', code: huggingFace },
  ];
}

function queryOf({ model, topK, functionToApply, exact }: Call): string {
  const query = new URLSearchParams();
  query.set('model', model);
  if (topK !== DEFAULT_TOP_K) query.set('top_k', String(topK));
  if (functionToApply !== null) query.set('function_to_apply', functionToApply);
  if (exact) query.set('exact', 'true');
  // An @ needs no escape in a query, and reads better without one.
  return query.toString().replaceAll('%40', '@');
}

/** Quoted for a POSIX shell where it must be. */
export function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
