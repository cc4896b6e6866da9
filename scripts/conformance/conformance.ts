/** `npm run conformance`: runs every comparison with a reference, counts by area, and writes docs/conformance.md. */
import { spawn } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { makeTemporaryFolder, onEnding } from '../process/ending.ts';
import { runScript } from '../process/run-script.ts';
import { AREAS, type Area } from './areas.ts';
import { DIFFERENCES } from './differences.ts';
import { type AreaCounts, conformancePage, deliberateCount } from './page.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = join(ROOT, 'docs/conformance.md');

/** Of a test; a loaded machine is no difference. */
const TIMEOUT_MS = 180_000;

const USAGE = `usage: npm run conformance -- [--json] [--check]

Runs every comparison with a reference implementation and writes docs/conformance.md.
--json   standard output is one JSON object, by area.  --check   writes nothing; a page that is not up to date is an error.
Exit codes: 0 nothing differs but what is stated, 1 something does or the page is old, 2 wrong usage.
`;

/** What vitest's JSON reporter writes, as far as it is read. */
const reportSchema = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
});
type Report = z.infer<typeof reportSchema>;

/** Runs the tests of all areas. */
async function runTests(): Promise<Report> {
  const folder = await makeTemporaryFolder('bit-edge-conformance-');
  const file = join(folder, 'report.json');
  try {
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const files = AREAS.flatMap(({ tests }) => tests);
    const patience = [`--testTimeout=${TIMEOUT_MS}`, `--hookTimeout=${TIMEOUT_MS}`];
    const options = ['run', '--reporter=json', `--outputFile=${file}`, ...patience];
    const child = spawn(process.execPath, [vitest, ...options, ...files], {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const forget = onEnding(() => void child.kill());
    await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
    forget();
    return reportSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A comparison whose name says so is another answer on purpose: `... (deliberate: png-gray-16)`. */
function deliberateId(fullName: string): string | null {
  return /\(deliberate: ([a-z0-9-]+)\)/.exec(fullName)?.[1] ?? null;
}

/** The counts of one area. @throws Error where one of its files gave no test, or names a difference that is not in the list. */
function countArea({ name, tests }: Area, { testResults }: Report): AreaCounts {
  const deliberate: Record<string, number> = {};
  const differ: string[] = [];
  let agree = 0;
  for (const test of tests) {
    const results = testResults.filter((result) => result.name.startsWith(join(ROOT, test)));
    if (results.length === 0) throw new Error(`${name}: there is no test in ${test}`);
    for (const { name: file, message, assertionResults } of results) {
      if (assertionResults.length === 0) differ.push(`${file}: ${message ?? 'no test'}`);
      for (const { fullName, status } of assertionResults) {
        const id = deliberateId(fullName);
        if (status === 'failed') differ.push(fullName);
        else if (status === 'passed' && id === null) agree++;
        else if (status === 'passed' && id !== null) {
          if (!DIFFERENCES.some((each) => each.id === id)) throw new Error(`${fullName}: "${id}" is in no list`);
          deliberate[id] = (deliberate[id] ?? 0) + 1;
        }
      }
    }
  }
  return { agree, deliberate, differ };
}

await runScript(
  {
    name: 'conformance',
    usage: USAGE,
    options: { json: { type: 'boolean', default: false }, check: { type: 'boolean', default: false } },
  },
  async (values) => {
    const report = await runTests();
    const counts = new Map(AREAS.map((area) => [area.name, countArea(area, report)] as const));
    const page = conformancePage(AREAS, DIFFERENCES, counts);
    const differ = [...counts.values()].flatMap((each) => each.differ);
    if (values.json) {
      process.stdout.write(`${JSON.stringify(Object.fromEntries(counts), null, 2)}\n`);
    } else {
      for (const [name, area] of counts) {
        const found = `${area.agree} agree, ${deliberateCount(area)} deliberate, ${area.differ.length} differ`;
        process.stdout.write(`${name.padEnd(16)}${found}\n`);
      }
    }
    for (const name of differ) process.stderr.write(`differs: ${name}\n`);
    const isOld = values.check && (await readFile(PAGE, 'utf8').catch(() => '')) !== page;
    if (isOld) process.stderr.write('docs/conformance.md is old: npm run conformance writes it\n');
    if (!values.check) await writeFile(PAGE, page);
    return differ.length > 0 || isOld ? 1 : 0;
  },
);
