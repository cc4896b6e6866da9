/** A state, coloured by whether it is good, bad, or still to end. */

const TONES: Readonly<Record<string, string>> = {
  completed: 'good',
  delivered: 'good',
  enabled: 'good',
  ready: 'good',
  allow: 'good',
  approved: 'good',
  ingesting: 'accent',
  embedding: 'accent',
  stale: 'accent',
  running: 'accent',
  pending: 'accent',
  accepted: 'accent',
  decided: 'accent',
  review: 'warn',
  cancelled: 'warn',
  disabled: 'warn',
  dead: 'bad',
  failed: 'bad',
  block: 'bad',
  rejected: 'bad',
};

/** The badge; the word says what the colour does. */
export function StateBadge({ state }: { readonly state: string }) {
  return <span class={`badge ${TONES[state] ?? ''}`}>{state}</span>;
}
