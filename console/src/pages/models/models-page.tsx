/** Models: what is published, what the aliases name, what this isolate holds. */
import { useState } from 'preact/hooks';
import type { AliasMove, ModelList } from '../../../../client/index.ts';
import { ProblemNote } from '../../components/problem.tsx';
import { useLoading } from '../../loading.ts';
import { useSession } from '../../session.tsx';
import { Aliases } from './aliases.tsx';
import { Versions } from './versions.tsx';

/** The page. */
export function ModelsPage() {
  const { client, access } = useSession();
  const models = useLoading(() => client.listModels(), [client]);
  const [move, setMove] = useState<AliasMove | null>(null);
  const [error, setError] = useState<unknown>(null);
  const isAdmin = access.state === 'open' && access.key.scopes.includes('admin');

  const run = async (change: () => Promise<unknown>): Promise<void> => {
    setError(null);
    try {
      await change();
    } catch (thrown) {
      setError(thrown);
    }
    models.reload();
  };
  const moved = (change: () => Promise<AliasMove>): Promise<void> => run(async () => setMove(await change()));
  const undo = ({ name, alias, from }: AliasMove): Promise<void> =>
    run(async () => {
      if (from !== null) await client.moveAlias(name, alias, from);
      setMove(null);
    });

  return (
    <>
      <div class="page-head">
        <h1>Models</h1>
        <p class="quiet">
          Versions never change. An alias points at one of them, and callers follow it within a minute.
        </p>
      </div>
      {move !== null && (
        <p class="agreement row" role="status">
          <span>
            <code>{move.alias}</code> moved from <code>{move.from ?? 'nothing'}</code> to <code>{move.to}</code>.
          </span>
          {move.from !== null && (
            <button type="button" class="small" onClick={() => void undo(move)}>
              Undo
            </button>
          )}
        </p>
      )}
      {error !== null && <ProblemNote error={error} />}
      {models.error !== null && <ProblemNote error={models.error} retry={models.reload} />}
      {models.value === null && models.error === null && <p class="quiet">Reading the bucket…</p>}
      {models.value?.models.length === 0 && (
        <p class="empty">
          Nothing is published yet. <code>bit-edge import</code> and <code>bit-edge publish</code> do it.
        </p>
      )}
      {models.value !== null &&
        namesOf(models.value).map((name) => (
          <section key={name} class="panel" aria-label={name}>
            <header class="row">
              <h2>{name}</h2>
              {models.value?.default.name === name && <span class="badge accent">default</span>}
            </header>
            <Aliases
              name={name}
              versions={versionsOf(models.value!, name).map(({ version }) => version)}
              isAdmin={isAdmin}
              stamp={models.value}
              onMove={moved}
            />
            <Versions
              versions={versionsOf(models.value!, name)}
              isAdmin={isAdmin}
              onWarm={(version) => run(() => client.warmModel(`${name}@${version}`))}
            />
          </section>
        ))}
    </>
  );
}

function namesOf({ models }: ModelList): string[] {
  return [...new Set(models.map(({ name }) => name))];
}

function versionsOf({ models }: ModelList, name: string): ModelList['models'] {
  return models.filter((each) => each.name === name);
}
