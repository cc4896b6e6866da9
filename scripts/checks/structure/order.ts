/** The order of the rooms, written once: a file imports from its own room and from the floors below it. */

/**
 * Floors from the top down. A room is a folder or a file; the longest name that fits a file is its room. Rooms of one floor do not
 * import each other.
 */
export const FLOORS: readonly (readonly string[])[] = [
  ['scripts/checks/fuzz.ts'],
  ['test'],
  ['scripts/screenshots', 'scripts/checks'],
  [
    'scripts/bench',
    'scripts/soak',
    'scripts/hostile',
    'scripts/demo',
    'scripts/goldens',
    'scripts/conformance',
    'scripts/kernels',
    'examples',
  ],
  ['scripts/start'],
  ['console', 'gpu-backend/start.ts'],
  ['scripts/cli', 'client'],
  ['scripts/process', 'gpu-backend'],
  ['worker/index.ts'],
  ['worker/app.ts', 'worker/queues.ts'],
  ['worker/routes/docs.ts'],
  ['worker/openapi'],
  ['worker/routes'],
  ['worker/routes/support'],
  ['worker/middleware'],
  ['worker/services.ts'],
  ['worker/memory-policy.ts'],
  ['worker/config.ts', 'worker/observability'],
  ['worker/jobs'],
  ['worker/moderation'],
  ['worker/heads'],
  ['worker/inference'],
  ['worker/images', 'worker/callbacks', 'worker/preprocess', 'worker/transcode'],
  ['worker/imaging', 'worker/fetch', 'worker/body', 'worker/form-data', 'worker/oip', 'worker/auth'],
  ['worker/error-dialects.ts'],
  ['worker/problem.ts', 'worker/variables.ts', 'worker/bindings.ts', 'worker/json-shape.ts', 'worker/issue-text.ts'],
  [
    'worker/bytes.ts',
    'worker/float-encoding.ts',
    'worker/queue-kinds.ts',
    'worker/platform-limits.ts',
    'worker/observability/trace.ts',
    'worker/storage',
    'model-store/build',
  ],
  ['model-store'],
  ['worker/errors.ts'],
];

/** Packages, by the beginning of their names, that only these rooms import; the rest of `worker` and `model-store` must not. */
export const PACKAGES: readonly { readonly name: string; readonly rooms: readonly string[] }[] = [
  {
    name: 'hono',
    rooms: ['worker/app.ts', 'worker/routes', 'worker/middleware', 'worker/openapi', 'worker/error-dialects.ts'],
  },
  { name: 'onnxruntime-web', rooms: ['worker/inference'] },
  { name: 'cloudflare:', rooms: ['worker/jobs', 'worker/moderation', 'worker/heads', 'worker/index.ts'] },
  { name: 'node:', rooms: ['worker/body'] },
];
