import { describe, expect, it } from 'vitest';
import { takeByteList } from '../../../worker/routes/support/byte-list.ts';

const take = (text: string) => takeByteList(new TextEncoder().encode(text), 'image');

describe('takeByteList', () => {
  it.each([
    '{"image":[0,255,16]}',
    ' {\n"image" :\t[ 0 , 255\r\n, 16 ] }\n',
    '\ufeff{"image":[0.0,2.55e2,16]}',
    '{"image":[-0,255,16]}',
  ])('reads %j as JSON.parse does', (text) => {
    const taken = take(text)!;
    expect([...taken.bytes]).toEqual([0, 255, 16]);
    expect(JSON.parse(taken.rest)).toEqual({ image: '' });
  });

  it('leaves the other members to be looked at', () => {
    expect(JSON.parse(take('{"image":[1],"top_k":3}')!.rest)).toEqual({ image: '', top_k: 3 });
    expect(take('{"image":[]}')).toMatchObject({ bytes: new Uint8Array(0) });
  });

  it.each(['{"image":"eA=="}', '{"images":[1]}', '[1]', '', '{"x":{"image":[1]}}'])('leaves %j alone', (text) => {
    expect(take(text)).toBeNull();
  });

  it.each([
    ['256', 0, '256'],
    ['1,-1', 1, '-1'],
    ['1,2.5', 1, '2.5'],
    ['1,2,01', 2, '01'],
    ['1 2', 1, '2'],
    ['1,,2', 1, ''],
    ['1,"2"', 1, '"2"'],
    ['[1]', 0, '[1'],
    [`${'9'.repeat(1000)}`, 0, '9'.repeat(40)],
  ])('refuses [%s], naming element %i', (list, element, given) => {
    const message = `"image": element ${element} is ${given}`;
    expect(() => take(`{"image":[${list}]}`)).toThrow(
      expect.objectContaining({ code: 'invalid_parameter', message: expect.stringContaining(message) }),
    );
  });

  it('refuses a list without an end', () => {
    expect(() => take('{"image":[1,2')).toThrow(expect.objectContaining({ code: 'invalid_body' }));
  });
});
