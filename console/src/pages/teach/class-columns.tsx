/** One column per class. Pictures are dropped, picked, taken, or pasted into the column that was used last. */
import { useLayoutEffect, useState } from 'preact/hooks';
import { DropZone, picturesAmong } from '../../components/drop-zone.tsx';
import { Icon } from '../../components/icons.tsx';
import { formatCount } from '../../format.ts';
import type { Column } from './columns.ts';
import type { Columns } from './use-columns.ts';

/** The row of columns. */
export function ClassColumns({ state }: { readonly state: Columns }) {
  const { columns } = state;
  const [active, setActive] = useState<number | null>(null);
  const target = columns.find(({ id }) => id === active) ?? columns[0];
  useLayoutEffect(() => {
    const paste = (event: ClipboardEvent): void => {
      const files = picturesAmong(event.clipboardData?.files ?? []);
      if (files.length > 0 && target !== undefined) state.add(target.id, files);
    };
    addEventListener('paste', paste);
    return () => removeEventListener('paste', paste);
  });
  return (
    <ul class="columns" aria-label="Classes">
      {columns.map((column, at) => (
        <li
          key={column.id}
          class={column === target ? 'column active' : 'column'}
          onFocusCapture={() => setActive(column.id)}
          onPointerDown={() => setActive(column.id)}
        >
          <ClassColumn column={column} number={at + 1} state={state} />
        </li>
      ))}
      <li class="column-end">
        <button type="button" onClick={state.addColumn}>
          Add a class
        </button>
        <label class="folder-input">
          Or a folder of folders
          <input
            type="file"
            multiple
            ref={(input) => input?.setAttribute('webkitdirectory', '')}
            onChange={(event) => {
              const files = [...(event.currentTarget.files ?? [])].filter(({ type }) => type.startsWith('image/'));
              state.addFolders(files);
              event.currentTarget.value = '';
            }}
          />
        </label>
      </li>
    </ul>
  );
}

interface ClassColumnProps {
  readonly column: Column;
  readonly number: number;
  readonly state: Columns;
}

function ClassColumn({ column: { id, label, pictures }, number, state }: ClassColumnProps) {
  const name = label.trim() === '' ? `class ${number}` : label.trim();
  return (
    <DropZone label={`to ${name}`} action="Add pictures" onFiles={(files) => state.add(id, files)}>
      <header>
        <label>
          Class {number}
          <input
            value={label}
            maxLength={64}
            placeholder="its name"
            onInput={(event) => state.rename(id, event.currentTarget.value)}
          />
        </label>
        <button type="button" class="plain" aria-label={`Remove ${name}`} onClick={() => state.removeColumn(id)}>
          <Icon name="close" />
        </button>
      </header>
      {pictures.length === 0 ? (
        <p class="quiet column-hint">Drop or paste pictures here.</p>
      ) : (
        <>
          <p class="quiet">
            {formatCount(pictures.length)} {pictures.length === 1 ? 'picture' : 'pictures'}
          </p>
          <ul class="thumbs">
            {pictures.map((picture) => (
              <li key={picture.id} class={picture.problem === null ? undefined : 'refused'}>
                <img src={picture.url} alt={picture.name} title={picture.name} />
                <button
                  type="button"
                  class="plain"
                  aria-label={`Remove ${picture.name}`}
                  onClick={() => state.remove(id, picture.id)}
                >
                  <Icon name="close" />
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
      {pictures.map(({ id: picture, name: file, problem }) =>
        problem === null ? null : (
          <p key={picture} class="column-problem" role="alert">
            {file} is left out: {problem}
          </p>
        ),
      )}
    </DropZone>
  );
}
