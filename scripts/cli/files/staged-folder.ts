/**
 * A folder that appears whole or not at all: written beside its final place and renamed there. Ctrl-C removes what was
 * begun and leaves what was there before.
 */
import { existsSync, rmSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ModelError } from '../../../worker/errors.ts';
import { onEnding } from '../../process/ending.ts';

/**
 * Lets `fill` write a folder, then puts it in the place of `target`.
 * @param marker a file that says `target` is ours to replace; any other folder that is not empty is refused.
 * @throws ModelError `invalid_model_config` where `target` is something else.
 */
export async function withStagedFolder<T>(
  target: string,
  marker: string,
  fill: (folder: string) => Promise<T>,
): Promise<T> {
  const final = resolve(target);
  await refuseForeign(final, marker);
  const staged = `${final}.${process.pid}.tmp`;
  const replaced = `${final}.${process.pid}.old`;
  const forget = onEnding(() => rmSync(staged, { recursive: true, force: true }));
  try {
    await mkdir(dirname(final), { recursive: true });
    await mkdir(staged);
    const result = await fill(staged);
    if (existsSync(final)) await rename(final, replaced);
    await rename(staged, final);
    await rm(replaced, { recursive: true, force: true });
    return result;
  } catch (error) {
    if (existsSync(replaced) && !existsSync(final)) await rename(replaced, final);
    throw error;
  } finally {
    forget();
    await rm(staged, { recursive: true, force: true });
  }
}

async function refuseForeign(target: string, marker: string): Promise<void> {
  if (!existsSync(target)) return;
  const names = await readdir(target).catch(() => null);
  if (names === null) throw new ModelError('invalid_model_config', `${target} is a file; --out names a folder`);
  if (names.length > 0 && !existsSync(join(target, marker))) {
    throw new ModelError(
      'invalid_model_config',
      `${target} holds other files (${names.slice(0, 3).join(', ')}); name an empty folder`,
    );
  }
}
