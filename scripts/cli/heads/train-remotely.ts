/** Trains a head in a running deployment: a form with a file a picture, then its events until it is ready. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as z from 'zod';
import { RequestError } from '../../../worker/errors.ts';
import type { FeatureKind } from '../../../worker/heads/math/features.ts';
import type { Method } from '../../../worker/heads/math/train.ts';
import { listImages } from '../import/images.ts';

const POLL_MS = 500;

const statusSchema = z.looseObject({
  name: z.string(),
  state: z.string(),
  aliases: z.record(z.string(), z.string()),
  examples: z.object({ pending: z.int(), ready: z.int(), failed: z.int() }),
  versions: z.array(z.looseObject({ version: z.string(), accuracy: z.number().nullable() })),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});

/** A head, as the deployment describes it. */
export type RemoteHead = z.infer<typeof statusSchema>;

/** What is trained, and where. */
export interface RemoteTraining {
  readonly url: string;
  readonly key: string | undefined;
  readonly folder: string;
  readonly name: string;
  /** `name@version`. */
  readonly backbone: string | undefined;
  readonly method: Method;
  readonly features: FeatureKind;
  readonly unknownRate: number | null;
}

/**
 * Trains a head.
 * @throws RequestError with the deployment's own words.
 */
export async function trainRemotely(training: RemoteTraining): Promise<RemoteHead> {
  const { url, key, folder, name, backbone, method, features, unknownRate } = training;
  const form = new FormData();
  form.append('name', name);
  form.append('method', method);
  form.append('features', features);
  if (backbone !== undefined) form.append('backbone', backbone);
  if (unknownRate !== null) form.append('unknown', String(unknownRate));
  for (const path of (await listImages(folder)).paths) {
    const label = path.split('/').at(-2);
    if (label === undefined) throw new RequestError('invalid_body', `${path} is in no folder; folders are classes`);
    form.append(label, new Blob([await readFile(join(folder, path))]), basename(path));
  }
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  let status = await answer(await fetch(`${url}/v1/heads`, { method: 'POST', body: form, headers }));
  while (status.state === 'embedding' || status.state === 'stale') {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    status = await answer(await fetch(`${url}/v1/heads/${name}`, { headers }));
  }
  if (status.error !== null) throw new RequestError('invalid_body', status.error.message);
  return status;
}

async function answer(response: Response): Promise<RemoteHead> {
  const text = await response.text();
  if (!response.ok) throw new RequestError('invalid_body', `the deployment answered ${response.status}: ${text}`);
  return statusSchema.parse(JSON.parse(text));
}
