/** The time of each stage of a request, as one bar. */
import { formatMs } from '../../format.ts';
import type { Answer } from './answers.ts';

/** Stages in their order; what the worker did not see is the way there and back, and waiting. */
export function Timings({ answer }: { readonly answer: Extract<Answer, { state: 'done' }> }) {
  const { timing } = answer.classification;
  const stages = [
    { name: 'decode', ms: timing.decode_ms ?? 0 },
    { name: 'preprocess', ms: timing.preprocess_ms ?? 0 },
    { name: 'inference', ms: timing.inference_ms ?? 0 },
  ];
  const measured = stages.reduce((sum, { ms }) => sum + ms, 0);
  const all = [
    ...stages,
    { name: answer.fromCache ? 'cache' : 'network', ms: Math.max(0, answer.elapsedMs - measured) },
  ];
  const shown = all.filter(({ ms }) => ms > 0);
  const total = shown.reduce((sum, { ms }) => sum + ms, 0);
  return (
    <div class="timings">
      <p>
        <strong>{formatMs(total)}</strong>
        <span class="quiet">{answer.fromCache ? ' from the result cache' : ' in all'}</span>
      </p>
      <div class="stage-bar" aria-hidden="true">
        {shown.map(({ name, ms }) => (
          <span key={name} class={`stage stage-${name}`} style={{ flexGrow: ms / total }} />
        ))}
      </div>
      <ul class="stage-list">
        {shown.map(({ name, ms }) => (
          <li key={name}>
            <span class={`dot stage-${name}`} aria-hidden="true" />
            {name} {formatMs(ms)}
          </li>
        ))}
      </ul>
    </div>
  );
}
