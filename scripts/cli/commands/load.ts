/** `bit-edge load`: how much a deployment bears: latencies, errors by code, and what it costs. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readBytes } from '../files/read-file.ts';
import { estimateCost } from '../load/pricing.ts';
import { runLoad } from '../load/run-load.ts';
import { print, wrongUsage } from './store-options.ts';

const MAX_RPS = 100_000;
const DEFAULT_IMAGE = fileURLToPath(new URL('../../../examples/lemon.png', import.meta.url));

/** What `--help` prints. */
export const HELP = `usage: bit-edge load --url URL [--rps 10] [--minutes 1] [--image FILE] [--model NAME[@VERSION]] [--path /v1/classify]
                     [--connections 50] [--cpu-ms MS] [--key API_KEY] [--json]

Sends one picture again and again at a fixed rate, past the result cache, and prints percentiles, errors by code and a cost
estimate (Workers Paid: requests and processor time; R2 and Durable Objects are not counted).
  --rps N          requests a second. A key allows 600 a minute, or 6000 with the tier "high".
  --image FILE     Default: examples/lemon.png, 128 px. A photo of yours says more: decoding it takes time too.
  --connections N  requests at a time at most; those that come too late for it are counted from when they were due.
  --cpu-ms MS      processor time of a request, from the Workers dashboard. Default: what answers say in "timing", which is
                   nothing in production, where a Worker's clock stands still while it computes.
It costs money on a real deployment: rps x minutes x 60 requests. Exit code 1 where a request was not answered with 200.
`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: 'string' },
      rps: { type: 'string', default: '10' },
      minutes: { type: 'string', default: '1' },
      image: { type: 'string', default: DEFAULT_IMAGE },
      model: { type: 'string' },
      path: { type: 'string', default: '/v1/classify' },
      connections: { type: 'string', default: '50' },
      'cpu-ms': { type: 'string' },
      key: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [rps, minutes, connections] = [Number(values.rps), Number(values.minutes), Number(values.connections)];
  const cpuMs = values['cpu-ms'] === undefined ? null : Number(values['cpu-ms']);
  const refuse = (option: keyof typeof values, must: string): number =>
    wrongUsage('load', `--${option} is "${values[option]}"; it must be ${must}`, HELP);
  if (values.url === undefined || !URL.canParse(values.url)) {
    return wrongUsage('load', '--url must be an address', HELP);
  }
  if (!(rps > 0 && rps <= MAX_RPS)) return refuse('rps', `a number above 0, at most ${MAX_RPS}`);
  if (!(minutes > 0)) return refuse('minutes', 'a number above 0');
  if (!(Number.isInteger(connections) && connections >= 1)) return refuse('connections', 'an integer from 1');
  if (cpuMs !== null && !(cpuMs >= 0)) return refuse('cpu-ms', 'a number from 0');
  const url = new URL(values.path, values.url);
  if (values.model !== undefined) url.searchParams.set('model', values.model);
  const image = await readBytes(values.image);
  const seconds = Math.max(1, Math.round(minutes * 60));
  process.stderr.write(`${rps} requests a second for ${seconds} s to ${url.href}, ${image.byteLength} bytes each\n`);
  const report = await runLoad({ url: url.href, image, key: values.key, rps, seconds, connections });
  const billedMs = cpuMs ?? report.compute_ms;
  const cost = billedMs === null ? null : estimateCost(billedMs, rps);
  const { p50, p90, p99, max } = report.latency_ms;
  const money =
    cost === null
      ? 'no estimate without --cpu-ms'
      : `$${cost.usd_per_million_requests} a million requests; $${cost.usd_per_month} a month at this rate (${billedMs} ms of CPU each)`;
  const lines = [
    `answered   ${report.answered} of ${report.requests}, ${report.rps} a second`,
    `latency    p50 ${p50} ms, p90 ${p90} ms, p99 ${p99} ms, max ${max} ms`,
    ...Object.entries(report.errors).map(([code, count]) => `errors     ${count} ${code}`),
    `cost       ${money}`,
  ];
  print(values.json, { ...report, cost }, lines.join('\n'));
  return report.answered > 0 && Object.keys(report.errors).length === 0 ? 0 : 1;
}
