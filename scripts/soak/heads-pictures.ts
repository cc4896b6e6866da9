/** Pictures of a head that are embedded behind a 202 while the worker is killed: each once, with progress, and the version they give. */
import { encodePng } from '../cli/files/write-png.ts';

const COLOURS = ['red', 'green', 'blue'];
const SIDE_PX = 32;

const PER_CLASS = 16;
const PICTURES = COLOURS.length * PER_CLASS;
/** Pictures that a request embeds itself. */
const AT_ONCE = 12;
/** Embedded pictures at which the worker is killed. */
const KILLED_AT = [8, 24];
const RETRY_MS = 300;

interface Head {
  readonly state: string;
  readonly examples: { readonly pending: number; readonly ready: number; readonly failed: number };
  readonly aliases: Readonly<Record<string, string>>;
}

/** What the soak works with. */
export interface PicturesSoakOptions {
  /** The deployment's address; another after a restart. */
  url(): string;
  /** Repeated until it is answered. */
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** Kills the worker and starts it again. */
  restart(): Promise<void>;
  say(line: string): void;
}

/** What came of it. */
export interface PicturesSoak {
  readonly pictures: number;
  readonly kills: number;
  /** Events that told how far the head was. */
  readonly progress: number;
  readonly lost: number;
  readonly doubled: number;
  readonly failed: number;
  /** 1 where the version is not the one that the same pictures give in small requests. */
  readonly inconsistent: number;
}

/** Runs the soak. */
export async function soakPictures({ url, call, restart, say }: PicturesSoakOptions): Promise<PicturesSoak> {
  const all = COLOURS.flatMap((colour) =>
    Array.from({ length: PER_CLASS }, (_, i) => ({ colour, png: draw(colour, i) })),
  );
  await call('POST', '/v1/heads', formOf(all, { name: 'pictures' }));
  let progress = 0;
  for (const at of KILLED_AT) {
    progress += await followUntil(url(), at);
    await restart();
    say(`killed   after ${at} of ${PICTURES} pictures`);
  }
  let head = await call<Head>('GET', '/v1/heads/pictures');
  while (head.state !== 'ready') {
    progress += await followUntil(url(), PICTURES + 1);
    head = await call<Head>('GET', '/v1/heads/pictures');
  }
  const listed = await call<{ examples: { id: string }[] }>('GET', `/v1/heads/pictures/examples?limit=1000`);
  const stored = new Set(listed.examples.map(({ id }) => id)).size;
  for (let from = 0; from < all.length; from += AT_ONCE) {
    // Of every class in the first request: one class alone is no head.
    const some = all.filter((_, index) => index % (PICTURES / AT_ONCE) === from / AT_ONCE);
    if (from === 0) await call('POST', '/v1/heads', formOf(some, { name: 'pieces' }));
    else await call('POST', '/v1/heads/pieces/examples', formOf(some, {}));
  }
  const pieces = await call<Head>('POST', '/v1/heads/pieces/train');
  const { ready, failed } = head.examples;
  say(`pictures ${ready} embedded, ${progress} events, latest ${head.aliases.latest}`);
  return {
    pictures: PICTURES,
    kills: KILLED_AT.length,
    progress,
    lost: PICTURES - stored,
    doubled: listed.examples.length - stored,
    failed,
    inconsistent: pieces.aliases.latest === head.aliases.latest ? 0 : 1,
  };
}

/** A picture of mostly one colour, like no other. */
function draw(colour: string, seed: number): Uint8Array {
  const channel = COLOURS.indexOf(colour);
  const data = Uint8Array.from(
    { length: SIDE_PX * SIDE_PX * 3 },
    (_, at) => ((at * 31 + seed * 977) % 97) + (at % 3 === channel ? 150 : 0),
  );
  return encodePng({ data, width: SIDE_PX, height: SIDE_PX });
}

function formOf(pictures: readonly { colour: string; png: Uint8Array }[], fields: Record<string, string>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const { colour, png } of pictures) form.append(colour, new Blob([new Uint8Array(png)]));
  return form;
}

/** Follows the head's events until so many pictures are embedded, or the stream ends. @returns how many events told of progress. */
async function followUntil(url: string, ready: number): Promise<number> {
  const controller = new AbortController();
  let events = 0;
  try {
    const response = await fetch(`${url}/v1/heads/pictures/events`, { signal: controller.signal });
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const [kind = '', data = ''] = text.slice(0, end).split('\n');
        text = text.slice(end + 2);
        if (kind !== 'event: progress') return events;
        events++;
        const status = JSON.parse(data.slice('data: '.length)) as Head;
        if (status.examples.ready >= ready || status.state === 'ready') return events;
      }
    }
  } catch {
    // The worker has gone; it is asked again.
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  } finally {
    controller.abort();
  }
  return events;
}
