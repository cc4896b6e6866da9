/**
 * `npm run bench -- heads`: training a head with its report, beside scikit-learn's RidgeClassifierCV on the same numbers where
 * `PYTHON` names an interpreter that has it; and applying one. docs/bench/heads.md has figures.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { applyHead, type HeadModel } from '../../worker/heads/math/head-model.ts';
import type { LinearAlgebra } from '../../worker/heads/math/linear-algebra.ts';
import { fitRidge } from '../../worker/heads/math/ridge.ts';
import { exampleWeights, singleLabelTargets } from '../../worker/heads/math/targets.ts';
import { DEFAULT_TRAINING, trainHead } from '../../worker/heads/math/train.ts';
import { compileHeadAlgebra } from '../cli/heads/head-algebra.ts';
import { type BenchSuite, median } from './suite.ts';

const SCRIPT = fileURLToPath(new URL('heads.py', import.meta.url));

/** Classes, examples a class, dimensions. */
const SIZES = [
  [20, 5, 1024],
  [20, 5, 2048],
  [100, 10, 1024],
  [100, 50, 1024],
] as const;

/** Classes and dimensions of heads that are applied. */
const APPLIED = [
  [20, 1024],
  [1000, 2048],
] as const;
const APPLICATIONS = 50;

const pythonSchema = z.object({ seconds: z.number(), cpu_seconds: z.number() });

/** The suite. */
export const HEADS_SUITE: BenchSuite = {
  async run({ runs, only, print }) {
    const algebra = await compileHeadAlgebra();
    const rows: Record<string, unknown>[] = [];
    print('| training | fit, ms CPU | fit and report, ms CPU | scikit-learn, ms CPU | ours/it |');
    print('| --- | --- | --- | --- | --- |');
    for (const [classes, each, dimensions] of SIZES) {
      const name = `${classes} x ${each} x ${dimensions}`;
      if (!name.includes(only)) continue;
      const row = trainingRow(classes, classes * each, dimensions, runs, algebra);
      rows.push({ name, ...row });
      const { fitMs, trainMs, sklearnMs } = row;
      const ratio = sklearnMs === null ? '' : (fitMs / sklearnMs).toFixed(2);
      print(`| ${name} | ${fitMs.toFixed(0)} | ${trainMs.toFixed(0)} | ${sklearnMs?.toFixed(0) ?? ''} | ${ratio} |`);
    }
    print('');
    print('| applying | ms CPU |');
    print('| --- | --- |');
    for (const [classes, dimensions] of APPLIED) {
      const name = `${classes} x ${dimensions}`;
      if (!name.includes(only)) continue;
      const ms = applicationMs(classes, dimensions);
      rows.push({ name, applyMs: ms });
      print(`| ${name} | ${ms.toFixed(2)} |`);
    }
    return { rows };
  },
};

function trainingRow(classes: number, count: number, dimensions: number, runs: number, algebra: LinearAlgebra) {
  const data = clusters(count, dimensions, classes);
  const rows = { data, count, dimensions };
  const labels = Array.from({ length: count }, (_, i) => i % classes);
  const targets = singleLabelTargets(labels, classes);
  const names = Array.from({ length: classes }, (_, k) => `class ${k}`);
  const exampleIds = labels.map((_, i) => `ex_${i}`);
  const fitMs = cpuMs(runs, () => fitRidge(rows, targets, exampleWeights(targets, true), null, algebra));
  const trainMs = cpuMs(runs, () => trainHead({ rows, targets, labels: names, exampleIds }, DEFAULT_TRAINING, algebra));
  return { fitMs, trainMs, sklearnMs: sklearnMs(data, count, dimensions, classes, runs) };
}

/** Median processor time, in ms, the first run not counted. */
function cpuMs(runs: number, work: () => unknown): number {
  const times: number[] = [];
  for (let run = 0; run <= runs; run++) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    if (run > 0) times.push((user + system) / 1000);
  }
  return median(times);
}

function sklearnMs(
  data: Float32Array,
  count: number,
  dimensions: number,
  classes: number,
  runs: number,
): number | null {
  const python = process.env.PYTHON;
  if (python === undefined) return null;
  const input = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const args = [SCRIPT, ...[count, dimensions, classes, runs].map(String)];
  const { stdout, stderr, status } = spawnSync(python, args, { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${SCRIPT}: ${stderr}`);
  return 1000 * pythonSchema.parse(JSON.parse(stdout)).cpu_seconds;
}

function applicationMs(classes: number, dimensions: number): number {
  const head: HeadModel = {
    classes: Array.from({ length: classes }, (_, k) => String(k)),
    dimensions,
    multiLabel: false,
    features: { kind: 'l2', mean: null, deviation: null },
    weight: clusters(classes, dimensions, classes),
    bias: new Float32Array(classes),
    unknown: null,
  };
  const embedding = clusters(1, dimensions, 1);
  const apply = (): void => {
    for (let i = 0; i < APPLICATIONS; i++) applyHead(head, embedding);
  };
  return cpuMs(3, apply) / APPLICATIONS;
}

/** Positive features with a class's own dimensions stronger, as pooled ReLU outputs are: `[count, dimensions]`. */
function clusters(count: number, dimensions: number, classes: number): Float32Array {
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Float32Array.from({ length: count * dimensions }, (_, at) => {
    const label = Math.floor(at / dimensions) % classes;
    return random() + ((at % dimensions) % classes === label ? 0.5 : 0);
  });
}
