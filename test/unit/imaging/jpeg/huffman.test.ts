import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../../worker/errors.ts';
import { BitWindow } from '../../../../worker/imaging/jpeg/bit-window.ts';
import {
  buildCodeLookup,
  buildHuffmanTable,
  checkHuffmanSpec,
  type HuffmanSpec,
} from '../../../../worker/imaging/jpeg/huffman-table.ts';
import { NATURAL_ORDER } from '../../../../worker/imaging/jpeg/markers.ts';
import { decodeBlock, OVERFLOWS } from '../../../../worker/imaging/jpeg/sequential.ts';
import { buildSkipTable, decodeDcOnly } from '../../../../worker/imaging/jpeg/skip-table.ts';
import { STANDARD_AC, STANDARD_DC } from '../../../../worker/imaging/jpeg/standard-tables.ts';

function spec(counts: readonly number[], symbols: readonly number[]): HuffmanSpec {
  const out = { counts: new Uint8Array(17), symbols: new Uint8Array(256) };
  out.counts.set(counts, 1);
  out.symbols.set(symbols);
  return out;
}

/** Codes by symbol, as ITU-T T.81 annex C assigns them. */
function codes({ counts, symbols }: HuffmanSpec): Map<number, string> {
  const out = new Map<number, string>();
  let code = 0;
  let index = 0;
  for (let length = 1; length <= 16; length++, code <<= 1) {
    for (let i = 0; i < counts[length]!; i++) out.set(symbols[index++]!, (code++).toString(2).padStart(length, '0'));
  }
  return out;
}

/** The bits that stand for a value: its own, or those of `value - 1` where it is negative (F.1.2.1). */
function valueBits(value: number): string {
  const size = 32 - Math.clz32(Math.abs(value));
  if (size === 0) return '';
  return ((value < 0 ? value - 1 : value) & ((1 << size) - 1)).toString(2).padStart(size, '0');
}

const DC = STANDARD_DC[0]!;
const AC = STANDARD_AC[0]!;
const dcTable = buildHuffmanTable(DC, true);
const acTable = buildHuffmanTable(AC, false);

function encode(zigzag: readonly number[]): string {
  const dc = codes(DC);
  const ac = codes(AC);
  let bits = dc.get(32 - Math.clz32(Math.abs(zigzag[0]!)))! + valueBits(zigzag[0]!);
  let run = 0;
  for (let k = 1; k < 64; k++) {
    const value = zigzag[k]!;
    if (value === 0) run++;
    else {
      for (; run > 15; run -= 16) bits += ac.get(0xf0)!;
      bits += ac.get((run << 4) | (32 - Math.clz32(Math.abs(value))))! + valueBits(value);
      run = 0;
    }
  }
  return run > 0 ? bits + ac.get(0)! : bits;
}

function windowOver(bits: string): BitWindow {
  const bytes: number[] = [];
  for (let at = 0; at < bits.length; at += 8) {
    const byte = Number.parseInt(bits.slice(at, at + 8).padEnd(8, '1'), 2);
    bytes.push(...(byte === 0xff ? [0xff, 0] : [byte]));
  }
  const window = new BitWindow(Uint8Array.from([...bytes, 0xff, 0xd9]), 1 << 16, 256);
  window.startSegment(0);
  window.prepare();
  return window;
}

/** Blocks of all kinds: empty, sparse, dense, ending at the last coefficient, with long zero runs and large values. */
function blocks(): number[][] {
  let state = 7;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % below;
  };
  return Array.from({ length: 300 }, (_, i) => {
    const block = new Array<number>(64).fill(0);
    block[0] = random(800) - 400;
    for (let n = [0, 1, 3, 12, 63][i % 5]!; n > 0; n--) {
      const value = random(i % 3 === 0 ? 1023 : 15) + 1;
      block[1 + random(63)] = random(2) === 0 ? value : -value;
    }
    if (i % 7 === 0) block[63] = 1;
    return block;
  });
}

describe('decodeBlock', () => {
  it('gives back what was encoded, dequantized and in natural order', () => {
    const all = blocks();
    const differences = all.map((block, i) => [block[0]! - (i === 0 ? 0 : all[i - 1]![0]!), ...block.slice(1)]);
    const window = windowOver(differences.map(encode).join(''));
    const quant = Int32Array.from({ length: 80 }, (_, k) => (k % 5) + 1);
    const predictors = new Int32Array(1);
    for (const expected of all) {
      const block = new Int16Array(72);
      const used = decodeBlock(window, dcTable, acTable, quant, NATURAL_ORDER, predictors, 0, block, 0);
      const zigzag = Array.from({ length: 64 }, (_, k) => block[NATURAL_ORDER[k]!]! / quant[k]!);
      expect(zigzag).toEqual(expected);
      let positions = 0;
      let magnitude = 0;
      expected.forEach((value, k) => {
        if (k > 0 && value !== 0) positions |= NATURAL_ORDER[k]!;
        magnitude += Math.abs(value * quant[k]!);
      });
      expect(used).toBe(magnitude > 5800 ? positions | OVERFLOWS : positions);
    }
    expect(window.exhausted()).toBe(false);
  });
});

describe('decodeDcOnly', () => {
  it('finds every block’s end and DC, whatever AC coefficients come between', () => {
    const all = blocks();
    const window = windowOver(all.map(encode).join(''));
    const skip = buildSkipTable(acTable);
    const predictors = new Int32Array(1);
    let sum = 0;
    for (const block of all) {
      sum += block[0]!;
      expect(decodeDcOnly(window, dcTable, acTable, skip, predictors, 0)).toBe((sum << 16) >> 16);
    }
  });
});

describe('buildCodeLookup', () => {
  it('resolves every code that fits, and no other', () => {
    const lookup = buildCodeLookup(AC);
    for (const [symbol, code] of codes(AC)) {
      const entry = lookup[Number.parseInt(code.slice(0, 10).padEnd(10, '0'), 2)]!;
      if (code.length <= 10) expect(entry).toBe((symbol << 8) | code.length);
      else expect(entry).toBe(0);
    }
  });
});

describe('checkHuffmanSpec', () => {
  it.each([
    ['a code of all ones', spec([2], [0, 1])],
    ['more codes than bits', spec([1, 3], [0, 1, 2, 3])],
    ['more than 256 codes', spec([0, 0, 0, 0, 0, 0, 0, 100, 157], [])],
  ])('refuses %s', (_what, bad) => {
    expect(() => checkHuffmanSpec(bad, false)).toThrow(ImageError);
  });

  it('refuses DC differences of more than 15 bits, but not such AC symbols', () => {
    expect(() => checkHuffmanSpec(spec([1], [16]), true)).toThrow(/16 bits/);
    expect(() => checkHuffmanSpec(spec([1], [16]), false)).not.toThrow();
    expect(() => checkHuffmanSpec(spec([1], [15]), true)).not.toThrow();
  });
});
