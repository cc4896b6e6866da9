/**
 * Ids of events and decisions. They name their source, so that the object that holds them can be found, and they are
 * derived from the sender's message, so that the same message gives the same ids again. Pure.
 */
import { sha256Hex } from '../../model-store/sha256.ts';
import { utf8 } from '../bytes.ts';

const ID_PATTERN = /^(?:evt|dec)_([a-z0-9][a-z0-9-]{0,31})_([0-9a-f]{32})$/;

/** Id of the event that item number `position` of a message becomes; also the `webhook-id` of its callback. */
export async function eventId(source: string, messageId: string, position: number): Promise<string> {
  const hash = await sha256Hex(utf8(`${source}\n${position}\n${messageId}`));
  return `evt_${source}_${hash.slice(0, 32)}`;
}

/** Id of the decision on an event. */
export function decisionIdOf(event: string): string {
  return event.replace(/^evt_/, 'dec_');
}

/** Id of the event that carries the review of a decision to the sender; also the `webhook-id` of its callback. */
export async function reviewEventId(decision: string): Promise<string> {
  const hash = await sha256Hex(utf8(`review\n${decision}`));
  return `evt_${sourceOf(decision) ?? ''}_${hash.slice(0, 32)}`;
}

/** Id of a decision that belongs to no event. */
export function newDecisionId(source: string): string {
  return `dec_${source}_${crypto.randomUUID().replaceAll('-', '')}`;
}

/** The source that an event's or decision's id names; null where it is no such id. */
export function sourceOf(id: string): string | null {
  return ID_PATTERN.exec(id)?.[1] ?? null;
}
