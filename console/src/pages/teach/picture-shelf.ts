/**
 * Small copies of the pictures that this browser taught with, by content hash: a deployment deletes pixels once they are embedded,
 * and an example that looks mislabelled is judged by its picture.
 */

const DATABASE = 'bit-edge-pictures';
const STORE = 'pictures';

/** Longest side of a copy in px. */
const COPY_PX = 192;
const JPEG_QUALITY = 0.8;

let opened: Promise<IDBDatabase> | null = null;

/** Stores a copy; does nothing if the browser cannot read the picture or store anything. */
export async function shelvePicture(sha256: string, picture: Blob): Promise<void> {
  if (sha256 === '') return;
  try {
    const copy = await copyOf(picture);
    await request((await openDatabase()).transaction(STORE, 'readwrite').objectStore(STORE).put(copy, sha256));
  } catch (error) {
    // A private window, a full disk, a format that only the deployment reads: the example is named without its picture.
    console.warn(`a picture is not kept: ${String(error)}`);
  }
}

/** The copy; null if this browser has none. */
export async function findPicture(sha256: string): Promise<Blob | null> {
  try {
    const database = await openDatabase();
    const found: unknown = await request(database.transaction(STORE).objectStore(STORE).get(sha256));
    return found instanceof Blob ? found : null;
  } catch {
    return null;
  }
}

async function copyOf(picture: Blob): Promise<Blob> {
  const bitmap = await createImageBitmap(picture);
  try {
    const scale = Math.min(1, COPY_PX / Math.max(bitmap.width, bitmap.height));
    const size = (px: number): number => Math.max(1, Math.round(px * scale));
    const canvas = new OffscreenCanvas(size(bitmap.width), size(bitmap.height));
    canvas.getContext('2d')!.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return await canvas.convertToBlob({ type: 'image/jpeg', quality: JPEG_QUALITY });
  } finally {
    bitmap.close();
  }
}

function openDatabase(): Promise<IDBDatabase> {
  if (opened === null) {
    const opening = indexedDB.open(DATABASE, 1);
    opening.addEventListener('upgradeneeded', () => opening.result.createObjectStore(STORE));
    opened = request(opening);
    opened.catch(() => {
      opened = null;
    });
  }
  return opened;
}

function request<T>(asked: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    asked.addEventListener('success', () => resolve(asked.result));
    asked.addEventListener('error', () => reject(asked.error ?? new Error('the browser stores nothing')));
  });
}
