/**
 * What Durable Objects know, as lines of JSON. The platform gives nobody their databases, and takes none back: this is for reading.
 * (It keeps 30 days of their history itself: point-in-time recovery.)
 */
import * as z from 'zod';
import type { Deployment } from '../jobs/deployment.ts';

/** A list of the API, page by page: its member, and where the next page begins. */
const LISTS = [
  { file: 'records/jobs.ndjson', path: '/v1/jobs', member: 'jobs' },
  { file: 'records/decisions.ndjson', path: '/v1/decisions', member: 'decisions' },
  { file: 'records/events.ndjson', path: '/v1/webhooks/events', member: 'events' },
] as const;

/** Files and their lines. @throws FetchError, RequestError as `Deployment.call`. */
export async function* readRecords(deployment: Deployment): AsyncGenerator<{ file: string; lines: string[] }> {
  for (const { file, path, member } of LISTS) {
    const schema = z.object({ [member]: z.array(z.json()), next_cursor: z.string().nullable() });
    const lines: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `?cursor=${encodeURIComponent(cursor)}`;
      const page = schema.parse(await deployment.json('GET', `${path}${query}`));
      for (const item of z.array(z.json()).parse(page[member])) lines.push(JSON.stringify(item));
      cursor = z.string().nullable().parse(page.next_cursor);
    }
    yield { file, lines };
  }
}
