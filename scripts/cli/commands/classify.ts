/** `bit-edge classify`: labels of image files, without a server; the worker's own code in Node. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { AppError } from '../../../worker/errors.ts';
import { ensureDefaultModel } from '../default-model.ts';
import { openLocalModel } from '../local-model.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge classify [--model DIR] [--top-k 5] [--function softmax|sigmoid|none] [--fast] FILE...

Prints one JSON line a file: {file, predictions: [{label, score, index}], image}, or {file, error: {code, message}}.
  --model DIR   a version's folder, as "bit-edge import" writes it. Default: the default model, built when it is not there yet.
  --function F  what makes scores of logits. Default: the model's.
  --fast        decode large JPEGs scaled down, as the worker does by default.
Exit code 0 where every file was classified.
`;

const functionSchema = z.enum(['softmax', 'sigmoid', 'none']);

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      model: { type: 'string' },
      'top-k': { type: 'string', default: '5' },
      function: { type: 'string' },
      fast: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const topK = Number(values['top-k']);
  const functionToApply = functionSchema.optional().safeParse(values.function);
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (positionals.length === 0 || !Number.isInteger(topK) || topK < 1 || !functionToApply.success) {
    process.stderr.write(HELP);
    return 2;
  }
  const { classifier, reference } = await openLocalModel(values.model ?? (await ensureDefaultModel()).directory);
  let failed = 0;
  for (const file of positionals) {
    try {
      const bytes = new Uint8Array(await readFile(file));
      const options = { topK, functionToApply: functionToApply.data, exact: !values.fast };
      const { predictions, image } = await classifier.classify(bytes, reference, options, () => {});
      const { format, width, height } = image;
      process.stdout.write(`${JSON.stringify({ file, predictions, image: { format, width, height } })}\n`);
    } catch (error) {
      failed++;
      const code = error instanceof AppError ? error.code : 'unreadable_file';
      const message = error instanceof Error ? error.message : String(error);
      process.stdout.write(`${JSON.stringify({ file, error: { code, message } })}\n`);
    }
  }
  return failed === 0 ? 0 : 1;
}
