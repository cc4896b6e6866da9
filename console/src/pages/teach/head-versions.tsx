/** Versions of a head: which aliases name them, and publishing one. */
import { useState } from 'preact/hooks';
import type { Head } from '../../../../client/index.ts';
import { formatAge, formatBytes, formatCount, formatPercent } from '../../format.ts';
import { useSession } from '../../session.tsx';

interface HeadVersionsProps {
  readonly head: Head;
  /** The version that the page shows. */
  readonly shown: string;
  readonly isOwn: boolean;
  readonly busy: boolean;
  onShow(version: string): void;
  onChange(change: () => Promise<unknown>): void;
}

/** The panel. */
export function HeadVersions({ head, shown, isOwn, busy, onShow, onChange }: HeadVersionsProps) {
  const { client } = useSession();
  const [alias, setAlias] = useState('latest');
  const { name, versions, aliases } = head;
  const named = aliases[alias];
  return (
    <section class="panel" aria-labelledby="versions-title">
      <header class="row form-row">
        <h2 id="versions-title">Versions</h2>
        {isOwn && (
          <div class="row form-row list-end">
            <label>
              Alias
              <input
                value={alias}
                pattern="[a-z0-9][a-z0-9._\-]{0,63}"
                onInput={(event) => setAlias(event.currentTarget.value)}
              />
            </label>
            <button
              type="button"
              disabled={busy || named === undefined || versions.length < 2}
              onClick={() => onChange(() => client.rollbackHeadAlias(name, alias))}
            >
              Roll back
            </button>
          </div>
        )}
      </header>
      <ul class="versions" aria-label="Versions of the head">
        {versions.map(({ version, created_at: at, examples, classes, accuracy, bytes }) => (
          <li key={version} class="version" aria-current={version === shown ? 'true' : undefined}>
            <p class="version-name">
              <code>{version}</code>
              {Object.entries(aliases)
                .filter(([, target]) => target === version)
                .map(([each]) => (
                  <span key={each} class="badge good">
                    {each}
                  </span>
                ))}
              {version === shown && <span class="badge accent">shown</span>}
            </p>
            <p class="quiet">
              {formatCount(examples)} examples, {formatCount(classes)} classes
              {accuracy !== null && `, ${formatPercent(accuracy)}`}, {formatBytes(bytes)}, {formatAge(at, Date.now())}
            </p>
            <p class="row">
              {version !== shown && (
                <button type="button" class="small" onClick={() => onShow(version)}>
                  Show
                </button>
              )}
              {isOwn && named !== version && (
                <button
                  type="button"
                  class="small"
                  disabled={busy || alias === ''}
                  onClick={() => onChange(() => client.moveHeadAlias(name, alias, version))}
                >
                  Publish as {alias === '' ? '…' : alias}
                </button>
              )}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}
