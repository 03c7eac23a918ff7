import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import { Advance, nextPage, pages, type FetchPage } from '../../../src/registry/pages.ts';
import { collect } from '../../support/collect.ts';

const FIRST = new URL('https://r.test/v2/a/tags/list?n=2');

/** A list of three pages that notes which of them were asked for. */
function threePages(): { asked: string[]; fetchPage: FetchPage<string> } {
  const asked: string[] = [];
  const answers = new Map([
    ['?n=2', { items: ['a', 'b'], link: '</v2/a/tags/list?n=2&last=b>; rel="next"' }],
    ['?n=2&last=b', { items: ['c', 'd'], link: '<?n=2&last=d>; rel=next' }],
    ['?n=2&last=d', { items: ['e'] }],
  ]);
  const fetchPage: FetchPage<string> = async ({ search }) => {
    asked.push(search);
    return answers.get(search) ?? { items: [] };
  };
  return { asked, fetchPage };
}

describe('pages', () => {
  it('yields every item in order', async () => {
    deepEqual(await collect(pages(FIRST, threePages().fetchPage)), ['a', 'b', 'c', 'd', 'e']);
  });

  it('asks for no page that is not needed', async () => {
    const { asked, fetchPage } = threePages();

    for await (const tag of pages(FIRST, fetchPage)) if (tag === 'b') break;

    deepEqual(asked, ['?n=2']);
  });

  it('refuses a loop', async () => {
    const toItself: FetchPage<string> = async () => ({
      items: [],
      link: `<${FIRST.href}>; rel="next"`,
    });

    await rejects(collect(pages(FIRST, toItself)), { code: 'PROTOCOL', message: /loop/ });
  });
});

describe('nextPage', () => {
  it('passes over links of another kind', () => {
    equal(nextPage('<?p=1>; rel="prev", <?p=3>; rel="last next"', FIRST)?.search, '?p=3');
    equal(nextPage('<?p=1>; rel="prev"', FIRST), undefined);
  });

  it('does not follow a link to another origin, which would be sent our token', () => {
    throws(() => nextPage('<https://evil.test/>; rel="next"', FIRST), { code: 'PROTOCOL' });
    throws(() => nextPage('<https://r.test:8443/>; rel="next"', FIRST), { code: 'PROTOCOL' });
  });

  it('mends the scheme, which a registry behind a proxy does not know', () => {
    equal(nextPage('<http://r.test/v2/?p=2>; rel="next"', FIRST)?.href, 'https://r.test/v2/?p=2');
  });
});

/** Pages by the names that they begin with; `''` is an empty one. The number of those that were taken. */
function taken(...firsts: string[]): number {
  const advance = new Advance('tags of r.test/a');
  let count = 0;
  try {
    for (const first of firsts) {
      advance.note(first === '' ? undefined : first);
      count += 1;
    }
  } catch (error) {
    ok(error instanceof RegistrySyncError && error.code === 'PROTOCOL');
    equal(error.message, 'tags of r.test/a: the pages of the list do not advance');
  }
  return count;
}

describe('the advance of a list', () => {
  it('is one from name to name, in whatever order', () => {
    equal(taken('a', 'c', 'b', 'd'), 4);
  });

  it('is none where a page begins as the one before it, or as the first', () => {
    equal(taken('a', 'a'), 1);
    equal(taken('a', 'b', 'b'), 2);
    equal(taken('a', 'b', 'c', 'a'), 3);
    equal(taken('a', '', 'a'), 2);
    equal(taken('', 'a', 'b', 'a'), 3);
  });

  it('goes through a hundred empty pages, and not through more', () => {
    const empty = (count: number): string[] => Array<string>(count).fill('');

    equal(taken(...empty(200)), 100);
    equal(taken('a', ...empty(100), 'b', ...empty(100), 'c'), 203);
    equal(taken('a', ...empty(101)), 101);
  });

  it('can be asked for without being noted', () => {
    const advance = new Advance('tags of r.test/a');
    equal(advance.repeats('a'), false);
    advance.note('a');

    deepEqual(
      ['a', 'b', undefined].map((name) => advance.repeats(name)),
      [true, false, false],
    );
  });
});
