/** What the worker's thread and its decoding threads say to each other. Buffers are transferred, not copied. */
import type { ImageLimits } from '../../worker/imaging/limits.ts';
import type { ProcessorConfig } from '../../worker/preprocess/config.ts';

/** An encoded image, and how it is made ready. */
export interface DecodeRequest {
  readonly id: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly processor: ProcessorConfig;
  readonly exact: boolean;
  readonly limits: ImageLimits;
}

/** RGB8, `[height, width, 3]`. */
export interface DecodedPicture {
  readonly rgb8: Uint8Array<ArrayBuffer>;
  readonly height: number;
  readonly width: number;
}

/** The answer to the request of that number. */
export type DecodeReply =
  | { readonly id: number; readonly picture: DecodedPicture }
  | { readonly id: number; readonly code: string; readonly message: string };
