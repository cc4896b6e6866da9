/** The variables of a deployment that concern GPU workers. */
import { readNumber, type Variables } from '../../variables.ts';

/** See each member. */
export interface WorkSettings {
  /** A chunk whose worker does not renew its lease for this long is given to another, in ms. `WORK_LEASE_SECONDS`, default 60. */
  readonly leaseMs: number;
  /** A worker that was not heard of for this long is not there, in ms. `WORK_SEEN_SECONDS`, default 45. */
  readonly seenMs: number;
  /** First delay of a chunk that was given back with items left over, in ms. `JOB_RETRY_SECONDS`, default 5. */
  readonly retryMs: number;
}

/**
 * Reads the settings.
 * @throws ConfigurationError naming the first variable that is wrong.
 */
export function readWorkSettings(variables: Variables): WorkSettings {
  return {
    leaseMs: readNumber(variables, 'WORK_LEASE_SECONDS', 60, 0.1, 43_200) * 1000,
    seenMs: readNumber(variables, 'WORK_SEEN_SECONDS', 45, 0.1, 43_200) * 1000,
    retryMs: readNumber(variables, 'JOB_RETRY_SECONDS', 5, 0, 3600) * 1000,
  };
}
