/**
 * Runs the worker's own decoder and preprocessor in the browser, off the main thread: what the network sees, pixel for pixel,
 * without asking the deployment.
 */
import { AppError } from '../../../worker/errors.ts';
import { readInfo } from '../../../worker/imaging/decode.ts';
import { parseProcessorConfig } from '../../../worker/preprocess/config.ts';
import { planPreprocess } from '../../../worker/preprocess/plan.ts';
import { preprocessToRgb8 } from '../../../worker/preprocess/preprocess.ts';
import type { DecodeReply, DecodeRequest, NetworkInput } from './network-input.ts';

addEventListener('message', (event: MessageEvent<DecodeRequest>) => {
  const { id } = event.data;
  answer(event.data).then(
    (input) => postMessage({ id, input } satisfies DecodeReply),
    (error: unknown) => postMessage({ id, ...reasonOf(error) } satisfies DecodeReply),
  );
});

async function answer({ bytes, preprocessor, exact }: DecodeRequest): Promise<NetworkInput> {
  const config = parseProcessorConfig(preprocessor);
  const picture = new Uint8Array(bytes);
  const info = readInfo(picture);
  const { scaleDenominator, resized, cropX, cropY } = planPreprocess(info, config, { exact });
  const { rgb8, width, height } = await preprocessToRgb8(picture, config, { exact });
  const crop = {
    left: Math.max(0, cropX.start) / resized.width,
    top: Math.max(0, cropY.start) / resized.height,
    width: cropX.count / resized.width,
    height: cropY.count / resized.height,
  };
  return { info, scaleDenominator, resized, crop, width, height, rgb8: new Uint8Array(rgb8) };
}

function reasonOf(error: unknown): { readonly code: string; readonly detail: string } {
  if (error instanceof AppError) return { code: error.code, detail: error.message };
  return { code: 'internal_error', detail: String(error) };
}
