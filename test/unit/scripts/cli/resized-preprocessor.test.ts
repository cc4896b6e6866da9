import { describe, expect, it } from 'vitest';
import { resizedPreprocessor } from '../../../../scripts/cli/import/resized-preprocessor.ts';

describe('resizedPreprocessor', () => {
  it('keeps the part of the picture that is cropped, whatever else the options say', () => {
    const bit50 = { size: { shortest_edge: 448 }, crop_size: { height: 448, width: 448 }, resample: 2 };
    expect(resizedPreprocessor(bit50, 224)).toEqual({
      size: { shortest_edge: 224 },
      crop_size: { height: 224, width: 224 },
      resample: 2,
    });
    const timm = { size: { shortest_edge: 512 }, crop_size: { height: 448, width: 448 } };
    expect(resizedPreprocessor(timm, 224)).toEqual({
      size: { shortest_edge: 256 },
      crop_size: { height: 224, width: 224 },
    });
  });

  it('scales the sizes that older files write as a number, and the defaults of a file without any', () => {
    expect(resizedPreprocessor({ size: 256, crop_size: 224 }, 112)).toEqual({
      size: { shortest_edge: 128 },
      crop_size: { height: 112, width: 112 },
    });
    expect(resizedPreprocessor({}, 448)).toEqual({
      size: { shortest_edge: 448 },
      crop_size: { height: 448, width: 448 },
    });
  });

  it('scales a resize to an exact size', () => {
    const squashed = { size: { height: 480, width: 640 }, do_center_crop: false };
    expect(resizedPreprocessor(squashed, 240)).toEqual({ size: { height: 240, width: 320 }, do_center_crop: false });
  });

  it('refuses a processor whose images have no size of their own', () => {
    expect(() => resizedPreprocessor({ do_center_crop: false }, 224)).toThrow(/does not resize and crop/);
    expect(() => resizedPreprocessor({ do_resize: false }, 224)).toThrow(/does not resize and crop/);
  });
});
