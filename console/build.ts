/**
 * Builds the console into console/dist: one page, hashed scripts and styles, sample pictures. `wrangler dev` and `wrangler deploy`
 * run it (wrangler.toml, `[build]`); it writes only what has changed, so that it may run at any time. Node only.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type BuildOptions, build } from 'esbuild';
import { renderSamples } from './samples.ts';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const OUTPUT = join(FOLDER, 'dist');

const SHARED = {
  bundle: true,
  write: false,
  minify: true,
  metafile: true,
  format: 'esm',
  target: 'es2023',
  legalComments: 'none',
  outdir: join(OUTPUT, 'console'),
  entryNames: '[name]-[hash]',
  absWorkingDir: FOLDER,
} satisfies BuildOptions;

/** What was built. */
export interface BuiltConsole {
  /** Paths below console/dist and their bytes. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Gzipped bytes of the JavaScript that the first page needs before it is shown. */
  readonly firstLoadBytes: number;
}

/**
 * Builds everything in memory.
 * @throws Error with esbuild's messages where the sources do not compile.
 */
export async function buildConsole(): Promise<BuiltConsole> {
  const decoder = await build({ ...SHARED, entryPoints: { decoder: 'src/decoding/decode-worker.ts' } });
  const decoderPath = pathOf(decoder.outputFiles[0]!.path);
  const app = await build({
    ...SHARED,
    entryPoints: { app: 'src/main.tsx' },
    splitting: true,
    chunkNames: '[name]-[hash]',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    define: { DECODER_PATH: JSON.stringify(`/${decoderPath}`) },
  });
  const files = new Map<string, Uint8Array>();
  for (const { path, contents } of [...decoder.outputFiles, ...app.outputFiles]) files.set(pathOf(path), contents);
  const [entry, { imports }] = Object.entries(app.metafile.outputs).find(([, output]) =>
    output.entryPoint?.endsWith('main.tsx'),
  )!;
  const first = [entry, ...imports.filter(({ kind }) => kind === 'import-statement').map(({ path }) => path)];
  const paths = first.map((path) => pathOf(join(FOLDER, path)));
  const style = [...files.keys()].find((path) => /\/app-\w+\.css$/.test(path))!;
  const page = await readFile(join(FOLDER, 'index.html'), 'utf8');
  const html = page.replace('APP_SCRIPT', `/${paths[0]}`).replace('APP_STYLE', `/${style}`);
  files.set('index.html', new TextEncoder().encode(html));
  files.set('console/icon.svg', await readFile(join(FOLDER, 'icon.svg')));
  for (const [name, bytes] of await renderSamples()) files.set(`console/samples/${name}`, bytes);
  return { files, firstLoadBytes: paths.reduce((sum, path) => sum + gzipSync(files.get(path)!).byteLength, 0) };
}

/** Writes what differs from what is there, each file at once, and removes what was not built. */
export async function writeConsole({ files }: BuiltConsole): Promise<void> {
  for (const [path, bytes] of files) {
    const target = join(OUTPUT, path);
    const old = await readFile(target).catch(() => null);
    if (old?.equals(bytes)) continue;
    await mkdir(dirname(target), { recursive: true });
    const temporary = `${target}.${process.pid}`;
    await writeFile(temporary, bytes);
    await rename(temporary, target);
  }
  for (const entry of await readdir(OUTPUT, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !files.has(relative(OUTPUT, path))) await rm(path, { force: true });
  }
}

function pathOf(absolute: string): string {
  return relative(OUTPUT, absolute);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const built = await buildConsole();
  await writeConsole(built);
  process.stdout.write(`console  ${(built.firstLoadBytes / 1000).toFixed(1)} kB of JavaScript gzipped at first load\n`);
}
