/** Publishes a changed policy as a new version, and points an alias at it. */
import { useState } from 'preact/hooks';
import type { PublishedPolicy } from '../../../../client/index.ts';
import type { Policy } from '../../../../worker/moderation/policy/schema.ts';
import { ProblemNote } from '../../components/problem.tsx';
import { useSession } from '../../session.tsx';

interface PublishFormProps {
  readonly policy: Policy;
  /** The version that was opened. */
  readonly published: Policy;
}

/** The form; without the scope `admin` a word about it. */
export function PublishForm({ policy, published }: PublishFormProps) {
  const { client, access } = useSession();
  const [version, setVersion] = useState(() => nextVersion(published.version));
  const [alias, setAlias] = useState('latest');
  const [done, setDone] = useState<PublishedPolicy | null>(null);
  const [error, setError] = useState<unknown>(null);
  const isAdmin = access.state === 'open' && access.key.scopes.includes('admin');
  if (!isAdmin) return <p class="quiet">Publishing a version needs a key with the scope admin.</p>;
  const submit = (event: Event): void => {
    event.preventDefault();
    setError(null);
    setDone(null);
    client.publishPolicy({ ...policy, version }, alias === '' ? null : alias).then(setDone, setError);
  };
  return (
    <form class="panel" aria-label="Save as a version" onSubmit={submit}>
      <h2>Save as a version</h2>
      <div class="row form-row">
        <label>
          Version
          <input value={version} required onInput={(event) => setVersion(event.currentTarget.value)} />
        </label>
        <label>
          Alias to move
          <input value={alias} placeholder="none" onInput={(event) => setAlias(event.currentTarget.value)} />
        </label>
        <button type="submit" class="primary">
          Save
        </button>
      </div>
      {error !== null && <ProblemNote error={error} />}
      {done !== null && (
        <p role="status">
          <code>
            {done.name}@{done.version}
          </code>{' '}
          is published{done.alias === null ? '' : ` and ${done.alias} names it`}. Isolates follow within half a minute.
        </p>
      )}
    </form>
  );
}

/** `3` becomes `4`; what is no number gets a suffix. */
function nextVersion(version: string): string {
  return /^\d+$/.test(version) ? String(Number(version) + 1) : `${version}-2`;
}
