import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseManifest } from '../../../../model-store/manifest.ts';
import { float32Tensor, readSafetensors, writeSafetensors } from '../../../../model-store/safetensors.ts';
import { sha256File } from '../../../../scripts/cli/files/hash.ts';
import { bitEdge } from '../../../support/command-line.ts';

const FIXTURE = 'test/fixtures/bit/default';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bit-edge-import-'));
});
afterAll(async () => rm(root, { recursive: true, force: true }));

describe('bit-edge import', () => {
  it('writes a version whose every file is what its manifest says, with a report', async () => {
    const out = join(root, 'default');
    const result = await bitEdge(['import', FIXTURE, '--out', out, '--name', 'my-bit', '--version', '1.0', '--json']);
    expect(result.exitCode).toBe(0);
    const manifest = parseManifest(await readFile(join(out, 'manifest.json'), 'utf8'));
    expect(manifest).toMatchObject({ name: 'my-bit', version: '1.0', num_labels: 7, default_variant: 'int8' });
    const { fp32, int8 } = manifest.variants;
    for (const variant of [fp32!, int8!]) expect(variant.wasm_heap_bytes).toBeGreaterThan(2 ** 20);
    const references = [
      manifest.labels,
      manifest.preprocessor,
      manifest.report!,
      ...[fp32!, int8!].flatMap(({ model, weights }) => [model, weights!]),
      ...manifest.attachments,
    ];
    expect((await readdir(out)).sort()).toEqual([...references.map(({ path }) => path), 'manifest.json'].sort());
    for (const { path, sha256 } of references) expect(await sha256File(join(out, path)), path).toBe(sha256);
    const report = JSON.parse(await readFile(join(out, 'report.json'), 'utf8'));
    expect(JSON.parse(result.stdout)).toEqual(report);
    expect(report.variants.fp32.measured.run_ms).toBeGreaterThan(0);
    expect(await readFile(join(out, 'report.md'), 'utf8')).toContain('# my-bit 1.0');
    expect(JSON.parse(await readFile(join(out, 'labels.json'), 'utf8'))).toHaveLength(7);
  }, 60_000);

  it('takes the layout of google/bit-50, a config of 2022 and a pickle, and answers as Hugging Face does', async () => {
    const layout = 'test/fixtures/bit-50-layout';
    const out = join(root, 'bit-50');
    expect(await bitEdge(['import', layout, '--out', out, '--variants', 'fp32'])).toMatchObject({ exitCode: 0 });
    const { picture, logits } = JSON.parse(await readFile(join(layout, 'expected.json'), 'utf8'));
    const args = ['classify', '--model', out, '--function', 'none', '--top-k', '10', picture];
    const { predictions } = JSON.parse((await bitEdge(args)).stdout);
    expect(predictions).toHaveLength(10);
    for (const { label, index, score } of predictions) {
      expect(label).toBe(`class ${index}`);
      expect(score).toBeCloseTo(logits[index], 4);
    }
    const report = JSON.parse(await readFile(join(out, 'report.json'), 'utf8'));
    expect(report.warnings).toEqual([]);
    expect(report.origins.every(({ assumed }: { assumed: boolean }) => !assumed)).toBe(true);
  }, 60_000);

  it('names the version after its content: the same for the same checkpoint, whatever was measured', async () => {
    const versions = [];
    for (const out of ['a', 'b']) {
      await bitEdge(['import', FIXTURE, '--out', join(root, out)]);
      versions.push(parseManifest(await readFile(join(root, out, 'manifest.json'), 'utf8')).version);
    }
    expect(versions[0]).toMatch(/^sha-[0-9a-f]{12}$/);
    expect(versions[1]).toBe(versions[0]);
  }, 60_000);

  it('takes labels, preprocessing and outputs from the options, and replaces an earlier import', async () => {
    const out = join(root, 'options');
    const labels = join(root, 'labels.txt');
    await writeFile(labels, 'one\ntwo\nthree\nfour\nfive\nsix\nseven\n');
    const preprocessor = join(root, 'preprocessor.json');
    await writeFile(preprocessor, '{"size": {"height": 64, "width": 64}, "do_center_crop": false}');
    for (const outputs of ['all', 'logits,stage2']) {
      const args = ['--labels', labels, '--preprocessor', preprocessor, '--outputs', outputs];
      expect(await bitEdge(['import', FIXTURE, '--out', out, ...args])).toMatchObject({ exitCode: 0 });
    }
    const manifest = parseManifest(await readFile(join(out, 'manifest.json'), 'utf8'));
    expect(manifest.variants.fp32!.outputs.map(({ name }) => name)).toEqual(['logits', 'stage2']);
    expect(JSON.parse(await readFile(join(out, 'labels.json'), 'utf8'))[2]).toBe('three');
    const report = JSON.parse(await readFile(join(out, 'report.json'), 'utf8'));
    expect(report.architecture).toMatchObject({
      image_size: { height: 64, width: 64 },
      preprocessor_source: preprocessor,
    });
    expect((await readdir(root)).filter((name) => /\.(tmp|old)$/.test(name))).toEqual([]);
  }, 60_000);

  it('refuses a network whose answer is no number, and writes nothing', async () => {
    const source = join(root, 'overflowing');
    await mkdir(source);
    await writeFile(join(source, 'config.json'), await readFile(join(FIXTURE, 'config.json')));
    const file = readSafetensors(await readFile(join(FIXTURE, 'model.safetensors')), 'model.safetensors');
    const tensors = new Map(file.tensors);
    const { shape } = tensors.get('classifier.1.weight')!;
    const huge = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(3e38);
    tensors.set('classifier.1.weight', float32Tensor(shape, huge));
    await writeFile(join(source, 'model.safetensors'), writeSafetensors(tensors));
    const out = join(root, 'overflown');
    const result = await bitEdge(['import', source, '--out', out, '--variants', 'fp32']);
    expect(result).toMatchObject({ exitCode: 1, stdout: '' });
    expect(result.stderr).toMatch(/model_failed: .* gave "logits": 7 of 7 numbers are not finite/);
    expect(await readdir(root)).not.toContain('overflown');
  }, 60_000);

  it('imports a network that does not run at the usual size, with a warning', async () => {
    const out = join(root, 'valid');
    const result = await bitEdge(['import', 'test/fixtures/networks/valid', '--out', out]);
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toContain('warning: fp32 was not measured at 224x224 px');
  }, 60_000);

  it('quantizes without pictures too, and says where it cannot', async () => {
    const out = join(root, 'without-pictures');
    expect(await bitEdge(['import', 'test/fixtures/bit-50-layout', '--out', out])).toMatchObject({ exitCode: 0 });
    const manifest = parseManifest(await readFile(join(out, 'manifest.json'), 'utf8'));
    expect(manifest.default_variant).toBe('int8');
    const report = JSON.parse(await readFile(join(out, 'report.json'), 'utf8'));
    expect(report.quantization.calibration_images).toBe(0);
    expect(await readFile(join(out, 'report.md'), 'utf8')).toContain('estimated from the group norms, without images');

    const free = join(root, 'free-size.json');
    await writeFile(free, '{"size": {"shortest_edge": 64}, "do_center_crop": false}');
    const args = ['test/fixtures/bit-50-layout', '--out', join(root, 'free'), '--preprocessor', free];
    const { exitCode, stdout } = await bitEdge(['import', ...args]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('warning: no int8 variant: the processor makes images of any size');
    expect(await bitEdge(['import', ...args, '--variants', 'int8'])).toMatchObject({ exitCode: 1 });
  }, 60_000);

  it('imports at another resolution, and says what the usual ones cost', async () => {
    const out = join(root, 'size');
    const args = ['import', 'test/fixtures/bit-50-layout', '--out', out, '--variants', 'int8', '--size', '96'];
    expect(await bitEdge(args)).toMatchObject({ exitCode: 0 });
    const manifest = parseManifest(await readFile(join(out, 'manifest.json'), 'utf8'));
    expect(manifest.variants.int8!.inputs[0]!.shape).toEqual(['batch', 3, 96, 96]);
    const processor = JSON.parse(await readFile(join(out, 'preprocessor.json'), 'utf8'));
    expect(processor).toMatchObject({ size: { shortest_edge: 96 }, crop_size: { height: 96, width: 96 } });
    const { resolutions, origins } = JSON.parse(await readFile(join(out, 'report.json'), 'utf8'));
    expect(resolutions.map(({ side_px }: { side_px: number }) => side_px)).toEqual([96, 224, 288, 320, 384, 448]);
    for (const [index, row] of resolutions.entries()) {
      expect(row.fits_edge).toBe(true);
      if (index === 0) expect(row.macs).toBe(manifest.variants.int8!.macs);
      else
        for (const figure of ['macs', 'heap_bytes'])
          expect(row[figure]).toBeGreaterThan(resolutions[index - 1][figure]);
    }
    expect(origins).toContainEqual(
      expect.objectContaining({ field: 'crop_size', from: '--size 96, of preprocessor_config.json' }),
    );
  }, 60_000);

  it('quantizes with the pictures given, and reports what that lost', async () => {
    const pictures = join(root, 'calibration');
    await mkdir(pictures);
    const answers: Record<string, number> = {};
    for (const name of ['jpeg-420.jpg', 'jpeg-444.jpg', 'png-rgb.png', 'bmp-rgb.bmp', 'webp-lossy.webp', 'gif.gif']) {
      await writeFile(join(pictures, name), await readFile(join('test/fixtures/images', name)));
      answers[name] = 0;
    }
    const labels = join(root, 'answers.json');
    await writeFile(labels, JSON.stringify({ files: answers }));
    const preprocessor = join(root, 'small.json');
    await writeFile(preprocessor, '{"size": {"height": 64, "width": 64}, "do_center_crop": false}');
    const out = join(root, 'int8');
    const variants = ['--variants', 'fp32,int8,gpu', '--outputs', 'all'];
    const folders = ['--calibrate', pictures, '--evaluate', pictures];
    const args = [...folders, '--labels', labels, '--preprocessor', preprocessor, '--json', ...variants];
    const { exitCode, stdout } = await bitEdge(['import', FIXTURE, '--out', out, ...args]);
    expect(exitCode).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.evaluation).toMatchObject({ folder: 'calibration', images: 6, labelled: 6 });
    expect(report.evaluation.int8_vs_fp32.mean_logit_error).toBeGreaterThan(0);
    expect(report.evaluation.int8_vs_fp32.mean_logit_error).toBeLessThan(0.05);
    expect(report.variants.int8.measured).toMatchObject({ engine: 'bit' });
    expect(report.variants.int8.measured.heap_bytes).toBeLessThan(report.variants.int8.measured.wasm_heap_bytes);
    // Every resolution is held against float32 at the version's own, where it is what the evaluation says.
    for (const { side_px: side, agreement } of report.resolutions) {
      expect(agreement, `${side} px`).toBeGreaterThan(0);
      if (side === 64) expect(agreement).toBe(report.evaluation.int8_vs_fp32.agreement);
    }
    // Beside it what int8 would be without the pictures.
    const without = report.evaluation.int8_without_pictures_vs_fp32.mean_logit_error;
    expect(without).toBeGreaterThan(0);
    expect(without).toBeLessThan(0.1);
    expect(without).not.toBe(report.evaluation.int8_vs_fp32.mean_logit_error);
    expect(Object.keys(report.evaluation.top1).sort()).toEqual(['fp32', 'int8']);
    // The stem, four layers of three convolutions and a shortcut, one of three, and the classifier.
    expect(report.quantization.layers).toHaveLength(1 + 4 * 4 + 3 + 1);
    expect(report.quantization.calibration_images).toBe(6);
    const manifest = parseManifest(await readFile(join(out, 'manifest.json'), 'utf8'));
    expect(manifest.default_variant).toBe('int8');
    expect(manifest.variants.int8!.model.path).toBe('model.onnx');
    expect(manifest.variants.gpu!.inputs).toEqual([{ name: 'image', dtype: 'uint8', shape: ['batch', 64, 64, 3] }]);
    for (const variant of Object.values(manifest.variants)) expect(variant.outputs).toHaveLength(8);

    const io = `${FIXTURE}/io.safetensors`;
    const verified = await bitEdge(['verify', out, '--against', io, '--variant', 'int8']);
    expect(verified.exitCode).toBe(0);
    const differences = JSON.parse(verified.stdout);
    expect(differences).toMatchObject({ variant: 'int8', not_run: ['pixel_values.65x49'], tolerance: null });
    expect(Object.keys(differences.tensors)).toHaveLength(8);
    // Noise is no picture: int8 covers the values that pixels can have, and cuts off the rest.
    expect(differences.worst.relative).toBeGreaterThan(1e-4);
    expect(differences.worst.relative).toBeLessThan(1);
    expect(manifest.attachments.map(({ path }) => path)).toEqual(['report.md', 'report.svg']);
  }, 60_000);

  it.each([
    [[], 'one SOURCE'],
    [[FIXTURE], '--out OUT'],
    [[FIXTURE, '--out', 'x', '--variants', 'int4'], '"int4"'],
    [[FIXTURE, '--out', 'x', '--size', '7'], '--size is "7"'],
  ])('explains wrong usage: %j', async (args, message) => {
    const result = await bitEdge(['import', ...args]);
    expect(result).toMatchObject({ exitCode: 2, stdout: '' });
    expect(result.stderr).toContain(message);
  });

  it.each([
    ['a source that is not there', ['nowhere'], 'nowhere: no such file or folder'],
    ['what is not a pickle of torch', ['pytorch_model.bin'], 'pytorch_model.bin: pickle refused at byte 0'],
    ['labels of another number', [FIXTURE, '--labels', 'three.txt'], '3 labels; the network has 7'],
    ['an output that the network has not', [FIXTURE, '--outputs', 'logits,stage9'], 'output "stage9" is not one of'],
    ['a bad name', [FIXTURE, '--name', 'My Model'], 'is not a model name'],
    ['a calibration folder without pictures', [FIXTURE, '--calibrate', 'empty'], 'no JPEG, PNG, WebP, GIF or BMP'],
    ['pictures for a grey network', ['test/fixtures/bit/width2-gray', '--calibrate', 'pictures'], 'num_channels: 1'],
    ['bytes for a grey network', ['test/fixtures/bit/width2-gray', '--variants', 'fp32,gpu'], 'num_channels: 1'],
    ['a folder that holds other files', [FIXTURE, '--out', 'taken'], 'holds other files (a.txt)'],
  ])('fails with one line, and writes nothing, for %s', async (_, args, message) => {
    await mkdir(join(root, 'empty'), { recursive: true });
    await mkdir(join(root, 'pictures'), { recursive: true });
    await mkdir(join(root, 'taken'), { recursive: true });
    await writeFile(join(root, 'taken/a.txt'), 'mine');
    await writeFile(join(root, 'three.txt'), 'a\nb\nc');
    await writeFile(join(root, 'pytorch_model.bin'), 'x');
    await writeFile(join(root, 'pictures/a.png'), await readFile('test/fixtures/images/png-rgb.png'));
    const local = new Set(['pytorch_model.bin', 'three.txt', 'empty', 'pictures', 'taken']);
    const resolved = args.map((argument) => (local.has(argument) ? join(root, argument) : argument));
    const before = await readdir(root);
    const out = args.includes('--out') ? [] : ['--out', join(root, 'never')];
    const result = await bitEdge(['import', ...resolved, ...out]);
    expect(result).toMatchObject({ exitCode: 1, stdout: '' });
    expect(result.stderr.trim().split('\n')).toHaveLength(1);
    expect(result.stderr).toContain(message);
    expect(await readdir(root)).toEqual(before);
    expect(await readdir(join(root, 'taken'))).toEqual(['a.txt']);
  });

  it('leaves nothing behind when it is interrupted, and what was there before as it was', async () => {
    const folder = join(root, 'interrupted');
    await mkdir(folder);
    const out = join(folder, 'out');
    expect((await bitEdge(['import', FIXTURE, '--out', out])).exitCode).toBe(0);
    const before = await readFile(join(out, 'manifest.json'), 'utf8');
    const child = spawn(process.execPath, ['scripts/cli/bit-edge.ts', 'import', FIXTURE, '--out', out], {
      stdio: 'ignore',
    });
    const exited = new Promise((resolve) => child.once('close', resolve));
    const staged = async () => (await readdir(folder)).some((name) => name.endsWith('.tmp'));
    while (!(await staged())) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGINT');
    expect(await exited).toBe(130);
    expect(await readdir(folder)).toEqual(['out']);
    expect(await readFile(join(out, 'manifest.json'), 'utf8')).toBe(before);
  }, 60_000);
});
