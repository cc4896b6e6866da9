/** A picture that needs no file: a red disc on blue. */
import { encodePng } from '../files/write-png.ts';

const EDGE_PX = 64;
const RADIUS_PX = 20;

/** The picture as PNG. */
export function samplePicture(): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(EDGE_PX * EDGE_PX * 3);
  for (let y = 0; y < EDGE_PX; y++) {
    for (let x = 0; x < EDGE_PX; x++) {
      const isDisc = Math.hypot(x - EDGE_PX / 2, y - EDGE_PX / 2) < RADIUS_PX;
      data.set(isDisc ? [220, 40, 30] : [60, 110, 190], (y * EDGE_PX + x) * 3);
    }
  }
  return new Uint8Array(encodePng({ width: EDGE_PX, height: EDGE_PX, data }));
}
