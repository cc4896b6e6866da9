/** More examples for a head: its classes as columns, and new ones. */
import { useState } from 'preact/hooks';
import type { Head } from '../../../../client/index.ts';
import { ProblemNote } from '../../components/problem.tsx';
import { useLoading } from '../../loading.ts';
import { useSession } from '../../session.tsx';
import { ClassColumns } from './class-columns.tsx';
import { labelledOf, reasonAgainst } from './columns.ts';
import { type TeachingProgress, teach } from './teaching.ts';
import { TeachingLine } from './teaching-line.tsx';
import { useColumns } from './use-columns.ts';

/** Columns to begin with; other classes are added by name. */
const MAX_COLUMNS = 12;

interface TeachMoreProps {
  readonly head: Head;
  onTaught(): void;
}

/** The panel. */
export function TeachMore({ head: { name, backbone, classes }, onTaught }: TeachMoreProps) {
  const { client } = useSession();
  const reference = `${backbone.name}@${backbone.version}`;
  const preprocessor = useLoading(() => client.getPreprocessor(reference), [client, reference]);
  const labels = classes.slice(0, MAX_COLUMNS).map(({ label }) => label);
  const state = useColumns(labels, preprocessor.value);
  const [progress, setProgress] = useState<TeachingProgress | null>(null);
  const [error, setError] = useState<unknown>(null);
  const reason = reasonAgainst(state.columns, 1);
  const submit = (event: Event): void => {
    event.preventDefault();
    if (reason !== null || progress !== null) return;
    setError(null);
    teach(client, { kind: 'known', name }, labelledOf(state.columns), setProgress)
      .then(() => {
        state.reset(state.columns.map(({ label }) => label));
        onTaught();
      }, setError)
      .finally(() => setProgress(null));
  };
  return (
    <section class="teach" aria-labelledby="teach-more-title">
      <h2 id="teach-more-title">Teach it more</h2>
      <form class="teach" aria-label="More examples" onSubmit={submit}>
        <ClassColumns state={state} />
        <div class="row">
          <button type="submit" class="primary" disabled={reason !== null || progress !== null}>
            Add and train
          </button>
          <TeachingLine reason={reason} progress={progress} />
        </div>
        {error !== null && <ProblemNote error={error} />}
      </form>
    </section>
  );
}
