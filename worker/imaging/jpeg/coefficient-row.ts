/**
 * The coefficients of one component in one row of MCUs, and which of them are nonzero.
 */
import type { ComponentLayout } from './layout.ts';

/** Blocks row by row, padded to whole MCUs. */
export class CoefficientRow {
  /** 64 coefficients a block in zigzag order, not dequantized. */
  readonly coefficients: Int16Array;
  /**
   * Two words of 32 bits a block: bit `k` of the first stands for coefficient `k`, of the second for `32 + k`. AC only:
   * bit 0 means nothing.
   */
  readonly nonzero: Int32Array;

  constructor(component: ComponentLayout) {
    const blocks = blockCount(component);
    this.coefficients = new Int16Array(blocks * 64);
    this.nonzero = new Int32Array(blocks * 2);
  }

  /** Bytes that the row of a component allocates. */
  static bytes(component: ComponentLayout): number {
    return blockCount(component) * (64 * 2 + 2 * 4);
  }

  /** Sets all coefficients to zero. */
  clear(): void {
    this.coefficients.fill(0);
    this.nonzero.fill(0);
  }

  /** Finds the nonzero coefficients anew, after they were written without noting them. */
  findNonzero(): void {
    for (let b = 0; b < this.nonzero.length / 2; b++) this.findNonzeroOf(b);
  }

  /** Finds those of block `b`. */
  findNonzeroOf(b: number): void {
    const { coefficients, nonzero } = this;
    for (let word = 2 * b; word < 2 * b + 2; word++) {
      let found = 0;
      for (let k = 0; k < 32; k++) if (coefficients[word * 32 + k] !== 0) found |= 1 << k;
      nonzero[word] = found;
    }
  }
}

function blockCount(component: ComponentLayout): number {
  return component.paddedWidthInBlocks * component.vertical;
}
