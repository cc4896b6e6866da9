/** `npm run check`: everything that is checked without running the code, one step after the other. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onEnding } from '../process/ending.ts';
import { runScript, UsageError } from '../process/run-script.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUNDLE = '.wrangler/dry-run';

const TSC = 'node_modules/typescript/bin/tsc';
const WRANGLER = 'node_modules/wrangler/bin/wrangler.js';
const LAUNCH = 'scripts/launch.mjs';

/** Step -> scripts for Node, with their arguments. */
const STEPS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  lint: [['node_modules/@biomejs/biome/bin/biome', 'check', '.']],
  types: ['tsconfig.json', 'tsconfig.node.json', 'tsconfig.console.json'].map((project) => [TSC, '-p', project]),
  bindings: [[WRANGLER, 'types', '--check', '--include-runtime=false', 'worker-configuration.d.ts']],
  structure: [[LAUNCH, 'checks/structure']],
  environments: [[LAUNCH, 'checks/environments', '--check']],
  bundle: [
    [WRANGLER, 'deploy', '--dry-run', '--env=', '--outdir', BUNDLE],
    [LAUNCH, 'checks/bundle-size', BUNDLE],
  ],
};

const USAGE = `usage: npm run check -- [STEP...]

  lint           format and lint
  types          TypeScript
  bindings       worker-configuration.d.ts is what wrangler.toml says
  structure      imports point down, links of the documentation resolve
  environments   the environments of wrangler.toml are those of its top level
  bundle         the worker bundles without a warning, and within its size
Default: all of them. Exit code 1 with the first that fails.
`;

await runScript({ name: 'check', usage: USAGE, options: {}, allowPositionals: true }, async (_values, names) => {
  const unknown = names.find((name) => !Object.hasOwn(STEPS, name));
  if (unknown !== undefined) throw new UsageError(`there is no step "${unknown}"`);
  const chosen = Object.entries(STEPS).filter(([name]) => names.length === 0 || names.includes(name));
  for (const args of chosen.flatMap(([, commands]) => commands)) {
    const exitCode = await runNode(args);
    if (exitCode !== 0) return exitCode;
  }
  return 0;
});

function runNode(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
    const forget = onEnding(() => void child.kill());
    child.once('error', reject);
    child.once('exit', (code) => {
      forget();
      resolve(code ?? 1);
    });
  });
}
