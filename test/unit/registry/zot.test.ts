import { deepEqual, equal, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { digestOf } from '../../../src/image/digest.ts';
import type { Catalog } from '../../../src/registry/catalog.ts';
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

/** A registry whose search answers one after the other. */
async function zot(
  ...answers: WireAnswer[]
): Promise<KnownClient & { catalog: Catalog; queries: () => string[] }> {
  const known = await knownClient(
    'zot.test',
    ({ url }) => {
      if (url.pathname === '/v2/') return undefined;
      return url.pathname === '/v2/_zot/ext/search' ? answers.shift() : json({ tags: ['plain'] });
    },
    { kind: 'zot' },
  );
  const queries = (): string[] =>
    known.requests
      .filter(({ method }) => method === 'POST')
      .map(({ body }) => (JSON.parse(body.toString()) as { query: string }).query);
  return { ...known, catalog: zotCatalog(known.client), queries };
}

const named = (from: number, count: number): object[] =>
  Array.from({ length: count }, (_, n) => result(`v${from + n}`));

describe('the search of zot', () => {
  it('says digests and dates of tags', async () => {
    const { catalog, requests, queries } = await zot(found([result('1'), result('2')], 2));

    deepEqual(await collect(catalog.tags('a/b', NEVER)), [
      { name: '1', digest: D, lastUpdatedOn: DATE },
      { name: '2', digest: D, lastUpdatedOn: DATE },
    ]);
    deepEqual(asked(requests), ['POST /v2/_zot/ext/search']);
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

    equal((await collect(catalog.tags('a/b', NEVER))).length, 2001);
    deepEqual(
      queries().map((query) => /offset:(\d+)/.exec(query)?.[1]),
      ['0', '1000', '2000'],
    );
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

    equal((await collect(catalog.tags('a/b', NEVER))).length, 1000);
    equal(queries().length, 2);
  });
});

describe('an answer of zot’s search', () => {
  it('that does not count is followed by more until a page is not full', async () => {
    const { catalog } = await zot(found(named(0, 1000)), found(named(1000, 5)));

    equal((await collect(catalog.tags('a/b', NEVER))).length, 1005);
  });

  it('leaves out what is no tag, and tags of other repositories', async () => {
    const { catalog } = await zot(
      found(
        [result('1', { RepoName: 'a/bc' }), result('', {}), { RepoName: 'a/b' }, 5, result('2')],
        5,
      ),
    );

    deepEqual(
      (await collect(catalog.tags('a/b', NEVER))).map(({ name }) => name),
      ['2'],
    );
  });

  it('may not know digests and dates', async () => {
    const { catalog } = await zot(found([result('1', { Digest: 'x', LastUpdated: null })], 1));

    deepEqual(await collect(catalog.tags('a/b', NEVER)), [
      { name: '1', digest: undefined, lastUpdatedOn: undefined },
    ]);
  });
});

describe('a search of zot', () => {
  for (const [shown, answer] of [
    ['is not there', { status: 404 }],
    ['is denied', refusal(403, 'DENIED')],
    ['is refused', refusal(400, 'INVALID')],
    ['finds a mistake', json({ data: null, errors: [{ message: 'no such field' }] })],
  ] as const) {
    it(`that ${shown} is replaced by the plain list`, async () => {
      const { catalog } = await zot(answer);

      deepEqual(await collect(catalog.tags('a/b', NEVER)), [{ name: 'plain' }]);
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

  it('that is down is no reason to do something else', async () => {
    const { catalog } = await zot({ status: 503 });

    await rejects(collect(catalog.tags('a/b', NEVER)), { code: 'UNAVAILABLE' });
  });

  it('that breaks off after a page is not replaced', async () => {
    const { catalog } = await zot(found(named(0, 1000), 1001), refusal(400, 'INVALID'));

    await rejects(collect(catalog.tags('a/b', NEVER)), { code: 'REJECTED' });
  });
});
