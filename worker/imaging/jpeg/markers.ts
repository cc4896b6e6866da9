/**
 * JPEG marker codes and the zigzag order. Source: ITU-T T.81 table B.1 and figure A.6.
 */

/** Second byte of each marker that the decoder tells apart (the first is 0xFF). */
export const MARKER = {
  TEM: 0x01,
  SOF0: 0xc0,
  SOF1: 0xc1,
  SOF2: 0xc2,
  SOF3: 0xc3,
  DHT: 0xc4,
  SOF5: 0xc5,
  SOF6: 0xc6,
  SOF7: 0xc7,
  JPG: 0xc8,
  SOF9: 0xc9,
  SOF10: 0xca,
  SOF11: 0xcb,
  DAC: 0xcc,
  SOF13: 0xcd,
  SOF14: 0xce,
  SOF15: 0xcf,
  RST0: 0xd0,
  RST7: 0xd7,
  SOI: 0xd8,
  EOI: 0xd9,
  SOS: 0xda,
  DQT: 0xdb,
  DNL: 0xdc,
  DRI: 0xdd,
  APP0: 0xe0,
  APP1: 0xe1,
  APP13: 0xed,
  APP14: 0xee,
  APP15: 0xef,
  COM: 0xfe,
} as const;

/**
 * Zigzag index to natural (row-major) position of an 8x8 block, 80 entries: damaged data can run past
 * index 63 by up to 15, and the reference decoder then lands on position 63 (libjpeg jutils.c `jpeg_natural_order`).
 */
export const NATURAL_ORDER: Uint8Array = Uint8Array.from([
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47,
  55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
]);
