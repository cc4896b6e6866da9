/** Runs in Node, called from tests in workerd as `env.FIXTURES`: `/model/<file>` of the default model, `/<path>` below test/fixtures. */
import { readFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureDefaultModel } from '../../scripts/cli/default-model.ts';
import { readPhoto } from './photo.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));

let built: ReturnType<typeof ensureDefaultModel> | undefined;

/** Answers with a file's bytes, or 404. */
export async function serveFixture(request: { url: string }): Promise<Response> {
  const path = normalize(decodeURIComponent(new URL(request.url).pathname)).slice(1);
  try {
    return new Response(await readFixture(path));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return new Response(`no fixture ${path}`, { status: 404 });
    }
    throw error;
  }
}

async function readFixture(path: string): Promise<Uint8Array<ArrayBuffer>> {
  if (path === 'photo.png') return readPhoto();
  if (!path.startsWith('model/')) return new Uint8Array(await readFile(join(FIXTURES, path)));
  built ??= ensureDefaultModel();
  return new Uint8Array(await readFile(join((await built).directory, path.slice('model/'.length))));
}
