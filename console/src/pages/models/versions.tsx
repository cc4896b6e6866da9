/** The versions of one model, each with its facts and its report behind a button. */
import { useState } from 'preact/hooks';
import type { ModelList } from '../../../../client/index.ts';
import { formatAge, formatBytes } from '../../format.ts';
import { VersionDetails } from './version-details.tsx';

interface VersionsProps {
  readonly versions: ModelList['models'];
  readonly isAdmin: boolean;
  onWarm(version: string): Promise<void>;
}

/** The list; one version is open at a time. */
export function Versions({ versions, isAdmin, onWarm }: VersionsProps) {
  const [open, setOpen] = useState<string | null>(null);
  const [warming, setWarming] = useState<string | null>(null);
  const warm = (version: string): void => {
    setWarming(version);
    void onWarm(version).finally(() => setWarming(null));
  };
  return (
    <ul class="versions" aria-label="Versions">
      {versions.map(({ name, version, aliases, created_at: createdAt, bytes, variants, loaded }) => (
        <li key={version}>
          <div class="version">
            <div class="version-name">
              <code>{version}</code>
              {aliases.map((alias) => (
                <span key={alias} class="badge accent">
                  {alias}
                </span>
              ))}
              {loaded && (
                <span class="badge good" title="In the isolate that answered">
                  loaded
                </span>
              )}
            </div>
            <p class="quiet">
              {formatBytes(bytes)} · {variants.join(', ')}
              {createdAt !== null && ` · ${formatAge(createdAt, Date.now())}`}
            </p>
            <div class="row">
              {isAdmin && (
                <button type="button" class="small" disabled={loaded || warming !== null} onClick={() => warm(version)}>
                  {warming === version ? 'Loading…' : 'Warm'}
                </button>
              )}
              <button
                type="button"
                class="small"
                aria-expanded={open === version}
                onClick={() => setOpen(open === version ? null : version)}
              >
                Details
              </button>
            </div>
          </div>
          {open === version && <VersionDetails model={`${name}@${version}`} />}
        </li>
      ))}
    </ul>
  );
}
