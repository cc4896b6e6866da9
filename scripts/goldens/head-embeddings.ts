/**
 * Embeddings for the goldens of heads: pooled outputs of the default model for a folder of pictures.
 *
 *     node_modules/.bin/node scripts/goldens/head-embeddings.ts ../shared/tiny-imagenet embeddings.bin
 *
 * Writes float32 little-endian `[pictures, dimensions]`, and `<out>.json`: `{dimensions, files: [{file, label}]}`.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { ensureDefaultModel } from '../cli/default-model.ts';
import { openLocalModel } from '../cli/local-model.ts';

const labelsSchema = z.object({ labels: z.array(z.string()), files: z.record(z.string(), z.int()) });

const [folder, out] = process.argv.slice(2);
if (folder === undefined || out === undefined) throw new Error('usage: head-embeddings.ts FOLDER OUT');
const { files } = labelsSchema.parse(JSON.parse(await readFile(join(folder, 'labels.json'), 'utf8')));
const { classifier, reference } = await openLocalModel((await ensureDefaultModel()).directory);
const rows: Float32Array[] = [];
const named: { file: string; label: number }[] = [];
for (const [file, label] of Object.entries(files)) {
  const bytes = new Uint8Array(await readFile(join(folder, file)));
  const { outputs } = await classifier.infer(bytes, reference, ['pooler_output'], { exact: true }, () => {});
  const output = outputs.get('pooler_output');
  if (output?.type !== 'float32') throw new Error(`${file}: no float32 embedding`);
  rows.push(output.data);
  named.push({ file, label });
}
const dimensions = rows[0]!.length;
const all = new Float32Array(rows.length * dimensions);
for (const [index, row] of rows.entries()) all.set(row, index * dimensions);
await writeFile(out, new Uint8Array(all.buffer));
await writeFile(`${out}.json`, JSON.stringify({ dimensions, files: named }));
