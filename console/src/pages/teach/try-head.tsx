/** Asks a version of a head about new pictures. */
import { useRef, useState } from 'preact/hooks';
import type { Classification } from '../../../../client/index.ts';
import { Bars } from '../../components/bars.tsx';
import { DropZone } from '../../components/drop-zone.tsx';
import { ProblemNote } from '../../components/problem.tsx';
import { useReleasedUrls } from '../../object-urls.ts';
import { useSession } from '../../session.tsx';

/** Pictures that stay in view. */
const MAX_SHOWN = 6;

interface Asked {
  readonly id: number;
  readonly name: string;
  readonly url: string;
  readonly predictions: Classification['predictions'] | null;
  readonly error: unknown;
}

/** The panel. @param reference `name@version`. */
export function TryHead({ reference }: { readonly reference: string }) {
  const { client } = useSession();
  const [asked, setAsked] = useState<readonly Asked[]>([]);
  const lastId = useRef(0);
  const ask = (files: readonly File[]): void => {
    for (const file of files) {
      lastId.current++;
      const id = lastId.current;
      const url = URL.createObjectURL(file);
      const change = (part: Partial<Asked>): void =>
        setAsked((old) => old.map((each) => (each.id === id ? { ...each, ...part } : each)));
      setAsked((old) => [{ id, name: file.name, url, predictions: null, error: null }, ...old].slice(0, MAX_SHOWN));
      client.classify(file, { model: reference }).then(
        ({ predictions }) => change({ predictions }),
        (error: unknown) => change({ error }),
      );
    }
  };
  useReleasedUrls(asked.map(({ url }) => url));
  return (
    <section class="panel" aria-labelledby="try-head-title">
      <h2 id="try-head-title">Try it</h2>
      <DropZone label="to try" action="Choose pictures" onFiles={ask}>
        {asked.length === 0 && <p class="quiet">Drop a picture that it has not seen.</p>}
        <ul class="tried" aria-live="polite">
          {asked.map(({ id, name, url, predictions, error }) => (
            <li key={id} aria-label={name}>
              <img src={url} alt={name} />
              <div>
                {error !== null && <ProblemNote error={error} />}
                {error === null && predictions === null && <p class="quiet">Asking…</p>}
                {predictions !== null && <Bars bars={predictions} />}
              </div>
            </li>
          ))}
        </ul>
      </DropZone>
    </section>
  );
}
