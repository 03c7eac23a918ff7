import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { digestOf } from '../../../src/image/digest.ts';
import type { Catalog, TagPage } from '../../../src/registry/catalog.ts';
import { zotCatalog } from '../../../src/registry/zot.ts';
import { NEVER } from '../../support/client.ts';
import { collect } from '../../support/collect.ts';
import {
  asked,
  json,
  knownClient,
  pagesOf,
  refusal,
  type KnownClient,
} from '../../support/known-client.ts';
import type { WireAnswer } from '../../support/wire.ts';

const D = digestOf(Buffer.from('d'));
const DATE = '2024-05-06T07:08:09.123456789Z';

const result = (name: string, more: object = {}): object => ({
  RepoName: 'a/b',
  Tag: name,
  Digest: D,
  LastUpdated: DATE,
  ...more,
});
const found = (Results: unknown, total?: unknown): WireAnswer =>
  json({ data: { ImageList: { Page: { TotalCount: total, ItemCount: 1 }, Results } } });

/** A registry with these tags, whose search answers one after the other. */
async function zotOf(
  names: readonly string[],
  ...answers: WireAnswer[]
): Promise<KnownClient & { catalog: Catalog; queries: () => string[] }> {
  const known = await knownClient(
    'zot.test',
    ({ url }) => {
      if (url.pathname === '/v2/') return undefined;
      return url.pathname === '/v2/_zot/ext/search' ? answers.shift() : json({ tags: names });
    },
    { kind: 'zot' },
  );
  const queries = (): string[] =>
    known.requests
      .filter(({ method }) => method === 'POST')
      .map(({ body }) => (JSON.parse(body.toString()) as { query: string }).query);
  return { ...known, catalog: zotCatalog(known.client), queries };
}

const zot = (...answers: WireAnswer[]): ReturnType<typeof zotOf> => zotOf(['plain'], ...answers);

const named = (from: number, count: number): object[] =>
  Array.from({ length: count }, (_, n) => result(`v${from + n}`));
const offsetsOf = (queries: readonly string[]): (string | undefined)[] =>
  queries.map((query) => /offset:(\d+)/.exec(query)?.[1]);
const countIn = (pages: readonly TagPage[]): number => pages.flatMap(({ tags }) => tags).length;

describe('the search of zot', () => {
  it('says digests and dates of tags', async () => {
    const { catalog, requests, queries } = await zotOf(
      ['1', '2'],
      found([result('1'), result('2')], 2),
    );

    deepEqual(await collect(catalog.tags('a/b', NEVER)), [
      { name: '1', digest: D, lastUpdatedOn: DATE },
      { name: '2', digest: D, lastUpdatedOn: DATE },
    ]);
    deepEqual(asked(requests), ['POST /v2/_zot/ext/search', 'GET /v2/a/b/tags/list?n=1000']);
    equal(requests[0]?.headers['content-type'], 'application/json');
    deepEqual(queries(), [
      '{ImageList(repo:"a/b",requestedPage:{limit:1000,offset:0}){Page{TotalCount ItemCount} Results{RepoName Tag Digest LastUpdated}}}',
    ]);
  });

  it('is asked for page after page, as far as there are any', async () => {
    const { catalog, queries } = await zot(
      found(named(0, 1000), 2001),
      found(named(1000, 1000), 2001),
      found(named(2000, 1), 2001),
    );

    equal(countIn(await pagesOf(catalog, 'a/b')), 2001);
    deepEqual(offsetsOf(queries()), ['0', '1000', '2000']);
  });

  it('goes on behind what came, be it fewer than were asked for', async () => {
    const { catalog, queries } = await zot(
      found(named(0, 500), 1200),
      found(named(500, 500), 1200),
      found(named(1000, 200), 1200),
    );

    equal(countIn(await pagesOf(catalog, 'a/b')), 1200);
    deepEqual(offsetsOf(queries()), ['0', '500', '1000']);
  });

  it('tells how many there are to who asks for digests', async () => {
    const { catalog } = await zot(found(named(0, 1000), 1500), found(named(1000, 500), 1500));

    const pages = await pagesOf(catalog, 'a/b');

    deepEqual(
      pages.map(({ tags, total }) => [tags.length, total]),
      [
        [1000, 1500],
        [500, 1500],
      ],
    );
  });

  it('is not asked again after an empty page, whatever it counts', async () => {
    const { catalog, queries } = await zot(found(named(0, 1000), 9000), found([], 9000));

    equal(countIn(await pagesOf(catalog, 'a/b')), 1000);
    equal(queries().length, 2);
  });

  it('that answers the same whatever the offset is a breach of the protocol', async () => {
    const again = (): WireAnswer => found(named(0, 1000), 9000);
    const { catalog, queries } = await zot(again(), again(), again());

    await rejects(pagesOf(catalog, 'a/b'), {
      code: 'PROTOCOL',
      message: 'tags of zot.test/a/b: the pages of the list do not advance',
    });
    equal(queries().length, 2);
  });
});

describe('an answer of zot’s search', () => {
  it('that does not count is followed by more until a page is not full', async () => {
    const { catalog } = await zot(found(named(0, 1000)), found(named(1000, 5)));

    equal(countIn(await pagesOf(catalog, 'a/b')), 1005);
  });

  it('leaves out what is no tag, and tags of other repositories', async () => {
    const { catalog } = await zot(
      found(
        [result('1', { RepoName: 'a/bc' }), result('', {}), { RepoName: 'a/b' }, 5, result('2')],
        1,
      ),
    );

    deepEqual(
      (await pagesOf(catalog, 'a/b')).map(({ tags }) => tags.map(({ name }) => name)),
      [['2']],
    );
  });

  it('may not know digests and dates', async () => {
    const { catalog } = await zot(found([result('1', { Digest: 'x', LastUpdated: null })], 1));

    deepEqual(await pagesOf(catalog, 'a/b'), [
      { tags: [{ name: '1', digest: undefined, lastUpdatedOn: undefined }], total: 1 },
    ]);
  });
});

describe('a crawl of zot', () => {
  it('takes names from the registry, and digests from its search', async () => {
    const { catalog } = await zotOf(['1', 'new'], found([result('1'), result('gone')], 2));

    deepEqual(await collect(catalog.tags('a/b', NEVER)), [
      { name: '1', digest: D, lastUpdatedOn: DATE },
      { name: 'new' },
    ]);
  });

  it('misses nothing while the search knows nothing yet', async () => {
    const { catalog, warned } = await zotOf(['1', '2'], found([], 0));

    deepEqual(await collect(catalog.tags('a/b', NEVER)), [{ name: '1' }, { name: '2' }]);
    deepEqual(warned, []);
  });
});

describe('a search of zot', () => {
  for (const [shown, answer] of [
    ['is not there', { status: 404 }],
    ['is down', { status: 503 }],
    ['is denied', refusal(403, 'DENIED')],
    ['is refused', refusal(400, 'INVALID')],
    ['finds a mistake', json({ data: null, errors: [{ message: 'no such field' }] })],
  ] as const) {
    it(`that ${shown} leaves the names, and is warned of unless it is not there`, async () => {
      const { catalog, warned } = await zot(answer);

      deepEqual(await collect(catalog.tags('a/b', NEVER)), [{ name: 'plain' }]);
      equal(warned.length, shown === 'is not there' ? 0 : 1);
      ok(warned.every((line) => line.startsWith('no digests in bulk: each tag is asked for | ')));
    });
  }

  it('says what it finds wrong', async () => {
    const errors = [{ message: 'no such field' }, { message: 'nor this' }];
    const { catalog } = await zot(json({ errors }));

    await rejects(pagesOf(catalog, 'a/b'), {
      code: 'REJECTED',
      message: 'tags of zot.test/a/b: the search says no such field; nor this',
    });
  });

  it('that breaks off after a page leaves the digests that it gave', async () => {
    const { catalog, warned } = await zotOf(
      ['v0', 'v1000'],
      found(named(0, 1000), 1001),
      refusal(400, 'INVALID'),
    );

    deepEqual(
      (await collect(catalog.tags('a/b', NEVER))).map(({ digest }) => digest),
      [D, undefined],
    );
    equal(warned.length, 1);
  });

  it('fails for who wants nothing but digests', async () => {
    const { catalog } = await zot({ status: 503 });

    await rejects(pagesOf(catalog, 'a/b'), { code: 'UNAVAILABLE' });
  });
});
