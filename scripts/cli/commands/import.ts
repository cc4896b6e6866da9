/** `bit-edge import`: a checkpoint to a version's folder, ready to publish. */
import { parseArgs } from 'node:util';
import { type VariantName, variantNameSchema } from '../../../model-store/manifest.ts';
import { importCheckpoint } from '../import/import-checkpoint.ts';
import type { ImportOptions } from '../import/prepare.ts';
import { MAX_SIZE_PX, MIN_SIZE_PX } from '../import/resized-preprocessor.ts';
import { formatBytes } from '../progress.ts';
import type { Report } from '../report/report.ts';
import { print, wrongUsage } from './store-options.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge import SOURCE --out OUT [--variants fp32,int8,gpu] [--calibrate IMAGES] [--evaluate IMAGES]
                       [--labels FILE] [--preprocessor FILE] [--size PX] [--outputs NAMES] [--name NAME] [--version VERSION]
                       [--revision REVISION] [--json]

Turns a BiT checkpoint into a version that "bit-edge publish" can publish, and reports what it costs. OUT appears whole or not at all.
  SOURCE             a Hugging Face folder (config.json; model.safetensors, pytorch_model.bin or their shards), a timm folder,
                     .safetensors or .pth, Google's .npz, or the name of a repository on the hub (google/bit-50). Pickles are read
                     without being run.
  --out OUT          the folder to write; replaced where it holds an earlier import.
  --variants LIST    fp32, int8, gpu. Default: fp32,int8. gpu alone is a version for GPU backends, which no isolate has to hold.
  --calibrate DIR    pictures to refine int8's scales by; a few hundred of those that will come. Without, they follow from the weights.
  --evaluate DIR     pictures to compare int8 with fp32 on, at other sizes too. Default: 100 of --calibrate, at this size.
  --labels FILE      names of the classes (JSON array, {"0": name}, or a name a line), right answers for the pictures
                     ({path: index}), or both ({"labels": [...], "files": {path: index}}).
  --preprocessor FILE  a preprocessor_config.json to use instead of the source's.
  --size PX          edge of the network's input; the processor's resize and crop follow. The report has what other sizes cost.
  --outputs NAMES    of every variant: all, or a list of logits, pooler_output, last_hidden_state, stem, stage1, ...
  --name, --version  Default: the source's name, and sha- with the content's hash.
  --revision REV     of a repository on the hub: branch, tag or commit. Default: main. HF_TOKEN and HF_ENDPOINT are read from the
                     environment; files are kept in BIT_EDGE_CACHE (default ~/.cache/bit-edge).
  --json             the report as JSON on standard output.
Exit codes: 0 done, 1 failed, 2 wrong usage.
`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      out: { type: 'string' },
      variants: { type: 'string' },
      calibrate: { type: 'string' },
      evaluate: { type: 'string' },
      labels: { type: 'string' },
      preprocessor: { type: 'string' },
      size: { type: 'string' },
      outputs: { type: 'string' },
      name: { type: 'string' },
      version: { type: 'string' },
      revision: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [source] = positionals;
  if (source === undefined || positionals.length > 1) return wrongUsage('import', 'one SOURCE is needed', HELP);
  if (values.out === undefined) return wrongUsage('import', '--out OUT is needed', HELP);
  const variants = values.variants === undefined ? 'usual' : parseVariants(values.variants);
  if (typeof variants === 'object' && 'problem' in variants) return wrongUsage('import', variants.problem, HELP);
  const size = values.size === undefined ? null : Number(values.size);
  if (size !== null && !(Number.isInteger(size) && size >= MIN_SIZE_PX && size <= MAX_SIZE_PX)) {
    const range = `an integer from ${MIN_SIZE_PX} to ${MAX_SIZE_PX}`;
    return wrongUsage('import', `--size is "${values.size}"; it must be ${range}`, HELP);
  }
  const options: ImportOptions = {
    source,
    out: values.out,
    variants,
    outputs: values.outputs?.split(',') ?? null,
    revision: values.revision ?? null,
    calibrate: values.calibrate ?? null,
    evaluate: values.evaluate ?? null,
    labels: values.labels ?? null,
    preprocessor: values.preprocessor ?? null,
    size,
    name: values.name ?? null,
    version: values.version ?? null,
  };
  const { report } = await importCheckpoint(options, new Date().toISOString(), process.env);
  print(values.json, report, summarize(report, values.out));
  return 0;
}

/** The variants asked for, or what is wrong with them. */
function parseVariants(list: string): VariantName[] | { readonly problem: string } {
  const variants: VariantName[] = [];
  for (const name of list.split(',')) {
    const variant = variantNameSchema.safeParse(name.trim());
    if (!variant.success) return { problem: `--variants: "${name}" is not one of fp32, int8, gpu` };
    if (!variants.includes(variant.data)) variants.push(variant.data);
  }
  return variants;
}

function summarize(report: Report, out: string): string {
  const lines = [`${report.name}/${report.version} in ${out}`];
  for (const [name, { bytes, measured }] of Object.entries(report.variants)) {
    const cost =
      measured === null
        ? ''
        : `, ${measured.run_ms.toFixed(0)} ms, heap ${formatBytes(measured.heap_bytes)}${measured.engine === 'bit' ? ' in the engine' : ''}`;
    lines.push(`${name}: ${formatBytes(bytes)}${cost}`);
  }
  const { evaluation } = report;
  if (evaluation?.int8_vs_fp32 != null) {
    const { agreement, mean_logit_error: error } = evaluation.int8_vs_fp32;
    const without = evaluation.int8_without_pictures_vs_fp32;
    const beside =
      without === null
        ? ''
        : ` (without calibration ${(without.agreement * 100).toFixed(1)} %, ${(without.mean_logit_error * 100).toFixed(2)} %)`;
    lines.push(
      `int8 agrees with fp32 on ${(agreement * 100).toFixed(1)} % of ${evaluation.images} images, mean logit error ${(error * 100).toFixed(2)} %${beside}`,
    );
  }
  for (const [name, share] of Object.entries(evaluation?.top1 ?? {}))
    lines.push(`top-1 ${name}: ${(share * 100).toFixed(1)} %`);
  lines.push(...report.warnings.map((warning) => `warning: ${warning}`), `report: ${out}/report.md`);
  return lines.join('\n');
}
