/** The aliases of one model: what each names, and moving it. */
import { useState } from 'preact/hooks';
import type { AliasMove } from '../../../../client/index.ts';
import { ProblemNote } from '../../components/problem.tsx';
import { formatAge } from '../../format.ts';
import { useLoading } from '../../loading.ts';
import { useSession } from '../../session.tsx';

interface AliasesProps {
  readonly name: string;
  readonly versions: readonly string[];
  readonly isAdmin: boolean;
  /** Changes when the aliases are to be read again. */
  readonly stamp: unknown;
  onMove(change: () => Promise<AliasMove>): Promise<void>;
}

/** The list. */
export function Aliases({ name, versions, isAdmin, stamp, onMove }: AliasesProps) {
  const { client } = useSession();
  const aliases = useLoading(() => client.listAliases(name), [client, name, stamp]);
  const [target, setTarget] = useState('');
  if (aliases.value === null) {
    return aliases.error === null ? <p class="quiet">Reading the aliases…</p> : <ProblemNote error={aliases.error} />;
  }
  return (
    <ul class="aliases" aria-label={`Aliases of ${name}`}>
      {aliases.value.aliases.map(({ alias, version, updated_at: updatedAt, history }) => {
        const previous = history.at(-1);
        return (
          <li key={alias}>
            <p>
              <strong>{alias}</strong> <span aria-hidden="true">→</span> <code>{version}</code>
              <small> {formatAge(updatedAt, Date.now())}</small>
            </p>
            {isAdmin && (
              <div class="row">
                <select
                  aria-label={`Version for ${alias}`}
                  value={target}
                  onChange={(event) => setTarget(event.currentTarget.value)}
                >
                  <option value="">Move to…</option>
                  {versions
                    .filter((each) => each !== version)
                    .map((each) => (
                      <option key={each} value={each}>
                        {each}
                      </option>
                    ))}
                </select>
                <button
                  type="button"
                  disabled={target === '' || target === version}
                  onClick={() => void onMove(() => client.moveAlias(name, alias, target)).then(() => setTarget(''))}
                >
                  Move
                </button>
                <button
                  type="button"
                  disabled={previous === undefined}
                  title={previous === undefined ? 'It has named no other version' : `Back to ${previous}`}
                  onClick={() => void onMove(() => client.rollbackAlias(name, alias))}
                >
                  Roll back
                </button>
              </div>
            )}
          </li>
        );
      })}
    </ul>
  );
}
