import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readInfo } from '../../../worker/imaging/decode.ts';
import { parseProcessorConfig } from '../../../worker/preprocess/config.ts';
import { planPreprocess } from '../../../worker/preprocess/plan.ts';
import { preprocessToRgb8 } from '../../../worker/preprocess/preprocess.ts';
import { GOLDENS, sha256 } from './goldens.ts';

const files = new Set(GOLDENS.draft.map(({ file }) => file));

it.each([...files])('%s: decodes scaled and resizes to the bytes of Pillow with draft', async (file) => {
  const bytes = new Uint8Array(readFileSync(new URL(`../../fixtures/images/${file}`, import.meta.url)));
  for (const golden of GOLDENS.draft.filter((each) => each.file === file)) {
    const config = parseProcessorConfig({ size: golden.shortest_edge, do_center_crop: false });
    const plan = planPreprocess(readInfo(bytes), config, { exact: false });
    expect(plan.scaleDenominator, JSON.stringify(golden)).toBe(golden.denominator);
    const { rgb8, height, width } = await preprocessToRgb8(bytes, config);
    expect([height, width, 3]).toEqual(golden.shape);
    expect(sha256(rgb8), JSON.stringify(golden)).toBe(golden.sha256);
  }
});
