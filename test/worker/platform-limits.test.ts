/** What the code makes at most, against what the platform takes. */
import { describe, expect, it } from 'vitest';
import { MAX_CHUNK_ITEMS, MAX_CHUNK_LINES_BYTES } from '../../worker/jobs/accept-job.ts';
import { MAX_CHUNK_INPUTS_BYTES } from '../../worker/jobs/chunk-store.ts';
import { MAX_RETRY_SECONDS as JOBS_RETRY_SECONDS, maxSubrequests } from '../../worker/jobs/consumer.ts';
import { MAX_RETRY_SECONDS as MODERATION_RETRY_SECONDS } from '../../worker/moderation/consumer.ts';
import { MAX_RUN_MS } from '../../worker/moderation/ledger/delivery-pump.ts';
import * as limits from '../../worker/platform-limits.ts';

/** Bytes that V8's serialization takes beside JSON's: tags and lengths. */
const OVERHEAD = 2;

describe('the limits of the platform', () => {
  it('a chunk makes fewer subrequests than one invocation may, and more than the free plan has', () => {
    expect(maxSubrequests(MAX_CHUNK_ITEMS)).toBeLessThan(limits.MAX_SUBREQUESTS);
    expect(maxSubrequests(1)).toBeGreaterThan(limits.MAX_SUBREQUESTS_FREE);
  });

  it('inputs and result lines of a chunk share a row', () => {
    const stateBytes = 2 * MAX_CHUNK_ITEMS + 200;
    expect(MAX_CHUNK_INPUTS_BYTES + MAX_CHUNK_LINES_BYTES + stateBytes).toBeLessThan(limits.MAX_ROW_BYTES);
  });

  it('messages are small, alone and a hundred together', () => {
    const messages = [
      { v: 1, job: `job_${'f'.repeat(32)}`, chunk: 999_999 },
      { source: 's'.repeat(32), event: `evt_${'s'.repeat(32)}_${'f'.repeat(32)}` },
    ];
    for (const message of messages) {
      const bytes = OVERHEAD * JSON.stringify(message).length;
      expect(bytes).toBeLessThan(limits.MAX_MESSAGE_BYTES);
      expect(limits.MAX_BATCH_MESSAGES * bytes).toBeLessThan(limits.MAX_BATCH_BYTES);
    }
  });

  it('no message is delayed, and no alarm runs, for longer than is allowed', () => {
    // The jobs' delay has jitter of half as much again.
    expect(Math.max(1.5 * JOBS_RETRY_SECONDS, MODERATION_RETRY_SECONDS)).toBeLessThan(limits.MAX_MESSAGE_DELAY_SECONDS);
    expect(2 * MAX_RUN_MS).toBeLessThan(limits.MAX_ALARM_MS);
  });
});
