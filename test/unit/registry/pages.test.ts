import { deepEqual, equal, rejects, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { nextPage, pages, type FetchPage } from '../../../src/registry/pages.ts';
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
