/**
 * Checks that a scan can be decoded at all, and how much it holds.
 */
import { corrupt } from './failures.ts';
import { checkHuffmanSpec, type HuffmanSpec } from './huffman-table.ts';
import type { Layout } from './layout.ts';
import type { Scan } from './marker-reader.ts';

/** Most blocks that an MCU may have (ITU-T T.81 B.2.3). */
const MAX_MCU_BLOCKS = 10;

/** The table, or the error that there is none. */
export function requireHuffmanSpec(spec: HuffmanSpec | undefined): HuffmanSpec {
  if (spec === undefined) throw corrupt('scan uses a Huffman table that is not defined');
  return spec;
}

/** The table, or the error that there is none. */
export function requireQuantTable(table: Uint16Array | undefined): Uint16Array {
  if (table === undefined) throw corrupt('scan uses a quantization table that is not defined');
  return table;
}

/**
 * Counts the blocks of a scan's MCU.
 *
 * @throws ImageError `corrupt_image` where there are more than 10
 */
export function mcuBlocks(scan: Scan, layout: Layout): number {
  if (scan.components.length === 1) return 1;
  let blocks = 0;
  for (const { index } of scan.components) {
    const { horizontal, vertical } = layout.components[index]!;
    blocks += horizontal * vertical;
  }
  if (blocks > MAX_MCU_BLOCKS) throw corrupt(`MCU has ${blocks} blocks; ${MAX_MCU_BLOCKS} are possible`);
  return blocks;
}

/** Counts the MCUs of a scan (ITU-T T.81 A.2). */
export function mcuCount(scan: Scan, layout: Layout): number {
  if (scan.components.length > 1) return layout.mcusPerRow * layout.mcuRows;
  const { widthInBlocks, heightInBlocks } = layout.components[scan.components[0]!.index]!;
  return widthInBlocks * heightInBlocks;
}

/** What a scan holds of its blocks. */
export type ScanKind = 'sequential' | 'dc-first' | 'dc-refine' | 'ac-first' | 'ac-refine';

/** Tells what a scan holds. */
export function scanKind(scan: Scan, progressive: boolean): ScanKind {
  if (!progressive) return 'sequential';
  if (scan.spectralStart === 0) return scan.approxHigh === 0 ? 'dc-first' : 'dc-refine';
  return scan.approxHigh === 0 ? 'ac-first' : 'ac-refine';
}

/** True where a scan of this kind uses DC tables. */
export function usesDcTables(kind: ScanKind): boolean {
  return kind === 'sequential' || kind === 'dc-first';
}

/** True where a scan of this kind uses AC tables. */
export function usesAcTables(kind: ScanKind): boolean {
  return kind === 'sequential' || kind === 'ac-first' || kind === 'ac-refine';
}

/**
 * Checks the Huffman tables of a scan, which may turn out not to be decoded at all.
 *
 * @throws ImageError `corrupt_image` where one is missing or is no prefix code
 */
export function checkScanTables(scan: Scan, kind: ScanKind): void {
  for (const { dcSpec, acSpec } of scan.components) {
    if (usesDcTables(kind)) checkHuffmanSpec(requireHuffmanSpec(dcSpec), true);
    if (usesAcTables(kind)) checkHuffmanSpec(requireHuffmanSpec(acSpec), false);
  }
}
