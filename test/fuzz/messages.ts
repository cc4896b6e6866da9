/** What the fuzzing thread is given, and what it reports. */
import type { ImageFormat } from '../../worker/imaging/image.ts';
import type { Choices } from './exercise.ts';

/** The thread's work: inputs `from .. to - 1`. */
export interface FuzzTask {
  readonly format: ImageFormat;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  /** True: seeds from the shared corpora too. */
  readonly corpora: boolean;
  /** Two numbers: the input being worked on, and the inputs done. */
  readonly progress: SharedArrayBuffer;
}

/** An input that broke a rule. */
export interface Failure {
  readonly kind: 'crash' | 'contract' | 'slow' | 'hang' | 'memory';
  readonly index: number;
  readonly message: string;
  readonly bytes: Uint8Array;
  readonly choices: Choices;
}

/** Sent every so often: what happened since the last one. */
export interface FuzzDelta {
  readonly decoded: number;
  /** Inputs by the error code that refused them. */
  readonly refused: Readonly<Record<string, number>>;
  readonly failures: readonly Failure[];
  readonly slowestMs: number;
  readonly slowestIndex: number;
}
