/** One run on a picture before a version is imported or published: what cannot answer is refused, with the numbers. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest, VariantName } from '../../../model-store/manifest.ts';
import { ModelError } from '../../../worker/errors.ts';
import { checkAnswer } from '../../../worker/inference/check-answer.ts';
import type { Tensor } from '../../../worker/inference/inference-session.ts';
import { parseProcessorConfig } from '../../../worker/preprocess/config.ts';
import { preprocess, preprocessToRgb8 } from '../../../worker/preprocess/preprocess.ts';

const PICTURE = new URL('../../../examples/lemon.png', import.meta.url);

interface Size {
  readonly height: number;
  readonly width: number;
}

/**
 * What a variant is tried on: examples/lemon.png through the version's own processor; noise for a network that reads no colours, or
 * if the processor makes images of another size.
 * @param size of the image.
 */
export async function trialInput(
  folder: string,
  manifest: Manifest,
  name: VariantName,
  { height, width }: Size,
): Promise<Tensor> {
  const { dtype, shape } = manifest.variants[name]!.inputs[0]!;
  const picture = await readFile(PICTURE);
  const text = await readFile(join(folder, manifest.preprocessor.path), 'utf8');
  const processor = parseProcessorConfig(JSON.parse(text));
  if (dtype === 'uint8') {
    const image = await preprocessToRgb8(picture, processor);
    const fits = image.height === height && image.width === width;
    const data = fits ? image.rgb8 : new Uint8Array(height * width * 3).map((_, i) => noise(i) >>> 24);
    return { type: 'uint8', shape: [1, height, width, 3], data };
  }
  const channels = Number(shape[1]);
  const values = { type: 'float32', shape: [1, channels, height, width] } as const;
  if (channels === 3) {
    const image = await preprocess(picture, processor);
    if (image.height === height && image.width === width) return { ...values, data: image.pixelValues };
  }
  return { ...values, data: new Float32Array(channels * height * width).map((_, i) => noise(i) / 2 ** 31 - 1) };
}

function noise(index: number): number {
  return (index * 2654435761) >>> 0;
}

/**
 * Holds what a variant gave for one image against what the manifest promises.
 * @throws ModelError `model_failed` with the numbers: another shape, another number of logits, numbers that are not finite.
 */
export function checkTrial(manifest: Manifest, name: VariantName, outputs: ReadonlyMap<string, Tensor>): void {
  const id = `${manifest.name}@${manifest.version}`;
  for (const { name: output, shape } of manifest.variants[name]!.outputs) {
    const tensor = outputs.get(output);
    if (tensor === undefined) continue;
    const expected = [1, ...shape.slice(1)];
    const fits =
      tensor.shape.length === expected.length &&
      expected.every((size, axis) => typeof size === 'string' || size === tensor.shape[axis]);
    if (!fits) {
      throw new ModelError(
        'model_failed',
        `${id} gave "${output}" [${tensor.shape}]; its manifest says [${expected}]`,
        {
          details: { model: id, output },
        },
      );
    }
  }
  checkAnswer({ manifest, labels: { length: manifest.num_labels } }, outputs);
}
