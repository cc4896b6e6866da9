/** What travels between GPU workers, routes, the board and jobs. JSON-safe. */

/** A chunk that a worker holds, as the board knows it. */
export interface HeldChunk {
  readonly lease: string;
  readonly job: string;
  readonly chunk: number;
  /** 1 for the first worker that holds it. */
  readonly attempt: number;
}

/** Why a worker gives a chunk back. */
export const RELEASE_REASONS = ['stopping', 'leftover', 'unable'] as const;
/**
 * `stopping`: another worker may take it at once. `leftover`: items are left whose errors may pass; it waits a while. `unable`: no
 * worker of this kind can answer what is left; the edge does, where it may.
 */
export type ReleaseReason = (typeof RELEASE_REASONS)[number];

/** What a worker says of one item; the job makes the result line of it. */
export type WorkOutcome =
  | { readonly index: number; readonly status: 'succeeded'; readonly answer: WorkAnswer }
  | {
      readonly index: number;
      readonly status: 'failed' | 'retry';
      readonly error: { readonly code: string; readonly message: string };
    };

/** The answer to one item, by the task of its job. */
export type WorkAnswer =
  | {
      readonly predictions: readonly { readonly label: string; readonly score: number; readonly index: number }[];
    }
  /** `embedding`: little-endian float32 in base64. */
  | { readonly embedding: string; readonly dimensions: number };

/** What a job says to a report. */
export type RecordedWork =
  | {
      /** True where the job is over, and the chunk of no use any more. */
      readonly over: boolean;
      /** Items of the chunk that have no outcome yet. */
      readonly pending: number;
    }
  /** The first item whose answer is not one to the job's task. */
  | { readonly unfit: number };
