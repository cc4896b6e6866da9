/** What travels between routes and a head's Durable Object. JSON-safe but for bytes. */
import type { ErrorCode } from '../errors.ts';
import type { HeadAlias, HeadVersion } from './layout.ts';
import type { HeadReport } from './math/report.ts';
import type { TrainingOptions } from './math/train.ts';

/** When the alias `latest` moves to a new version. */
export const PROMOTIONS = ['always', 'if_better', 'never'] as const;
export type Promotion = (typeof PROMOTIONS)[number];

/** Where an example came from. */
export type ExampleSource =
  | { readonly kind: 'upload'; readonly name: string | null }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'r2'; readonly bucket: string; readonly key: string }
  | { readonly kind: 'embedding' };

/** What a head is made with. */
export interface HeadSettings {
  readonly name: string;
  readonly owner: string;
  readonly backbone: { readonly name: string; readonly version: string };
  readonly training: TrainingOptions;
  readonly multiLabel: boolean;
  readonly promotion: Promotion;
  /** How far the estimate may fall before `if_better` keeps the old version. */
  readonly promotionMargin: number;
  /** True: pictures are kept beside their embeddings. */
  readonly keepPictures: boolean;
  readonly createdAtMs: number;
  /** Values of the backbone's embedding. */
  readonly dimensions: number;
  /** Of the request that made it, so that it can be sent again. */
  readonly idempotencyKey: string | null;
}

/** An example that is added: with its embedding, or to be embedded. */
export interface NewExample {
  /** SHA-256 of the picture, of the embedding's bytes, or of where the picture is, in hex. */
  readonly sha256: string;
  readonly labels: readonly string[];
  readonly source: ExampleSource;
  /** Little-endian float32; null: to be embedded. */
  readonly embedding: Uint8Array | null;
  /** The picture is at its key in the bucket. */
  readonly stored: boolean;
}

/** Where an example is. */
export type ExampleState = 'pending' | 'ready' | 'failed';

/** An example, as it is listed. */
export interface ExampleRecord {
  readonly id: string;
  readonly labels: readonly string[];
  readonly sha256: string;
  readonly source: ExampleSource;
  readonly state: ExampleState;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly createdAtMs: number;
}

/** A page of examples. */
export interface ExamplePage {
  readonly examples: readonly ExampleRecord[];
  readonly cursor: string | null;
}

/** What a head is doing. `stale`: its examples changed, and the next version is on its way. */
export type HeadState = 'empty' | 'embedding' | 'stale' | 'ready' | 'failed';

/** Where a head is. */
export interface HeadStatus {
  readonly settings: HeadSettings;
  readonly state: HeadState;
  readonly counts: { readonly pending: number; readonly ready: number; readonly failed: number };
  readonly classes: readonly { readonly label: string; readonly examples: number }[];
  readonly aliases: Readonly<Record<string, HeadAlias>>;
  readonly versions: readonly HeadVersion[];
  readonly grants: readonly string[];
  /** Why the last training failed; null where it did not. */
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
}

/** What adding did. */
export interface Added {
  readonly added: number;
  /** Examples that were there already. */
  readonly known: number;
  readonly ids: readonly string[];
}

/** An answer that is an error of the caller's. */
export interface Refusal {
  readonly refused: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly details?: Readonly<Record<string, string | number>>;
  };
}

/** True for a refusal. */
export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'refused' in value;
}

/** A version's report, with what it is of. */
export type StoredReport = HeadReport & { readonly version: string };
