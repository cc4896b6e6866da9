/** The columns of a page: pictures are looked at by the deployment's own decoder as they are added, and shelved. */
import { useRef, useState } from 'preact/hooks';
import { readNetworkInput } from '../../decoding/network-input.ts';
import { sha256Of } from '../../hash.ts';
import { useReleasedUrls } from '../../object-urls.ts';
import { type Column, labelOfPath, type TeachPicture } from './columns.ts';
import { shelvePicture } from './picture-shelf.ts';

/** The decoder's error for formats that the deployment may be able to transcode. */
const MAYBE_TRANSCODED = 'unsupported_image_format';

/** What a page does with columns. */
export interface Columns {
  readonly columns: readonly Column[];
  add(column: number, files: readonly File[]): void;
  /** Files of folders: each folder is a column. */
  addFolders(files: readonly File[]): void;
  remove(column: number, picture: number): void;
  rename(column: number, label: string): void;
  addColumn(): void;
  removeColumn(column: number): void;
  /** Without pictures, and with these classes. */
  reset(labels: readonly string[]): void;
}

/** Columns with these names to begin with. @param preprocessor of the backbone; null: not known yet, and pictures are not checked. */
export function useColumns(labels: readonly string[], preprocessor: object | null): Columns {
  const lastId = useRef(0);
  const newId = (): number => {
    lastId.current++;
    return lastId.current;
  };
  const emptyColumn = (label: string): Column => ({ id: newId(), label, pictures: [] });
  const [columns, setColumns] = useState<readonly Column[]>(() => labels.map(emptyColumn));
  useReleasedUrls(columns.flatMap(({ pictures }) => pictures.map(({ url }) => url)));

  const change = (id: number, make: (column: Column) => Column): void =>
    setColumns((old) => old.map((column) => (column.id === id ? make(column) : column)));
  const picturesOf = (files: readonly File[]): TeachPicture[] =>
    files.map((file) => ({
      id: newId(),
      name: file.name,
      blob: file,
      url: URL.createObjectURL(file),
      isChecked: false,
      problem: file.size === 0 ? 'empty_body: the file is empty' : null,
    }));
  const look = async (pictures: readonly TeachPicture[]): Promise<void> => {
    for (const picture of pictures) {
      const problem = picture.problem ?? (await problemOf(picture.blob, preprocessor));
      if (problem === null) await shelvePicture(await sha256Of(picture.blob), picture.blob);
      mark(picture.id, problem);
    }
  };
  const mark = (id: number, problem: string | null): void =>
    setColumns((old) =>
      old.map((column) => ({
        ...column,
        pictures: column.pictures.map((each) => (each.id === id ? { ...each, problem, isChecked: true } : each)),
      })),
    );

  return {
    columns,
    add(id, files) {
      const pictures = picturesOf(files);
      change(id, (column) => ({ ...column, pictures: [...column.pictures, ...pictures] }));
      void look(pictures);
    },
    addFolders(files) {
      const folders = new Map<string, File[]>();
      for (const file of files) {
        const label = labelOfPath(file.webkitRelativePath);
        folders.set(label, [...(folders.get(label) ?? []), file]);
      }
      const made = [...folders].map(([label, each]) => ({ label, pictures: picturesOf(each) }));
      setColumns((old) => {
        const kept = old.filter(({ label, pictures }) => label !== '' || pictures.length > 0);
        const joined = kept.map((column) => ({
          ...column,
          pictures: [...column.pictures, ...(made.find(({ label }) => label === column.label)?.pictures ?? [])],
        }));
        const fresh = made.filter(({ label }) => !kept.some((column) => column.label === label));
        return [...joined, ...fresh.map(({ label, pictures }) => ({ ...emptyColumn(label), pictures }))];
      });
      void look(made.flatMap(({ pictures }) => pictures));
    },
    remove: (id, picture) =>
      change(id, (column) => ({ ...column, pictures: column.pictures.filter((each) => each.id !== picture) })),
    rename: (id, label) => change(id, (column) => ({ ...column, label })),
    addColumn: () => setColumns((old) => [...old, emptyColumn('')]),
    removeColumn: (id) => setColumns((old) => old.filter((column) => column.id !== id)),
    reset: (next) => setColumns(next.map(emptyColumn)),
  };
}

async function problemOf(picture: Blob, preprocessor: object | null): Promise<string | null> {
  if (preprocessor === null) return null;
  try {
    await readNetworkInput(picture, preprocessor, false);
    return null;
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return problem.startsWith(MAYBE_TRANSCODED) ? null : problem;
  }
}
