/** Starts a job: from lines, from a manifest on this device, or from a prefix of a bucket. */
import { useRef, useState } from 'preact/hooks';
import type { NewJob } from '../../../../client/index.ts';
import { ProblemNote } from '../../components/problem.tsx';
import { formatCount } from '../../format.ts';
import { useLoading } from '../../loading.ts';
import { newKey } from '../../new-key.ts';
import { useSession } from '../../session.tsx';
import { referencesOf } from '../try/options.tsx';
import { parseInputs } from './inputs.ts';

const TASKS = ['classify', 'embed', 'moderate'] as const;
const SOURCES = ['Lines', 'File', 'R2 prefix'] as const;

/** The form. @param onCreated Gets the job's id. */
export function NewJobForm({ onCreated }: { onCreated(id: string): void }) {
  const { client } = useSession();
  const models = useLoading(() => client.listModels(), [client]);
  const [source, setSource] = useState<(typeof SOURCES)[number]>('Lines');
  const [task, setTask] = useState<(typeof TASKS)[number]>('classify');
  const [model, setModel] = useState('');
  const [text, setText] = useState('');
  const [prefix, setPrefix] = useState('uploads/');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  // The same attempt keeps its key: pressed twice, or repeated after a lost answer, it is one job.
  const key = useRef(newKey());
  const inputs = parseInputs(text);

  const change = <T,>(set: (value: T) => void) => {
    return (value: T): void => {
      key.current = newKey();
      set(value);
    };
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    const job: NewJob = {
      task,
      ...(model !== '' && { model }),
      ...(source === 'R2 prefix' ? { prefix: { r2: prefix } } : { inputs }),
    };
    client.createJob(job, key.current).then(
      ({ id }) => onCreated(id),
      (thrown: unknown) => {
        setError(thrown);
        setBusy(false);
      },
    );
  };

  return (
    <form class="panel" aria-label="New job" onSubmit={submit}>
      <div class="row form-row">
        <label>
          Task
          <select
            value={task}
            onChange={(event) =>
              change(setTask)(TASKS.find((each) => each === event.currentTarget.value) ?? 'classify')
            }
          >
            {TASKS.map((each) => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
          </select>
        </label>
        <label>
          Model
          <select value={model} onChange={(event) => change(setModel)(event.currentTarget.value)}>
            <option value="">default</option>
            {models.value !== null &&
              referencesOf(models.value).map((each) => (
                <option key={each} value={each}>
                  {each}
                </option>
              ))}
          </select>
        </label>
        <label>
          Images from
          <select
            value={source}
            onChange={(event) =>
              change(setSource)(SOURCES.find((each) => each === event.currentTarget.value) ?? 'Lines')
            }
          >
            {SOURCES.map((each) => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
          </select>
        </label>
      </div>
      {source === 'File' && (
        <label>
          A file of lines (text or NDJSON)
          <input
            type="file"
            accept=".txt,.csv,.ndjson,.jsonl,text/plain"
            onChange={(event) => {
              void event.currentTarget.files?.[0]?.text().then(change(setText));
            }}
          />
        </label>
      )}
      {source === 'Lines' && (
        <label>
          One image a line: a URL, a key of the bucket, or {'{"url": …, "id": …}'}
          <textarea rows={6} value={text} onInput={(event) => change(setText)(event.currentTarget.value)} />
        </label>
      )}
      {source === 'R2 prefix' && (
        <label>
          Prefix, within those that the deployment allows
          <input value={prefix} required onInput={(event) => change(setPrefix)(event.currentTarget.value)} />
        </label>
      )}
      {error !== null && <ProblemNote error={error} />}
      <div class="row">
        <button type="submit" class="primary" disabled={busy || (source !== 'R2 prefix' && inputs.length === 0)}>
          Start
        </button>
        {source !== 'R2 prefix' && <span class="quiet">{formatCount(inputs.length)} images</span>}
      </div>
    </form>
  );
}
