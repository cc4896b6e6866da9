/** What a benchmark suite is, and the interleaved runner that suites share. */

/** What the command line asked for. */
export interface BenchOptions {
  /** Timed runs of every side; at least 1. */
  readonly runs: number;
  /** Only comparisons whose name contains this text; empty for all. */
  readonly only: string;
  /** A graph made by onnxruntime's own static quantization, to measure beside ours. */
  readonly qdq?: string;
  /** Folder to write result and plot into, in place of the suite's own. */
  readonly out?: string;
  /** Folder to leave the models in that were made to be measured. */
  readonly keep?: string;
  /** Prints one line of the report. */
  print(line: string): void;
}

/** A named set of comparisons. */
export interface BenchSuite {
  /** Measures, prints, and returns the JSON-safe summary that `--json` ends with. */
  run(options: BenchOptions): Promise<Readonly<Record<string, unknown>>>;
}

/** One contender. */
export interface BenchSide {
  readonly name: string;
  run(): unknown;
}

/** Contenders for the same piece of work; the first is ours. */
export interface Comparison {
  readonly name: string;
  readonly sides: readonly BenchSide[];
}

/** What one contender took, in ms of wall time but for `cpuMs`. */
export interface SideResult {
  readonly name: string;
  readonly medianMs: number;
  /** Median of the processor time of all threads of this process: what is left when the machine is busy otherwise. */
  readonly cpuMs: number;
  readonly fastestMs: number;
  readonly slowestMs: number;
  /** Our median over this side's median. */
  readonly ratio: number;
  /** The same of the processor times. */
  readonly cpuRatio: number;
}

/** Untimed runs of every side first, so that the engine has compiled what it will compile. */
const WARMUP_RUNS = 3;

/** The middle value; the mean of the two middle values of an even number of them. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Runs every side `runs` times, in turn, in an order that rotates from round to round.
 * Returns one result a side, in the order given.
 */
export async function compare(comparison: Comparison, runs: number): Promise<readonly SideResult[]> {
  const { sides } = comparison;
  for (let i = 0; i < WARMUP_RUNS; i++) for (const side of sides) await side.run();
  const times = sides.map((): number[] => []);
  const cpuTimes = sides.map((): number[] => []);
  for (let round = 0; round < runs; round++) {
    for (let i = 0; i < sides.length; i++) {
      const at = (round + i) % sides.length;
      const cpu = process.cpuUsage();
      const start = performance.now();
      await sides[at]!.run();
      times[at]!.push(performance.now() - start);
      const { user, system } = process.cpuUsage(cpu);
      cpuTimes[at]!.push((user + system) / 1000);
    }
  }
  const ours = median(times[0]!);
  const oursCpu = median(cpuTimes[0]!);
  return sides.map(({ name }, i) => {
    const taken = times[i]!;
    const medianMs = median(taken);
    const [fastestMs, slowestMs] = [Math.min(...taken), Math.max(...taken)];
    const cpuMs = median(cpuTimes[i]!);
    return { name, medianMs, cpuMs, fastestMs, slowestMs, ratio: ours / medianMs, cpuRatio: oursCpu / cpuMs };
  });
}

/** The lines of a comparison's table. */
export function tableOf(comparison: Comparison, results: readonly SideResult[]): readonly string[] {
  const ms = (value: number): string => value.toFixed(1).padStart(9);
  const rows = results.map(({ name, medianMs, cpuMs, fastestMs, slowestMs, ratio }, i) => {
    const share = i === 0 ? '' : `${ratio.toFixed(3).padStart(9)}`;
    return `  ${name.padEnd(26)}${ms(medianMs)}${ms(fastestMs)}${ms(slowestMs)}${ms(cpuMs)}${share}`;
  });
  const columns = ['median', 'fastest', 'slowest', 'cpu', 'ours/it'].map((column) => column.padStart(9));
  const head = `  ${'ms'.padEnd(26)}${columns.join('')}`;
  return [comparison.name, head, ...rows, ''];
}
