/** Decodes one input in one way, and holds the decoder to its contract. */
import { AppError, type ErrorCode } from '../../worker/errors.ts';
import { decodeRows, estimateDecodeBytes, readInfo } from '../../worker/imaging/decode.ts';
import type { ImageInfo, RowSink, ScaleDenominator } from '../../worker/imaging/image.ts';
import { checkLimits, DEFAULT_LIMITS, type ImageLimits } from '../../worker/imaging/limits.ts';
import { parseProcessorConfig } from '../../worker/preprocess/config.ts';
import { planPreprocess } from '../../worker/preprocess/plan.ts';
import { preprocess } from '../../worker/preprocess/preprocess.ts';
import type { Random } from './random.ts';

/** How an input is decoded. */
export interface Choices {
  readonly scaleDenominator: ScaleDenominator;
  readonly allowTruncated: boolean;
  /** True: the limits of production. False: 1 MP, so that most inputs are quick. */
  readonly fullLimits: boolean;
  /** True: through `preprocess`, so that the resizer runs too. */
  readonly preprocess: boolean;
  readonly exact: boolean;
  readonly resample: number;
  readonly sizePx: number;
  readonly cropPx: number;
}

/** What became of an input. */
export interface Outcome {
  /** Null where the input was decoded. */
  readonly refused: ErrorCode | null;
}

/** A decoder that broke its contract without throwing. */
export class ContractError extends Error {}

const SMALL_LIMITS: ImageLimits = { ...DEFAULT_LIMITS, maxPixels: 1_000_000 };

/** Allocations that estimates, being of peaks, need not count: small tables that come and go. */
const UNCOUNTED_BYTES = 256 * 1024;

/** Chooses at random. */
export function chooseDecoding(random: Random): Choices {
  return {
    scaleDenominator: random.pick([1, 1, 2, 4, 8]),
    allowTruncated: random.chance(0.5),
    fullLimits: random.chance(0.05),
    preprocess: random.chance(0.3),
    exact: random.chance(0.5),
    resample: random.below(6),
    sizePx: random.pick([1, 7, 24, 100]),
    cropPx: random.pick([1, 16, 100]),
  };
}

/** Checks that rows come in order, each once, inside their buffer, in the announced size. */
class CheckingSink implements RowSink {
  readonly #width: number;
  readonly #height: number;
  #started = false;
  #next = 0;

  constructor(info: ImageInfo, denominator: number) {
    this.#width = Math.ceil(info.storedWidth / denominator);
    this.#height = Math.ceil(info.storedHeight / denominator);
  }

  start(width: number, height: number): void {
    if (this.#started) throw new ContractError('start() was called twice');
    this.#started = true;
    if (width !== this.#width || height !== this.#height) {
      throw new ContractError(`decodes to ${width}x${height}, announced ${this.#width}x${this.#height}`);
    }
  }

  rows(data: Uint8Array, offset: number, y: number, count: number): void {
    if (!this.#started) throw new ContractError('rows before start()');
    if (y !== this.#next || count < 1) throw new ContractError(`rows ${y}+${count} where row ${this.#next} was due`);
    this.#next += count;
    if (this.#next > this.#height) throw new ContractError(`row ${this.#next - 1} of ${this.#height}`);
    if (offset < 0 || offset + count * this.#width * 3 > data.length)
      throw new ContractError('rows outside their buffer');
  }

  finish(): void {
    if (this.#next !== this.#height) throw new ContractError(`${this.#next} rows of ${this.#height}, and no error`);
  }
}

/** Runs `work`, and throws `ContractError` where it allocated more than `estimate` bytes of array buffers. */
async function withinEstimate(estimate: number, work: () => Promise<unknown>): Promise<void> {
  const before = process.memoryUsage().arrayBuffers;
  const error: unknown = await work().then(
    () => null,
    (reason: unknown) => reason,
  );
  // A collection in between can hide an excess, never make one up.
  const allocated = process.memoryUsage().arrayBuffers - before;
  if (allocated > estimate + UNCOUNTED_BYTES) {
    throw new ContractError(`allocated ${allocated} bytes, estimated ${estimate}`);
  }
  if (error !== null) throw error;
}

async function decodeToRows(bytes: Uint8Array, choices: Choices, limits: ImageLimits): Promise<void> {
  const info = readInfo(bytes);
  const scaleDenominator = info.format === 'jpeg' ? choices.scaleDenominator : 1;
  const options = { scaleDenominator, allowTruncated: choices.allowTruncated };
  const estimate = estimateDecodeBytes(bytes, options);
  checkLimits(info, bytes.length, estimate, limits);
  const sink = new CheckingSink(info, scaleDenominator);
  await withinEstimate(estimate, () => decodeRows(bytes, sink, options));
  sink.finish();
}

async function decodeToPixelValues(bytes: Uint8Array, choices: Choices, limits: ImageLimits): Promise<void> {
  const { exact, allowTruncated, sizePx, cropPx, resample } = choices;
  const config = parseProcessorConfig({ size: sizePx, crop_size: cropPx, resample });
  const plan = planPreprocess(readInfo(bytes), config, { exact });
  const decoding = estimateDecodeBytes(bytes, { scaleDenominator: plan.scaleDenominator, allowTruncated });
  const estimate = decoding + plan.resizeBytes + plan.pixelValuesBytes;
  await withinEstimate(estimate, () => preprocess(bytes, config, { exact, allowTruncated, limits }));
}

/**
 * Decodes an input. An `AppError` is an outcome; anything else that is thrown is the decoder's failure and passes
 * through, as does `ContractError`.
 */
export async function exercise(bytes: Uint8Array, choices: Choices): Promise<Outcome> {
  try {
    const limits = choices.fullLimits ? DEFAULT_LIMITS : SMALL_LIMITS;
    if (choices.preprocess) await decodeToPixelValues(bytes, choices, limits);
    else await decodeToRows(bytes, choices, limits);
    return { refused: null };
  } catch (error) {
    if (error instanceof AppError && error.code !== 'internal_error') return { refused: error.code };
    throw error;
  }
}
