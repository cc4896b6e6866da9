/** Child of `peak-memory.ts`: preprocesses one file once, cold, and prints how many bytes that allocated. */
import { readFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { preprocessToRgb8 } from '../../worker/preprocess/preprocess.ts';
import { THUMBNAIL_CONFIG } from './thumbnail.ts';

const bytes = readFileSync(process.argv[2] ?? '');
const { gc } = globalThis;
if (gc === undefined) throw new Error('run with --expose-gc');
// Freed array buffers are swept in the background: collected twice, with time in between.
for (let i = 0; i < 2; i++) {
  await gc();
  await new Promise((resolve) => setTimeout(resolve, 100));
}

let collections = 0;
const observer = new PerformanceObserver((list) => {
  collections += list.getEntries().length;
});
observer.observe({ entryTypes: ['gc'] });

const before = process.memoryUsage();
const picture = await preprocessToRgb8(bytes, THUMBNAIL_CONFIG);
const after = process.memoryUsage();
await new Promise((resolve) => setTimeout(resolve, 50));
if (collections > 0) throw new Error(`${collections} garbage collections: the figure would be a lower bound`);
if (picture.rgb8.length === 0) throw new Error('no picture');
process.stdout.write(String(after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers));
