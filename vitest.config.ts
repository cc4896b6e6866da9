import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';
import { buildConsole, writeConsole } from './console/build.ts';
import { serveFixture } from './test/support/fixture-service.ts';
import { moderationBindings } from './test/support/moderation-bindings.ts';

// The worker's tests serve the console's files, and wrangler's own build command does not run here.
await writeConsole(await buildConsole());

/** `INFERENCE_ENGINE=onnxruntime npm test` holds onnxruntime against the same tests. */
const { INFERENCE_ENGINE } = process.env;
const inferenceEngine = INFERENCE_ENGINE === undefined ? {} : { INFERENCE_ENGINE };

export default defineConfig({
  test: {
    silent: 'passed-only',
    projects: [
      {
        test: {
          name: 'node',
          environment: 'node',
          include: ['test/{unit,conformance,fuzz}/**/*.test.ts'],
          // Several start processes: on a slow machine five seconds would be an assertion about time.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: './wrangler.toml' },
            // Tests in workerd have no file system: this gives them the default model's files and test images.
            miniflare: {
              serviceBindings: { FIXTURES: serveFixture },
              // The platform's image service, under a name that turns nothing on by itself.
              images: { binding: 'TEST_IMAGES' },
              bindings: {
                ...moderationBindings,
                LOCAL_DEVELOPMENT: true,
                ...inferenceEngine,
                JOB_RETRY_SECONDS: 0,
                JOB_TICK_MS: 500,
              },
            },
          }),
        ],
        test: {
          name: 'worker',
          include: ['test/worker/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'e2e',
          environment: 'node',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          expect: { poll: { timeout: 20_000 } },
        },
      },
    ],
  },
});
