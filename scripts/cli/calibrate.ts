/**
 * Calibration: runs the fp32 graph on images in onnxruntime-web and keeps what quantization needs to know.
 * `node scripts/cli/calibrate.ts CHECKPOINT IMAGES OUT.json` does it for a checkpoint's folder.
 */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as ort from 'onnxruntime-web';
import type { Checkpoint } from '../../model-store/build/checkpoint/checkpoint.ts';
import { readCheckpoint } from '../../model-store/build/checkpoint/read-checkpoint.ts';
import { SAFETENSORS_FILE } from '../../model-store/build/checkpoint/weight-files.ts';
import type { SpatialSize } from '../../model-store/build/graph/padding.ts';
import { buildCalibrationGraph } from '../../model-store/build/quantize/build-int8.ts';
import { type Calibration, Calibrator } from '../../model-store/build/quantize/calibration.ts';
import { memoryDirectory } from '../../model-store/checkpoint-directory.ts';
import { AppError, ModelError } from '../../worker/errors.ts';
import { parseProcessorConfig } from '../../worker/preprocess/config.ts';
import { preprocess } from '../../worker/preprocess/preprocess.ts';
import { readBytes } from './files/read-file.ts';
import { fixedImageSize } from './image-size.ts';

/** One preprocessed image: pixel values [channels, height, width]. */
type CalibrationImages = AsyncIterable<Float32Array> | Iterable<Float32Array>;

/**
 * Runs a checkpoint on images and collects its activations' statistics.
 * @param images at least one; a hundred or two are plenty.
 * @throws ModelError `invalid_checkpoint` where there is no image.
 */
export async function calibrate(
  checkpoint: Checkpoint,
  imageSize: SpatialSize,
  images: CalibrationImages,
): Promise<Calibration> {
  const graph = buildCalibrationGraph(checkpoint, imageSize);
  const calibrator = new Calibrator();
  const shape = [1, checkpoint.config.numChannels, imageSize.height, imageSize.width];
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(graph.model, { executionProviders: ['wasm'] });
  let count = 0;
  try {
    for await (const pixelValues of images) {
      const results = await session.run({ [graph.input]: new ort.Tensor('float32', pixelValues, shape) });
      for (const site of graph.sites) {
        const result = results[site];
        if (result === undefined) calibrator.add(site, shape, pixelValues);
        else calibrator.add(site, result.dims, result.data as Float32Array);
        result?.dispose();
      }
      calibrator.countImages(1);
      count++;
    }
  } finally {
    await session.release();
  }
  if (count === 0) throw new ModelError('invalid_checkpoint', 'calibration needs at least one image; there is none');
  return calibrator.finish();
}

/**
 * The pixel values of a folder's images, in the order of their names.
 * @throws ImageError naming the file that cannot be decoded.
 */
async function* preprocessFolder(folder: string, preprocessor: unknown): AsyncGenerator<Float32Array> {
  const config = parseProcessorConfig(preprocessor);
  for (const name of (await readdir(folder)).sort()) {
    const bytes = await readBytes(join(folder, name));
    try {
      yield (await preprocess(bytes, config, { exact: true })).pixelValues;
    } catch (cause) {
      if (cause instanceof AppError) cause.message = `${name}: ${cause.message}`;
      throw cause;
    }
  }
}

async function main([model, images, out]: readonly string[]): Promise<number> {
  if (model === undefined || images === undefined || out === undefined) {
    process.stderr.write('usage: node scripts/cli/calibrate.ts CHECKPOINT IMAGES OUT.json\n');
    return 2;
  }
  const files: Record<string, Uint8Array> = {};
  for (const name of ['config.json', 'preprocessor_config.json', SAFETENSORS_FILE]) {
    files[name] = await readBytes(join(model, name));
  }
  const { checkpoint, preprocessor } = await readCheckpoint(memoryDirectory(files), null);
  const imageSize = fixedImageSize(parseProcessorConfig(preprocessor));
  if (imageSize === null) throw new ModelError('invalid_model_config', 'the processor makes images of any size');
  const calibration = await calibrate(checkpoint, imageSize, preprocessFolder(images, preprocessor));
  await writeFile(out, formatCalibration(calibration));
  return 0;
}

/** The text of calibration.json: one line a site. */
function formatCalibration({ schema_version, images, sites }: Calibration): string {
  const lines = Object.entries(sites).map(([name, site]) => `    ${JSON.stringify(name)}: ${JSON.stringify(site)}`);
  return `{\n  "schema_version": ${schema_version},\n  "images": ${images},\n  "sites": {\n${lines.join(',\n')}\n  }\n}\n`;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
