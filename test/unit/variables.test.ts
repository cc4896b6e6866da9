/** Readers of a deployment's variables, as every part of the configuration uses them. */
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { readConfig } from '../../worker/config.ts';
import { ConfigurationError } from '../../worker/errors.ts';
import { readChoice, readJson, readList, readNumber, readText } from '../../worker/variables.ts';

describe('a list', () => {
  it('has no empty parts, however it is separated', () => {
    expect(readList({ HOSTS: ' a.com, b.com ,,' }, 'HOSTS')).toEqual(['a.com', 'b.com']);
    expect(readList({ HOSTS: ',' }, 'HOSTS')).toEqual([]);
    expect(readList({}, 'HOSTS')).toEqual([]);
  });

  it('of CORS origins ends in a comma: no empty origin is allowed', () => {
    expect(readConfig({ CORS_ORIGINS: 'https://a.com,' }).corsOrigins).toEqual(['https://a.com']);
  });
});

it.each([
  [
    'a number that is none',
    () => readNumber({ TICK: 'soon' }, 'TICK', 1, 0, 10),
    'TICK is "soon"; it must be a number',
  ],
  ['a number beyond its limits', () => readNumber({ TICK: 11 }, 'TICK', 1, 0, 10), 'a number from 0 to 10'],
  [
    'an unknown word',
    () => readChoice({ ENGINE: 'tpu' }, 'ENGINE', ['auto', 'gpu', 'wasm']),
    'must be auto, gpu or wasm',
  ],
  ['a text that is none', () => readText({ TOKEN: 7 }, 'TOKEN'), 'TOKEN must be a text'],
  ['a list that is none', () => readList({ HOSTS: ['a.com'] }, 'HOSTS'), 'HOSTS must be a text'],
  [
    'JSON that is none, without repeating it',
    () => readJson({ KEYS: 'secret' }, 'KEYS', z.unknown()),
    'KEYS is not JSON (6 characters)',
  ],
  [
    'JSON of another shape',
    () => readJson({ KEYS: '{"first": {}}' }, 'KEYS', z.object({ first: z.object({ name: z.string() }) })),
    'KEYS: first.name: ',
  ],
])('%s is refused by the name of its variable', (_, read, message) => {
  expect(read).toThrow(ConfigurationError);
  expect(read).toThrow(message);
});
