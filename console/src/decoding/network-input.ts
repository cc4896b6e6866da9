/** Asks the decode worker what the network sees of a picture. */
import type { ImageInfo } from '../../../worker/imaging/image.ts';

/** A part of a picture, in fractions of its width and height. */
export interface Fraction {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** What the network sees, and how it came to be. */
export interface NetworkInput {
  readonly info: ImageInfo;
  /** A JPEG is decoded at 1/n of its size. */
  readonly scaleDenominator: number;
  /** Size after the resize, before the crop, in px. */
  readonly resized: { readonly width: number; readonly height: number };
  /** What the crop keeps of the upright picture. */
  readonly crop: Fraction;
  readonly width: number;
  readonly height: number;
  /** RGB8, `[height, width, 3]`. */
  readonly rgb8: Uint8Array<ArrayBuffer>;
}

export interface DecodeRequest {
  readonly id: number;
  readonly bytes: ArrayBuffer;
  readonly preprocessor: unknown;
  readonly exact: boolean;
}

export type DecodeReply =
  | { readonly id: number; readonly input: NetworkInput }
  | { readonly id: number; readonly code: string; readonly detail: string };

/** Path of the worker's script; the build fills it in. */
declare const DECODER_PATH: string;

interface Waiting {
  resolve(input: NetworkInput): void;
  reject(error: Error): void;
}

let worker: Worker | null = null;
let lastId = 0;
const waiting = new Map<number, Waiting>();

/**
 * Decodes and preprocesses a picture as the deployment does.
 * @param preprocessor BitImageProcessor's options.
 * @throws Error with the code and detail that the deployment would answer with.
 */
export async function readNetworkInput(picture: Blob, preprocessor: unknown, exact: boolean): Promise<NetworkInput> {
  worker ??= startWorker();
  const started = worker;
  const bytes = await picture.arrayBuffer();
  lastId++;
  const id = lastId;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    started.postMessage({ id, bytes, preprocessor, exact } satisfies DecodeRequest, [bytes]);
  });
}

function startWorker(): Worker {
  const started = new Worker(DECODER_PATH, { type: 'module' });
  started.addEventListener('message', ({ data }: MessageEvent<DecodeReply>) => {
    const { resolve, reject } = waiting.get(data.id)!;
    waiting.delete(data.id);
    if ('input' in data) resolve(data.input);
    else reject(new Error(`${data.code}: ${data.detail}`));
  });
  started.addEventListener('error', () => {
    worker = null;
    for (const { reject } of waiting.values()) reject(new Error('the decoder could not be started'));
    waiting.clear();
  });
  return started;
}
