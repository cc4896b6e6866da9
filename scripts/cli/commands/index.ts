/** The table of commands. A command is one file that exports `run`; it is loaded only when it is called. */

/** One command's module. */
export interface CommandModule {
  /** What `--help` prints, and what wrong flags are answered with. */
  readonly HELP: string;
  /** Runs the command with the arguments behind its name; returns the exit code: 0 done, 1 failed, 2 wrong usage. */
  run(args: readonly string[]): Promise<number>;
}

/** One row of the table. */
export interface Command {
  readonly name: string;
  /** One line for `bit-edge --help`. */
  readonly summary: string;
  load(): Promise<CommandModule>;
}

/** Every command, in the order `--help` lists them. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'classify',
    summary: 'labels of image files, without a server',
    load: () => import('./classify.ts'),
  },
  {
    name: 'evaluate',
    summary: 'accuracy of a running worker on labelled images',
    load: () => import('./evaluate.ts'),
  },
  {
    name: 'import',
    summary: 'a checkpoint (Hugging Face, timm, Google) to a version: graphs, labels, report',
    load: () => import('./import.ts'),
  },
  {
    name: 'verify',
    summary: "an imported version against a reference's inputs and outputs",
    load: () => import('./verify.ts'),
  },
  {
    name: 'keys',
    summary: 'API keys of a deployment: create, list, revoke',
    load: () => import('./keys.ts'),
  },
  {
    name: 'publish',
    summary: 'an imported version into the model store, and aliases to it',
    load: () => import('./publish.ts'),
  },
  {
    name: 'alias',
    summary: 'points an alias at a version, or lists aliases',
    load: () => import('./alias.ts'),
  },
  {
    name: 'list',
    summary: 'lists the versions in the model store',
    load: () => import('./list.ts'),
  },
  {
    name: 'rollback',
    summary: 'points an alias back at its previous version',
    load: () => import('./rollback.ts'),
  },
  {
    name: 'delete',
    summary: 'removes a version from the model store',
    load: () => import('./delete.ts'),
  },
  {
    name: 'gc',
    summary: 'removes the leftovers of unfinished publishes',
    load: () => import('./gc.ts'),
  },
  {
    name: 'export',
    summary: 'an imported version as a Triton model repository',
    load: () => import('./export.ts'),
  },
  {
    name: 'preprocess',
    summary: 'pictures to pixel_values, with the bits of BitImageProcessor',
    load: () => import('./preprocess.ts'),
  },
  {
    name: 'decode',
    summary: 'images to upright RGB8: size and SHA-256, one JSON line per file',
    load: () => import('./decode.ts'),
  },
  {
    name: 'contact-sheet',
    summary: 'the pictures of a folder, as decoded, on one page',
    load: () => import('./contact-sheet.ts'),
  },
  {
    name: 'policy',
    summary: 'checks, publishes and measures moderation policies',
    load: () => import('./policy.ts'),
  },
  {
    name: 'jobs',
    summary: 'bulk jobs of a deployment: submit, watch, results, cancel, retry, list',
    load: () => import('./jobs.ts'),
  },
  {
    name: 'webhooks',
    summary: 'events of a deployment: count, list, judge again, deliver again',
    load: () => import('./webhooks.ts'),
  },
  {
    name: 'uploads',
    summary: 'pictures of this machine into the uploads bucket',
    load: () => import('./uploads.ts'),
  },
  {
    name: 'head',
    summary: 'classifiers taught by example: train, eval, export to ONNX, import',
    load: () => import('./head.ts'),
  },
  {
    name: 'deploy',
    summary: 'from an empty Cloudflare account to a serving deployment',
    load: () => import('./deploy.ts'),
  },
  {
    name: 'destroy',
    summary: 'deletes a deployment: worker, queues, empty buckets',
    load: () => import('./destroy.ts'),
  },
  {
    name: 'doctor',
    summary: 'checks this machine or a deployment, and prints the command that fixes each finding',
    load: () => import('./doctor.ts'),
  },
  {
    name: 'load',
    summary: 'how much a deployment bears: percentiles, errors by code, cost',
    load: () => import('./load.ts'),
  },
  {
    name: 'backup',
    summary: 'models, aliases, policies, keys, heads and jobs into a folder',
    load: () => import('./backup.ts'),
  },
  {
    name: 'restore',
    summary: 'what backup copied, into the buckets again',
    load: () => import('./restore.ts'),
  },
];
