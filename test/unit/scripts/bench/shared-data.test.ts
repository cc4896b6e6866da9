import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { sharedFolder } from '../../../../scripts/bench/shared-data.ts';

it('is beside the project, unless BIT_EDGE_SHARED says where', () => {
  vi.stubEnv('BIT_EDGE_SHARED', undefined);
  expect(sharedFolder()).toBe(join(import.meta.dirname, '../../../../../shared'));
  vi.stubEnv('BIT_EDGE_SHARED', '/data');
  expect(sharedFolder()).toBe('/data');
  vi.unstubAllEnvs();
});
