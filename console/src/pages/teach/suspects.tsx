/** Examples that look mislabelled: their pictures, and buttons to correct or remove them. */
import { useLayoutEffect, useState } from 'preact/hooks';
import type { BitEdgeClient, HeadExample, HeadReport } from '../../../../client/index.ts';
import { ProblemNote } from '../../components/problem.tsx';
import { useLoading } from '../../loading.ts';
import { useSession } from '../../session.tsx';
import { findPicture } from './picture-shelf.ts';

const PAGE = 1000;

interface SuspectsProps {
  readonly name: string;
  readonly report: HeadReport;
  readonly busy: boolean;
  onChange(change: () => Promise<unknown>): void;
}

/** The panel; nothing if there are no suspects. */
export function Suspects({ name, report: { suspects, version }, busy, onChange }: SuspectsProps) {
  const { client } = useSession();
  const examples = useLoading(
    () => (suspects.length === 0 ? Promise.resolve(new Map<string, HeadExample>()) : allExamples(client, name)),
    [client, name, version],
  );
  if (suspects.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="suspects-title">
      <h2 id="suspects-title">Look at these</h2>
      <p class="quiet">Left out, they were taken for another class: a wrong label, or a hard picture.</p>
      {examples.error !== null && <ProblemNote error={examples.error} retry={examples.reload} />}
      <ul class="suspects">
        {suspects.map(({ example, label, predicted }) => (
          <li key={example}>
            <ShelvedPicture
              sha256={examples.value === null ? null : (examples.value.get(example)?.sha256 ?? '')}
              label={label}
            />
            <p>
              <strong>{label}</strong>
              <span class="quiet"> taken for {predicted}</span>
            </p>
            <div class="row">
              <button
                type="button"
                class="small"
                disabled={busy}
                onClick={() => onChange(() => client.relabelExample(name, example, predicted))}
              >
                It is {predicted}
              </button>
              <button
                type="button"
                class="small danger"
                disabled={busy}
                onClick={() => onChange(() => client.deleteExample(name, example))}
              >
                Take away
              </button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface ShelvedPictureProps {
  /** Null while the examples are read. */
  readonly sha256: string | null;
  readonly label: string;
}

function ShelvedPicture({ sha256, label }: ShelvedPictureProps) {
  /** Undefined while it is looked for; null: there is no copy. */
  const [url, setUrl] = useState<string | null>();
  useLayoutEffect(() => {
    let current = true;
    let made: string | null = null;
    setUrl(undefined);
    if (sha256 === null) return;
    void findPicture(sha256).then((blob) => {
      if (!current) return;
      made = blob === null ? null : URL.createObjectURL(blob);
      setUrl(made);
    });
    return () => {
      current = false;
      if (made !== null) URL.revokeObjectURL(made);
    };
  }, [sha256]);
  if (url === undefined) return <p class="suspect-picture" />;
  if (url === null) return <p class="suspect-picture quiet">Its picture is not in this browser.</p>;
  return <img class="suspect-picture" src={url} alt={`Labelled ${label}`} />;
}

async function allExamples(client: BitEdgeClient, name: string): Promise<ReadonlyMap<string, HeadExample>> {
  const found = new Map<string, HeadExample>();
  let cursor: string | null | undefined;
  do {
    const page: Awaited<ReturnType<BitEdgeClient['listExamples']>> = await client.listExamples(name, {
      limit: PAGE,
      ...(cursor && { cursor }),
    });
    for (const example of page.examples) found.set(example.id, example);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return found;
}
