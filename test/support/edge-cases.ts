/** The files that scripts/goldens/images.py makes. No Node in here: workerd decodes them too. */
import edgeCases from '../fixtures/images/edge-cases.json' with { type: 'json' };

/** One file and what Pillow makes of it. */
export interface EdgeCase {
  readonly name: string;
  readonly base64: string;
  /** A run of zeros that was taken out. */
  readonly zeros?: { readonly at: number; readonly count: number };
  readonly width?: number;
  readonly height?: number;
  /** Of Pillow's picture. */
  readonly sha256_rgb?: string;
  /** The deliberate difference that makes ours another picture, and that one. */
  readonly difference?: string;
  readonly sha256_ours?: string;
  /** The error's code, where Pillow refuses the file. */
  readonly error?: string;
  /** Decodes so only where what is missing may be filled. */
  readonly allow_truncated?: boolean;
}

/** All of them. */
export const EDGE_CASES: readonly EdgeCase[] = edgeCases.cases;

/** The file's bytes. */
export function edgeCaseBytes({ base64, zeros = { at: 0, count: 0 } }: EdgeCase): Uint8Array<ArrayBuffer> {
  const kept = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const bytes = new Uint8Array(kept.length + zeros.count);
  bytes.set(kept.subarray(0, zeros.at));
  bytes.set(kept.subarray(zeros.at), zeros.at + zeros.count);
  return bytes;
}
