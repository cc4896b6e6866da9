/** Model files of a deployment: downloaded once, verified, and kept in a local cache. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelFiles } from '../store/model-files.ts';
import { verifyFile } from '../store/model-files.ts';
import { saveVerified } from '../store/save-verified.ts';
import { type Deployment, expectFile } from './deployment.ts';

/** Reads versions by name; there is no list of them. */
export function deploymentFiles(deployment: Deployment, cacheDirectory: string): Omit<ModelFiles, 'list'> {
  /** `models/<name>/<version>/<file>` in the layout of the store. */
  const read = (key: string) => deployment.read(`/v1/work/${key}`);
  return {
    async readText(key) {
      const response = await read(key);
      if (response.status === 404) return null;
      return (await expectFile(response, key)).text();
    },
    async materialize(prefix, files) {
      const folder = join(cacheDirectory, prefix);
      await mkdir(folder, { recursive: true });
      for (const file of files) {
        const target = join(folder, file.path);
        const isCached = await verifyFile(target, prefix + file.path, file).then(
          () => true,
          () => false,
        );
        if (isCached) continue;
        const key = prefix + file.path;
        await saveVerified(await expectFile(await read(key), key), key, file, target);
      }
      return folder;
    },
  };
}
