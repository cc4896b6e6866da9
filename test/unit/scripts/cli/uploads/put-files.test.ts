import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryObjectStore } from '../../../../../model-store/memory-object-store.ts';
import { listAll } from '../../../../../model-store/object-store.ts';
import { samplePicture } from '../../../../../scripts/cli/deploy/sample-picture.ts';
import { putFiles } from '../../../../../scripts/cli/uploads/put-files.ts';

let folder: string;
let store: MemoryObjectStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bit-edge-uploads-'));
  store = new MemoryObjectStore();
  await mkdir(join(folder, 'cats/small'), { recursive: true });
  await writeFile(join(folder, 'cats/a.png'), samplePicture());
  await writeFile(join(folder, 'cats/small/b.png'), samplePicture());
  await writeFile(join(folder, 'cats/notes.txt'), 'no picture');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

describe('putFiles', () => {
  it("keeps a folder's structure and passes over what is no picture", async () => {
    const uploaded = await putFiles(store, [join(folder, 'cats')], 'uploads/');
    expect(uploaded.map(({ key }) => key)).toEqual(['uploads/a.png', 'uploads/small/b.png']);
    expect((await listAll(store, '')).map(({ key }) => key)).toEqual(['uploads/a.png', 'uploads/small/b.png']);
    expect(await (await store.get('uploads/a.png'))!.bytes()).toEqual(samplePicture());
  });

  it('refuses a file that was named and is no picture', async () => {
    await expect(putFiles(store, [join(folder, 'cats/notes.txt')], 'uploads/')).rejects.toMatchObject({
      code: 'unrecognized_image',
    });
  });
});
