import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import type { ResultsPage } from '../../../worker/jobs/bulk-job.ts';
import { resultLines } from '../../../worker/jobs/result-lines.ts';

type Chunk = ResultsPage['chunks'][number];

/** A job of these chunks. */
function job(chunks: readonly Omit<Chunk, 'chunk'>[], over: boolean) {
  return {
    async results(from: number, max: number): Promise<ResultsPage> {
      const page = chunks.map((each, chunk) => ({ ...each, chunk })).slice(from, from + max);
      return { chunks: page, next: page.length < max ? null : from + max, over };
    },
  };
}

const ended = (...lines: string[]) => ({ part: null, ended: true, lines });
const open = (...lines: string[]) => ({ part: null, ended: false, lines });

async function read(source: ReturnType<typeof job>, cursor: string, limit = 100) {
  const { body, next } = await resultLines(source, env.JOBS, cursor, limit);
  return { lines: (await new Response(body).text()).split('\n').slice(0, -1), next };
}

describe('result pages', () => {
  it('of a running job stop before the first chunk that has not ended, and go on from there', async () => {
    const first = await read(job([ended('a', 'b'), open('d'), ended('e')], false), '0-0');
    expect(first).toEqual({ lines: ['a', 'b'], next: '1-0' });
    const later = job([ended('a', 'b'), ended('c', 'd'), ended('e')], true);
    expect(await read(later, first.next!)).toEqual({ lines: ['c', 'd', 'e'], next: null });
  });

  it('of a job whose chunks have ended but whose inputs are still read have a cursor behind the last', async () => {
    expect(await read(job([ended('a')], false), '0-0')).toEqual({ lines: ['a'], next: '1-0' });
    expect(await read(job([ended('a')], false), '1-0')).toEqual({ lines: [], next: '1-0' });
  });

  it('give every line once, whatever their limit and wherever chunks end', async () => {
    const chunks = Array.from({ length: 20 }, (_, chunk) =>
      ended(...Array.from({ length: chunk % 4 }, (_, line) => `${chunk}.${line}`)),
    );
    const all = chunks.flatMap(({ lines }) => lines);
    for (const limit of [1, 2, 3, 7, 29, 30, 31]) {
      const seen: string[] = [];
      for (let cursor: string | null = '0-0'; cursor !== null; ) {
        const page: Awaited<ReturnType<typeof read>> = await read(job(chunks, true), cursor, limit);
        expect(page.lines.length).toBeLessThanOrEqual(limit);
        seen.push(...page.lines);
        cursor = page.next;
      }
      expect(seen).toEqual(all);
    }
  });

  it('read parts from the bucket; a part that is gone is an error, not an empty page', async () => {
    await env.JOBS.put('test/part', 'x\ny\n');
    const stored = { part: 'test/part', ended: true, lines: [] };
    expect((await read(job([stored], true), '0-1')).lines).toEqual(['y']);
    const gone = job([{ ...stored, part: 'test/none' }], true);
    await expect(read(gone, '0-0')).rejects.toMatchObject({ code: 'job_state_conflict' });
  });
});
