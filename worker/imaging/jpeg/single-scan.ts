/**
 * Decoding of files whose one sequential scan holds every component: straight from bits to samples, a row of MCUs at a time.
 *
 * Source: libjpeg-turbo jdcoefct.c `decompress_onepass`.
 */
import { BLOCK_BUFFER_LENGTH, BlockBuffer, blockOrder, transformBlock, zigzagMultipliers } from './component-output.ts';
import { buildHuffmanTable, type HuffmanTable } from './huffman-table.ts';
import { idct1x1 } from './idct-reduced.ts';
import type { ComponentLayout, Layout } from './layout.ts';
import type { Scan } from './marker-reader.ts';
import type { Plane, RowOutput } from './row-output.ts';
import type { ScanReader } from './scan-reader.ts';
import { requireHuffmanSpec, requireQuantTable } from './scan-setup.ts';
import { decodeBlock } from './sequential.ts';
import { buildSkipTable, decodeDcOnly, SKIP_TABLE_BYTES } from './skip-table.ts';

/** What decoding one component takes. */
interface ComponentDecoder {
  readonly layout: ComponentLayout;
  readonly plane: Plane;
  readonly dcTable: HuffmanTable;
  readonly acTable: HuffmanTable;
  /** Only where the output needs DC alone. */
  readonly skip: Int16Array | undefined;
  readonly quant: Int32Array;
  readonly order: Uint8Array;
  /** Blocks of one MCU, each way: 1x1 in a scan of a single component. */
  readonly mcuWidth: number;
  readonly mcuHeight: number;
}

/** Decodes the scan and flushes every row of MCUs. */
export function decodeSingleScan(layout: Layout, scan: Scan, reader: ScanReader, output: RowOutput): void {
  const decoders = scan.components.map(({ index, dcSpec, acSpec, quantTable }): ComponentDecoder => {
    const component = layout.components[index]!;
    const acTable = buildHuffmanTable(requireHuffmanSpec(acSpec), false);
    const interleaved = scan.components.length > 1;
    return {
      layout: component,
      plane: output.planes[index]!,
      dcTable: buildHuffmanTable(requireHuffmanSpec(dcSpec), true),
      acTable,
      skip: component.blockSize === 1 ? buildSkipTable(acTable) : undefined,
      quant: zigzagMultipliers(requireQuantTable(quantTable)),
      order: blockOrder(component.blockSize),
      mcuWidth: interleaved ? component.horizontal : 1,
      mcuHeight: interleaved ? component.vertical : 1,
    };
  });
  const buffer = new BlockBuffer();
  const predictors = new Int32Array(decoders.length);
  let interval = 0;
  const single = decoders.length === 1 ? decoders[0]! : undefined;
  const mcusPerRow = single?.layout.widthInBlocks ?? layout.mcusPerRow;
  for (let mcuRow = 0; mcuRow < layout.mcuRows; mcuRow++) {
    // A component alone in its scan has one block an MCU, and as many rows of those as carry image.
    const blockRows = single === undefined ? 1 : Math.min(single.layout.vertical, remainingRows(single.layout, mcuRow));
    for (let blockRow = 0; blockRow < blockRows; blockRow++) {
      for (let mcu = 0; mcu < mcusPerRow; mcu++) {
        const hasData = reader.nextMcu();
        if (reader.interval !== interval) {
          interval = reader.interval;
          predictors.fill(0);
        }
        for (let c = 0; c < decoders.length; c++) {
          const decoder = decoders[c]!;
          if (hasData) decodeMcuBlocks(decoder, reader, predictors, c, buffer, mcuRow, mcu, blockRow);
          else fillMcuBlocks(decoder, mcu, blockRow);
        }
      }
    }
    output.flush(mcuRow);
  }
}

/** Bytes that `decodeSingleScan` allocates, apart from output and reader. */
export function singleScanBytes(scan: Scan, layout: Layout): number {
  const skips = scan.components.filter(({ index }) => layout.components[index]!.blockSize === 1).length;
  return scan.components.length * 10_000 + skips * SKIP_TABLE_BYTES + BLOCK_BUFFER_LENGTH * 2;
}

function remainingRows(component: ComponentLayout, mcuRow: number): number {
  return component.heightInBlocks - mcuRow * component.vertical;
}

/** Decodes the blocks that one MCU has of a component; those beyond the image's edge are decoded and dropped. */
function decodeMcuBlocks(
  decoder: ComponentDecoder,
  reader: ScanReader,
  predictors: Int32Array,
  c: number,
  buffer: BlockBuffer,
  mcuRow: number,
  mcu: number,
  firstRow: number,
): void {
  const { layout, plane, quant, dcTable, acTable, skip, order, mcuWidth, mcuHeight } = decoder;
  const { bits } = reader;
  const block = buffer.coefficients;
  const size = layout.blockSize;
  const rows = remainingRows(layout, mcuRow);
  for (let y = 0; y < mcuHeight; y++) {
    const row = firstRow + y;
    let at = (plane.carriedRows + row * size) * plane.stride + mcu * mcuWidth * size;
    for (let x = 0; x < mcuWidth; x++, at += size) {
      if (skip !== undefined) {
        const dc = decodeDcOnly(bits, dcTable, acTable, skip, predictors, c);
        if (row < rows) idct1x1(Math.imul(dc, quant[0]!), plane.samples, at);
        continue;
      }
      const used = decodeBlock(bits, dcTable, acTable, quant, order, predictors, c, block, 0);
      if (row < rows) transformBlock(block, 0, used, size, plane.samples, at, plane.stride);
      if (used !== 0) buffer.clear();
    }
  }
}

/** A block without data has all coefficients zero: mid grey. */
function fillMcuBlocks({ layout, plane, mcuWidth, mcuHeight }: ComponentDecoder, mcu: number, firstRow: number): void {
  const size = layout.blockSize;
  for (let row = firstRow * size; row < (firstRow + mcuHeight) * size; row++) {
    const at = (plane.carriedRows + row) * plane.stride + mcu * mcuWidth * size;
    plane.samples.fill(128, at, at + mcuWidth * size);
  }
}
