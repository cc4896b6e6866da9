/** Why items of a job failed. */
import * as z from 'zod';
import type { Deployment } from './deployment.ts';

const failureSchema = z.object({
  index: z.int().nonnegative(),
  id: z.string().optional(),
  status: z.literal('failed'),
  error: z.object({ code: z.string(), message: z.string() }),
});

/** Says on standard error how many items failed by code, with the first of each. */
export async function reportFailures(deployment: Deployment, id: string): Promise<void> {
  const byCode = new Map<string, { count: number; example: string }>();
  let cursor: string | null = '0-0';
  while (cursor !== null) {
    const path: string = `/v1/jobs/${encodeURIComponent(id)}/results?cursor=${cursor}`;
    const response = await deployment.call('GET', path);
    for (const line of (await response.text()).split('\n')) {
      const parsed = line === '' ? null : failureSchema.safeParse(JSON.parse(line));
      if (parsed?.success !== true) continue;
      const { index, id: name, error } = parsed.data;
      const seen = byCode.get(error.code);
      if (seen !== undefined) seen.count++;
      else byCode.set(error.code, { count: 1, example: `item ${name ?? index}: ${error.message}` });
    }
    cursor = response.headers.get('x-next-cursor');
  }
  for (const [code, { count, example }] of byCode) process.stderr.write(`${count} ${code}, such as ${example}\n`);
}
