/** Classes as columns of pictures, and the requests that teach them. Pure. */

/** A picture of a column. */
export interface TeachPicture {
  readonly id: number;
  readonly name: string;
  readonly blob: Blob;
  /** `blob:`, for an image element. */
  readonly url: string;
  /** False while the decoder looks at it. */
  readonly isChecked: boolean;
  /** Why the deployment would refuse it; null: it is readable, as far as is known. */
  readonly problem: string | null;
}

/** A class that is being taught. */
export interface Column {
  readonly id: number;
  readonly label: string;
  readonly pictures: readonly TeachPicture[];
}

/** A picture and its class. */
export interface Labelled {
  readonly label: string;
  readonly blob: Blob;
}

/** Pictures that a deployment embeds in one request with its defaults. */
const MAX_BATCH_PICTURES = 16;

/** Bytes of pictures in one request: base64 of it, and room for the decoder, stay below 20 MiB. */
const MAX_BATCH_BYTES = 10e6;

/** What can be taught of the columns: readable pictures, class by class in turn, so that the first request has several classes. */
export function labelledOf(columns: readonly Column[]): readonly Labelled[] {
  const lists = columns.map(({ label, pictures }) =>
    pictures.filter(({ problem }) => problem === null).map(({ blob }) => ({ label: label.trim(), blob })),
  );
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, at) => lists.flatMap((list) => list[at] ?? [])).flat();
}

/**
 * Pictures by request: few enough to be embedded at once, small enough for a body.
 * @param minClasses that the first request must have, whatever its size.
 */
export function batchesOf(examples: readonly Labelled[], minClasses: number): readonly (readonly Labelled[])[] {
  const batches: Labelled[][] = [];
  let batch: Labelled[] = [];
  let bytes = 0;
  for (const example of examples) {
    const isFull = batch.length === MAX_BATCH_PICTURES || bytes + example.blob.size > MAX_BATCH_BYTES;
    const isFirst = batches.length === 0;
    const canEnd = !isFirst || new Set(batch.map(({ label }) => label)).size >= minClasses;
    if (batch.length > 0 && isFull && canEnd) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(example);
    bytes += example.blob.size;
  }
  return batch.length === 0 ? batches : [...batches, batch];
}

/** Why the columns cannot be taught yet; null if they can. @param minClasses 2 for a head that has none. */
export function reasonAgainst(columns: readonly Column[], minClasses: number): string | null {
  if (columns.some(({ pictures }) => pictures.some(({ isChecked }) => !isChecked))) return 'Looking at the pictures…';
  const used = columns.filter(({ pictures }) => pictures.some(({ problem }) => problem === null));
  if (used.some(({ label }) => label.trim() === '')) return 'A class with pictures has no name.';
  const labels = used.map(({ label }) => label.trim());
  const twice = labels.find((label, at) => labels.indexOf(label) !== at);
  if (twice !== undefined) return `“${twice}” is the name of two classes.`;
  if (used.length >= minClasses) return null;
  return minClasses === 1
    ? 'Add a picture.'
    : 'Two classes with a picture each are needed; three pictures or more are better.';
}

/** The folder that a file is in: the name of its class. @param path `chosen/lemon/1.jpg`, as a browser gives it. */
export function labelOfPath(path: string): string {
  return path.split('/').at(-2) ?? '';
}
