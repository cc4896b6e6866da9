/**
 * A version's first answer, in a process of its own: `node scripts/cli/onnx/try-version.ts FOLDER VARIANT CHOICE`. What is
 * for a GPU runs in onnxruntime-node on this machine's processor; all else as in a worker.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadOnnxRuntime } from '../../../gpu-backend/onnxruntime.ts';
import { type Manifest, type VariantName, variantNameSchema } from '../../../model-store/manifest.ts';
import { readEngineChoice } from '../../../worker/config.ts';
import { AppError, ConfigurationError, ModelError } from '../../../worker/errors.ts';
import type { Tensor } from '../../../worker/inference/inference-session.ts';
import type { EngineChoice } from '../../../worker/inference/prepare-variant.ts';
import { runProgram } from '../../process/run-program.ts';
import { readManifestFile } from '../files/manifest-file.ts';
import { checkTrial, trialInput } from './trial.ts';
import { openAsWorker } from './variant-runner.ts';

/** The edge of an image where the processor leaves it open, in px. */
const FALLBACK_SIZE_PX = 224;

/** What the program prints: who ran it, what is wrong with it, or what this machine lacks to run it. */
type Printed = { readonly ran: string } | { readonly fault: string } | { readonly missing: string };

/**
 * Runs a version once on a picture.
 * @param folder its files and its manifest.
 * @param variant `gpu`, or the default variant.
 * @returns why it was not run: this machine has no onnxruntime-node; null if it was, and answered.
 * @throws ModelError `model_failed` where it does not run, or its answer cannot be one.
 */
export async function tryVersion(folder: string, variant: VariantName, choice: EngineChoice): Promise<string | null> {
  const args = [fileURLToPath(import.meta.url), folder, variant, choice];
  const { code, stdout, stderr } = await runProgram(args);
  if (code !== 0) {
    const reason = stderr.trim().split('\n').at(-1) || `its process ended with exit code ${code}`;
    throw new ModelError('model_failed', `${folder}: the variant ${variant} does not run: ${reason}`);
  }
  const printed = JSON.parse(stdout) as Printed;
  if ('fault' in printed) throw new ModelError('model_failed', printed.fault);
  return 'missing' in printed ? printed.missing : null;
}

async function attempt(folder: string, variant: VariantName, choice: EngineChoice): Promise<Printed> {
  const { manifest } = await readManifestFile(folder);
  const input = manifest.variants[variant]!.inputs[0]!;
  const [height, width] = input.dtype === 'uint8' ? input.shape.slice(1, 3) : input.shape.slice(2, 4);
  const edge = (size: number | string | undefined): number => (typeof size === 'number' ? size : FALLBACK_SIZE_PX);
  const size = { height: edge(height), width: edge(width) };
  const image = await trialInput(folder, manifest, variant, size);
  try {
    const isForGpu = variant === 'gpu';
    checkTrial(
      manifest,
      variant,
      isForGpu ? await runInNode(folder, manifest, image) : await runAsWorker(folder, manifest, image, choice),
    );
    return { ran: isForGpu ? 'onnxruntime-node' : 'worker' };
  } catch (error) {
    if (error instanceof ConfigurationError) return { missing: error.message };
    if (error instanceof AppError) return { fault: error.message };
    throw error;
  }
}

async function runAsWorker(
  folder: string,
  manifest: Manifest,
  image: Tensor,
  choice: EngineChoice,
): Promise<Map<string, Tensor>> {
  const { session } = await openAsWorker(folder, manifest, choice);
  const { inputs, outputs } = manifest.variants[manifest.default_variant]!;
  const names = outputs.map(({ name }) => name).filter((name) => name === 'logits' || name === 'pooler_output');
  return session.run(new Map([[inputs[0]!.name, image]]), names.length > 0 ? names : [outputs[0]!.name]);
}

/** @throws ConfigurationError where onnxruntime-node is not installed. */
async function runInNode(folder: string, manifest: Manifest, image: Tensor): Promise<Map<string, Tensor>> {
  const ort = loadOnnxRuntime();
  const { model, inputs } = manifest.variants.gpu!;
  const session = await ort.InferenceSession.create(join(folder, model.path), { executionProviders: ['cpu'] });
  const tensor = new ort.Tensor(image.type, image.data, image.shape);
  const results = await session.run({ [inputs[0]!.name]: tensor });
  return new Map(
    Object.entries(results).map(([name, { type, dims, data }]) => {
      if (type !== 'float32' || !(data instanceof Float32Array)) {
        throw new ModelError('model_failed', `${manifest.name}@${manifest.version} gave "${name}" as ${type}`);
      }
      return [name, { type, shape: dims, data }] as const;
    }),
  );
}

if (import.meta.main) {
  const [folder = '', variant = '', choice = ''] = process.argv.slice(2);
  try {
    const engine = readEngineChoice({ INFERENCE_ENGINE: choice });
    process.stdout.write(JSON.stringify(await attempt(folder, variantNameSchema.parse(variant), engine)));
  } catch (error) {
    process.stderr.write(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
