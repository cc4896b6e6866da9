import { describe, expect, it } from 'vitest';
import { acceptTraceparent, childTraceparent, startTrace, traceIdOf } from '../../../worker/observability/trace.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const PARENT_ID = 'b7ad6b7169203331';
const VALID = /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/;

describe('traceparent', () => {
  it('goes on with the same trace in a span of its own', () => {
    const own = acceptTraceparent(`00-${TRACE_ID}-${PARENT_ID}-01`);
    expect(own).toMatch(VALID);
    expect(traceIdOf(own)).toBe(TRACE_ID);
    expect(own).not.toContain(PARENT_ID);
    const child = childTraceparent(own);
    expect(traceIdOf(child)).toBe(TRACE_ID);
    expect(child).not.toBe(own);
  });

  it.each([
    ['00', false],
    ['01', true],
    // Flags of later versions are not passed on.
    ['03', true],
    ['02', false],
  ])('flags %s: sampled is %s', (flags, sampled) => {
    expect(acceptTraceparent(`00-${TRACE_ID}-${PARENT_ID}-${flags}`).slice(-2)).toBe(sampled ? '01' : '00');
  });

  // https://www.w3.org/TR/trace-context/#versioning-of-traceparent
  it('understands what it knows of a later version', () => {
    expect(traceIdOf(acceptTraceparent(`cc-${TRACE_ID}-${PARENT_ID}-01-what-the-future-will-be-like`))).toBe(TRACE_ID);
  });

  it.each([
    undefined,
    '',
    'nonsense',
    `ff-${TRACE_ID}-${PARENT_ID}-01`,
    `00-${TRACE_ID}-${PARENT_ID}-01-more`,
    `00-${TRACE_ID.toUpperCase()}-${PARENT_ID}-01`,
    `00-${'0'.repeat(32)}-${PARENT_ID}-01`,
    `00-${TRACE_ID}-${'0'.repeat(16)}-01`,
    `00-${TRACE_ID}-${PARENT_ID}`,
    `00-${TRACE_ID.slice(1)}-${PARENT_ID}-01`,
  ])('starts a trace of its own where %s comes in', (header) => {
    const own = acceptTraceparent(header);
    expect(own).toMatch(VALID);
    expect(traceIdOf(own)).not.toBe(TRACE_ID);
    expect(traceIdOf(own)).not.toBe(traceIdOf(startTrace()));
  });
});
