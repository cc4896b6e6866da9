/** What was deployed last, in the models bucket: a deploy of the same build, variables and account state changes nothing. */
import * as z from 'zod';
import { getText, type ObjectStore } from '../../../model-store/object-store.ts';

/** Key of the record. */
export const RECORD_KEY = 'deployments/current.json';

const recordSchema = z.object({
  /** SHA-256 over bundle, configuration and variables. */
  build: z.string(),
  url: z.string(),
  deployed_at: z.string(),
});

export type DeploymentRecord = z.infer<typeof recordSchema>;

/** The record; null where there is none that can be read. */
export async function readDeployment(store: ObjectStore): Promise<DeploymentRecord | null> {
  const found = await getText(store, RECORD_KEY);
  if (found === null) return null;
  const parsed = recordSchema.safeParse(JSON.parse(found.text) as unknown);
  return parsed.success ? parsed.data : null;
}

/** Writes the record. */
export async function writeDeployment(store: ObjectStore, record: DeploymentRecord): Promise<void> {
  await store.put(RECORD_KEY, new TextEncoder().encode(JSON.stringify(record)), { contentType: 'application/json' });
}
