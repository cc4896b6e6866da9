/** A new head: its classes, its name, and how it is trained. */
import { useMemo, useState } from 'preact/hooks';
import type { ModelList } from '../../../../client/index.ts';
import { ProblemNote } from '../../components/problem.tsx';
import { useLoading } from '../../loading.ts';
import { newKey } from '../../new-key.ts';
import { useSession } from '../../session.tsx';
import { referencesOf } from '../try/options.tsx';
import { ClassColumns } from './class-columns.tsx';
import { labelledOf, reasonAgainst } from './columns.ts';
import { type Pupil, type TeachingProgress, teach } from './teaching.ts';
import { TeachingLine } from './teaching-line.tsx';
import { useColumns } from './use-columns.ts';

const METHODS = {
  auto: 'chosen for you',
  ridge: 'ridge regression',
  nearest_mean: 'nearest mean',
  logistic: 'logistic',
};
const PROMOTIONS = { always: 'every version', if_better: 'if not worse', never: 'by hand' };

interface NewHeadProps {
  readonly models: ModelList;
  onTaught(name: string): void;
}

/** The form. */
export function NewHeadForm({ models, onTaught }: NewHeadProps) {
  const { client } = useSession();
  const [backbone, setBackbone] = useState(`${models.default.name}@${models.default.version}`);
  const [name, setName] = useState('my-classes');
  const [method, setMethod] = useState<keyof typeof METHODS>('auto');
  const [promote, setPromote] = useState<keyof typeof PROMOTIONS>('always');
  const [unknown, setUnknown] = useState(false);
  const [progress, setProgress] = useState<TeachingProgress | null>(null);
  const [error, setError] = useState<unknown>(null);
  const preprocessor = useLoading(() => client.getPreprocessor(backbone), [client, backbone]);
  const state = useColumns(['', ''], preprocessor.value);
  const reason = reasonAgainst(state.columns, 2);
  // The same settings keep their key: a head that was made before an error is taught further, not refused as a conflict.
  const pupil = useMemo<Pupil>(
    () => ({ kind: 'new', head: { name, backbone, method, promote, unknown }, idempotencyKey: newKey() }),
    [name, backbone, method, promote, unknown],
  );

  const submit = (event: Event): void => {
    event.preventDefault();
    if (reason !== null || progress !== null) return;
    setError(null);
    teach(client, pupil, labelledOf(state.columns), setProgress).then(
      () => onTaught(name),
      (thrown: unknown) => {
        setError(thrown);
        setProgress(null);
      },
    );
  };
  return (
    <form class="teach" aria-label="New head" onSubmit={submit}>
      {preprocessor.error !== null && <ProblemNote error={preprocessor.error} retry={preprocessor.reload} />}
      <ClassColumns state={state} />
      <div class="panel">
        <div class="row form-row">
          <label>
            Name
            <input
              value={name}
              required
              pattern="[a-z0-9][a-z0-9._\-]{0,63}"
              title="1 to 64 of a-z 0-9 . _ -"
              onInput={(event) => setName(event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="primary" disabled={reason !== null || progress !== null}>
            Train
          </button>
          <TeachingLine reason={reason} progress={progress} />
        </div>
        <details>
          <summary>Options</summary>
          <div class="row form-row">
            <label>
              Backbone
              <select value={backbone} onChange={(event) => setBackbone(event.currentTarget.value)}>
                {referencesOf(models).map((each) => (
                  <option key={each} value={each}>
                    {each}
                  </option>
                ))}
              </select>
            </label>
            <Choice<keyof typeof METHODS> label="Method" choices={METHODS} value={method} onChange={setMethod} />
            <Choice<keyof typeof PROMOTIONS>
              label="Publish as latest"
              choices={PROMOTIONS}
              value={promote}
              onChange={setPromote}
            />
            <label class="check">
              <input type="checkbox" checked={unknown} onChange={(event) => setUnknown(event.currentTarget.checked)} />
              Call pictures of no class “unknown”
            </label>
          </div>
        </details>
        {error !== null && <ProblemNote error={error} />}
      </div>
    </form>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly choices: Readonly<Record<T, string>>;
  readonly value: T;
  onChange(value: T): void;
}

function Choice<T extends string>({ label, choices, value, onChange }: ChoiceProps<T>) {
  const names = Object.keys(choices) as T[];
  return (
    <label>
      {label}
      <select
        value={value}
        onChange={(event) => onChange(names.find((each) => each === event.currentTarget.value) ?? value)}
      >
        {names.map((each) => (
          <option key={each} value={each}>
            {choices[each]}
          </option>
        ))}
      </select>
    </label>
  );
}
