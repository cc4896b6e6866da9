/** Archives whose folders are classes. */
import { describe, expect, it } from 'vitest';
import { openArchive } from '../../../worker/heads/archive.ts';

const encoder = new TextEncoder();

/** A ustar archive. */
function tar(members: readonly (readonly [path: string, content: string, type?: string])[]): Uint8Array<ArrayBuffer> {
  const blocks: Uint8Array[] = [];
  for (const [path, content, type = '0'] of members) {
    const header = new Uint8Array(512);
    const put = (at: number, text: string): void => header.set(encoder.encode(text), at);
    put(0, path.slice(0, 100));
    put(124, `${content.length.toString(8).padStart(11, '0')} `);
    put(148, '        ');
    put(156, type);
    put(257, 'ustar\0' + '00');
    const sum = header.reduce((total, value) => total + value, 0);
    put(148, `${sum.toString(8).padStart(6, '0')}\0 `);
    const body = new Uint8Array(Math.ceil(content.length / 512) * 512);
    body.set(encoder.encode(content));
    blocks.push(header, body);
  }
  blocks.push(new Uint8Array(1024));
  return new Uint8Array(blocks.flatMap((block) => [...block]));
}

/** A zip of stored members. */
function zip(members: readonly (readonly [path: string, content: string])[]): Uint8Array<ArrayBuffer> {
  const parts: number[] = [];
  const directory: number[] = [];
  const u16 = (value: number): number[] => [value & 255, value >> 8];
  const u32 = (value: number): number[] => [...u16(value & 0xffff), ...u16(value >>> 16)];
  for (const [path, content] of members) {
    const name = [...encoder.encode(path)];
    const data = [...encoder.encode(content)];
    const facts = [
      ...u16(20),
      ...u16(0),
      ...u16(0),
      ...u32(0),
      ...u32(crc32(data)),
      ...u32(data.length),
      ...u32(data.length),
    ];
    const offset = parts.length;
    parts.push(...u32(0x04034b50), ...facts, ...u16(name.length), ...u16(0), ...name, ...data);
    directory.push(
      ...u32(0x02014b50),
      ...u16(20),
      ...facts,
      ...u16(name.length),
      ...Array(12).fill(0),
      ...u32(offset),
      ...name,
    );
  }
  const count = u16(members.length);
  const end = [
    ...u32(0x06054b50),
    ...u32(0),
    ...count,
    ...count,
    ...u32(directory.length),
    ...u32(parts.length),
    ...u16(0),
  ];
  return new Uint8Array([...parts, ...directory, ...end]);
}

function crc32(data: readonly number[]): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

async function read(bytes: Uint8Array<ArrayBuffer>): Promise<string[]> {
  const pictures = await openArchive(bytes);
  return Promise.all(
    pictures.map(async ({ label, name, read: open }) => `${label} ${name} ${new TextDecoder().decode(await open())}`),
  );
}

const MEMBERS = [
  ['set/lemon/1.jpg', 'one'],
  ['set/plum/2.jpg', 'x'.repeat(600)],
] as const;
const EXPECTED = ['lemon set/lemon/1.jpg one', `plum set/plum/2.jpg ${'x'.repeat(600)}`];

describe.each([
  ['tar', tar],
  ['zip', zip],
] as const)('a %s', (_, make) => {
  it('gives its pictures by their folders, without what a Mac adds', async () => {
    expect(await read(make(MEMBERS))).toEqual(EXPECTED);
    const more = [...MEMBERS, ['__MACOSX/lemon/._1.jpg', 'x'], ['lemon/.DS_Store', 'x']] as const;
    expect(await read(make(more))).toEqual(EXPECTED);
  });

  it('is refused where a picture is in no folder', async () => {
    await expect(openArchive(make([['1.jpg', 'x']]))).rejects.toMatchObject({ code: 'invalid_body' });
  });

  it('is refused where it is cut off', async () => {
    const whole = make(MEMBERS);
    await expect(openArchive(whole.slice(0, make === tar ? 1800 : -10))).rejects.toMatchObject({
      code: 'invalid_body',
    });
  });
});

it('a tar with long names gives them', async () => {
  const long = `set/${'deep/'.repeat(30)}lemon/1.jpg`;
  expect(
    await read(
      tar([
        ['././@LongLink', long, 'L'],
        [long, 'one'],
      ]),
    ),
  ).toEqual([`lemon ${long} one`]);
  const record = `path=${long}\n`;
  const pax = `${record.length + 4} ${record}`;
  expect(
    await read(
      tar([
        ['PaxHeader', pax, 'x'],
        ['short', 'one'],
      ]),
    ),
  ).toEqual([`lemon ${long} one`]);
});

it.each([
  ['nothing', new Uint8Array(600)],
  ['a picture', new Uint8Array(2000).fill(0xff)],
])('%s is not an archive with pictures', async (_, bytes) => {
  const pictures = openArchive(bytes);
  if (bytes[0] === 0) expect(await pictures).toEqual([]);
  else await expect(pictures).rejects.toMatchObject({ code: 'invalid_body' });
});
