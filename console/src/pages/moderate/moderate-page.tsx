/** Moderate: a policy, labelled images, and what its thresholds do to them while they move. */
import '../../without-eval.ts';
import { useState } from 'preact/hooks';
import type { Policy } from '../../../../worker/moderation/policy/schema.ts';
import { parsePolicy } from '../../../../worker/moderation/policy/validate.ts';
import { ProblemNote } from '../../components/problem.tsx';
import { formatCount } from '../../format.ts';
import { useLoading } from '../../loading.ts';
import { useSession } from '../../session.tsx';
import { Categories } from './categories.tsx';
import { PolicyText } from './policy-text.tsx';
import { PublishForm } from './publish-form.tsx';
import { type PickedFile, scoreImage } from './scores.ts';
import { type TrialImage, tryPolicy } from './trial.ts';
import { Verdicts } from './verdicts.tsx';

const DEFAULT_POLICY = 'default';

/** The page: a policy is chosen, then tried. */
export function ModeratePage() {
  const { client } = useSession();
  const [name, setName] = useState(DEFAULT_POLICY);
  const [typed, setTyped] = useState(DEFAULT_POLICY);
  const loaded = useLoading(async () => {
    const policy = parsePolicy(await client.getPolicy(name));
    const { labels } = await client.getLabels(`${policy.model.name}@${policy.model.reference}`);
    return { policy, labels };
  }, [client, name]);
  return (
    <>
      <div class="page-head with-actions">
        <h1>Moderate</h1>
        <p class="quiet">Move a threshold and see what it does to your images, before anybody meets it.</p>
        <form
          class="row"
          onSubmit={(event) => {
            event.preventDefault();
            setName(typed);
          }}
        >
          <label>
            Policy
            <input value={typed} required onInput={(event) => setTyped(event.currentTarget.value)} />
          </label>
          <button type="submit">Open</button>
        </form>
      </div>
      {loaded.error !== null && <ProblemNote error={loaded.error} retry={loaded.reload} />}
      {loaded.value === null && loaded.error === null && <p class="quiet">Reading the policy…</p>}
      {loaded.value !== null && loaded.error === null && (
        <Trial
          key={`${loaded.value.policy.name}@${loaded.value.policy.version}`}
          published={loaded.value.policy}
          labels={loaded.value.labels}
        />
      )}
    </>
  );
}

function Trial({ published, labels }: { readonly published: Policy; readonly labels: readonly string[] }) {
  const { client } = useSession();
  const [policy, setPolicy] = useState(published);
  const [images, setImages] = useState<readonly TrialImage[]>([]);
  const [left, setLeft] = useState(0);
  const [error, setError] = useState<unknown>(null);

  const add = async (files: readonly PickedFile[]): Promise<void> => {
    setError(null);
    setLeft((count) => count + files.length);
    for (const file of files) {
      try {
        const image = await scoreImage(client, policy, labels.length, file);
        setImages((old) => [...old, image]);
      } catch (thrown) {
        setError(thrown);
      }
      setLeft((count) => count - 1);
    }
  };
  const result = tryPolicy(policy, labels, images);
  return (
    <>
      <FolderInput onFiles={(files) => void add(files)} />
      {left > 0 && (
        <p class="quiet" role="status">
          {formatCount(left)} images to go…
        </p>
      )}
      {error !== null && <ProblemNote error={error} />}
      <Verdicts images={images} result={result} />
      <Categories policy={policy} metrics={result.metrics} onChange={setPolicy} />
      <PolicyText policy={policy} onChange={setPolicy} labels={labels} />
      <PublishForm policy={policy} published={published} />
    </>
  );
}

/** Folders are categories: `weapons/1.jpg` belongs to `weapons`, `none/2.jpg` to none. */
function FolderInput({ onFiles }: { onFiles(files: readonly PickedFile[]): void }) {
  const give = (files: FileList | null): void => {
    const picked = [...(files ?? [])]
      .filter(({ type }) => type.startsWith('image/'))
      .map((file) => ({ path: file.webkitRelativePath || file.name, blob: file }));
    if (picked.length > 0) onFiles(picked);
  };
  return (
    <section class="panel" aria-label="Images">
      <p class="quiet">
        Images are named by their folder: <code>weapons/1.jpg</code> belongs to <code>weapons</code>,{' '}
        <code>none/2.jpg</code> to no category.
      </p>
      <div class="row">
        <label>
          A folder of folders
          <input
            type="file"
            multiple
            ref={(input) => input?.setAttribute('webkitdirectory', '')}
            onChange={(event) => give(event.currentTarget.files)}
          />
        </label>
        <label>
          Or single images
          <input type="file" accept="image/*" multiple onChange={(event) => give(event.currentTarget.files)} />
        </label>
      </div>
    </section>
  );
}
