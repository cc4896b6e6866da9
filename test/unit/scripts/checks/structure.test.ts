/** The check of the house's structure finds what it is for, in files made for the purpose. */
import { describe, expect, it } from 'vitest';
import { anchorsOf, documentationFaults } from '../../../../scripts/checks/structure/documentation.ts';
import { importFaults } from '../../../../scripts/checks/structure/imports.ts';

type Check = (files: readonly string[], read: (path: string) => string) => string[];

function check(run: Check, files: Readonly<Record<string, string>>): string[] {
  return run(Object.keys(files), (path) => files[path]!);
}

describe('imports', () => {
  it('may point down, and stay in their room', () => {
    expect(
      check(importFaults, {
        'worker/jobs/a.ts': "import { b } from '../heads/b.ts';\nimport type { c } from './c.ts';",
        'worker/jobs/c.ts': "import { Hono } from './hono.ts';",
        'worker/heads/b.ts': "import { e } from '../errors.ts';",
        'worker/errors.ts': '',
      }),
    ).toEqual([]);
  });

  it('must not point up, or to a room of the same floor, even for a type or at run time', () => {
    const faults = check(importFaults, {
      'worker/heads/a.ts': "import {\n  type b,\n} from '../jobs/b.ts';",
      'worker/jobs/b.ts': '',
      'worker/imaging/c.ts': "export const d = import('../fetch/d.ts');",
      'worker/fetch/d.ts': '',
    });
    expect(faults).toEqual([
      expect.stringContaining('worker/heads/a.ts imports worker/jobs/b.ts'),
      expect.stringContaining('worker/imaging/c.ts imports worker/fetch/d.ts'),
    ]);
  });

  it('are checked in every folder: a file in no room is a fault', () => {
    const files = { 'scripts/new/a.ts': '', 'worker/new.ts': '', 'worker/env.d.ts': '', 'vitest.config.ts': '' };
    expect(check(importFaults, files)).toEqual([
      expect.stringContaining('scripts/new/a.ts is in no room'),
      expect.stringContaining('worker/new.ts is in no room'),
    ]);
  });

  it('must not run in circles', () => {
    const faults = check(importFaults, {
      'model-store/a.ts': "import './b.ts';",
      'model-store/b.ts': "export * from './c.ts';",
      'model-store/c.ts': "import type { a } from './a.ts';",
      'model-store/d.ts': "import './a.ts';",
    });
    expect(faults).toEqual(['import cycle: model-store/a.ts > model-store/b.ts > model-store/c.ts']);
  });

  it('of some packages stay in some rooms', () => {
    const faults = check(importFaults, {
      'worker/imaging/a.ts': "import { Hono } from 'hono';",
      'model-store/b.ts': "import { readFileSync } from 'node:fs';",
      'worker/routes/c.ts': "import { Hono } from 'hono';",
    });
    expect(faults.map((fault) => fault.split(':')[0])).toEqual([
      'worker/imaging/a.ts imports hono',
      'model-store/b.ts imports node',
    ]);
  });
});

describe('the documentation', () => {
  const page = '# One page\n\nSee [it](docs/two.md#the-second-one) and `worker/a.ts`.\n';

  it('names files and headings that are there', () => {
    expect(
      check(documentationFaults, { 'README.md': page, 'docs/two.md': '## The second one', 'worker/a.ts': '' }),
    ).toEqual([]);
  });

  it.each([
    ['a page', { 'README.md': page, 'worker/a.ts': '' }, 'docs/two.md#the-second-one is not there'],
    ['a heading', { 'README.md': page, 'docs/two.md': '## Second', 'worker/a.ts': '' }, 'no such heading'],
    ['a path', { 'README.md': page, 'docs/two.md': '## The second one' }, '`worker/a.ts` is not there'],
  ])('that names %s that is gone is a fault', (_, files, message) => {
    expect(check(documentationFaults, files)).toEqual([expect.stringContaining(message)]);
  });

  it('has headings by the names that GitHub gives them', () => {
    expect([...anchorsOf('# What `it` is, & why?\n## Again\n## Again')]).toEqual([
      'what-it-is--why',
      'again',
      'again-1',
    ]);
  });
});
