/** What keeps teaching from beginning, or how far it is. */
import { formatCount } from '../../format.ts';
import type { TeachingProgress } from './teaching.ts';

interface TeachingLineProps {
  readonly reason: string | null;
  readonly progress: TeachingProgress | null;
}

/** One line, said by a screen reader as it changes. */
export function TeachingLine({ reason, progress }: TeachingLineProps) {
  return (
    <p class="quiet" role="status">
      {progress === null && reason}
      {progress !== null && progress.sent < progress.of && (
        <>
          <progress value={progress.sent} max={progress.of} aria-label="Pictures taught" /> {formatCount(progress.sent)}{' '}
          of {formatCount(progress.of)} pictures
        </>
      )}
      {progress !== null && progress.sent === progress.of && 'Training…'}
    </p>
  );
}
