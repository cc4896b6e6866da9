/** `bit-edge verify`: an imported version against a reference's inputs and outputs. */
import { parseArgs } from 'node:util';
import { variantNameSchema } from '../../../model-store/manifest.ts';
import { readSafetensors } from '../../../model-store/safetensors.ts';
import { readManifestFile } from '../files/manifest-file.ts';
import { readBytes } from '../files/read-file.ts';
import { openVariant } from '../onnx/variant-runner.ts';
import { verifyVariant } from '../verify/verify-variant.ts';
import { wrongUsage } from './store-options.ts';

/** What fp32 may differ, relative to the tensor's largest magnitude. */
const FP32_TOLERANCE = 1e-4;

/** What `--help` prints. */
export const HELP = `usage: bit-edge verify OUT --against FILE.safetensors [--variant fp32] [--tolerance 1e-4]

Runs a version that "bit-edge import" wrote in onnxruntime-web, on the inputs in FILE, and compares its outputs with those in FILE.
Prints JSON: {variant, tolerance, passed, worst, tensors: {name: {shape, max_abs, relative, magnitude}}, not_run, not_in_variant}.
Cases of another size than a variant's fixed one are not run (int8 has the processor's size).
  --against FILE     tensors pixel_values[.CASE] (or image[.CASE], uint8, for variant gpu) and, for each CASE, any of
                     logits, pooler_output, last_hidden_state, hidden_states.N (0 the stem, N a stage).
  --variant NAME     fp32, int8 or gpu. Default: fp32
  --tolerance X      largest relative difference that passes. Default: ${FP32_TOLERANCE} for fp32, none for the others.
Exit codes: 0 passed, 1 not, 2 wrong usage.
`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      against: { type: 'string' },
      variant: { type: 'string', default: 'fp32' },
      tolerance: { type: 'string' },
      // What it prints is JSON anyway.
      json: { type: 'boolean', default: true },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [folder] = positionals;
  const variant = variantNameSchema.safeParse(values.variant);
  const tolerance = values.tolerance === undefined ? null : Number(values.tolerance);
  if (folder === undefined || positionals.length > 1) return wrongUsage('verify', 'one folder is needed', HELP);
  if (values.against === undefined) return wrongUsage('verify', '--against FILE is needed', HELP);
  if (!variant.success) return wrongUsage('verify', `--variant "${values.variant}": fp32, int8 or gpu`, HELP);
  if (tolerance !== null && !(tolerance >= 0)) return wrongUsage('verify', `--tolerance "${values.tolerance}"`, HELP);
  const { manifest } = await readManifestFile(folder);
  const reference = readSafetensors(await readBytes(values.against), values.against);
  const open = await openVariant(folder, manifest, variant.data);
  const result = verifyVariant(open, reference.tensors, values.against);
  const limit = tolerance ?? (variant.data === 'fp32' ? FP32_TOLERANCE : null);
  const passed = limit === null || result.worst.relative <= limit;
  const { tensors, ...summary } = result;
  process.stdout.write(`${JSON.stringify({ ...summary, tolerance: limit, passed, tensors }, null, 2)}\n`);
  return passed ? 0 : 1;
}
