import { deepEqual, equal, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import { digestOf } from '../../../src/image/digest.ts';
import type { Catalog, TagInfo } from '../../../src/registry/catalog.ts';
import { googleCatalog } from '../../../src/registry/google.ts';
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

const A = digestOf(Buffer.from('a'));
const B = digestOf(Buffer.from('b'));

/** Answers by repository: a list, or an answer of another kind. */
type Lists = Readonly<Record<string, object>>;

async function google(lists: Lists): Promise<KnownClient & { catalog: Catalog }> {
  const known = await knownClient('eu.gcr.io', ({ url }) => {
    if (url.pathname === '/v2/') return undefined;
    const [, path = ''] = /^\/v2\/(.+)\/tags\/list$/.exec(url.pathname) ?? []; // else the catalog
    const list = lists[path];
    return list === undefined || 'status' in list ? (list as WireAnswer | undefined) : json(list);
  });
  return { ...known, catalog: googleCatalog(known.client) };
}

/** As it is recorded from gcr.io. */
const LIST = {
  child: [],
  manifest: {
    [A]: {
      imageSizeBytes: '1',
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      tag: ['1.0', 'latest'],
      timeCreatedMs: '1577836800123',
      timeUploadedMs: '1577923200456',
    },
    [B]: {
      imageSizeBytes: '0',
      tag: ['multi'],
      timeCreatedMs: '0',
      timeUploadedMs: '1577923200000',
    },
  },
  name: 'acme/web',
  tags: ['1.0', 'latest', 'multi'],
};

async function tagsIn(list: object): Promise<TagInfo[]> {
  return collect((await google({ 'acme/web': list })).catalog.tags('acme/web', NEVER));
}

describe('a list of Google’s', () => {
  it('says digests and dates of all tags, in one request without pages', async () => {
    const { catalog, requests } = await google({ 'acme/web': LIST });

    const dates = {
      createdOn: '2020-01-01T00:00:00.123Z',
      lastUpdatedOn: '2020-01-02T00:00:00.456Z',
    };
    deepEqual(await collect(catalog.tags('acme/web', NEVER)), [
      { name: '1.0', digest: A, ...dates },
      { name: 'latest', digest: A, ...dates },
      { name: 'multi', digest: B, createdOn: undefined, lastUpdatedOn: '2020-01-02T00:00:00.000Z' },
    ]);
    deepEqual(asked(requests), ['GET /v2/acme/web/tags/list']);
  });

  it('keeps tags whose manifest is not listed, without a digest', async () => {
    deepEqual(await tagsIn({ tags: ['b', 'a'], manifest: { [A]: { tag: ['a'] } } }), [
      { name: 'a', digest: A, createdOn: undefined, lastUpdatedOn: undefined },
      { name: 'b' },
    ]);
  });

  it('passes over what is no digest, no manifest, no tag, no date', async () => {
    const manifest = {
      'sha256:short': { tag: ['x'] },
      [B]: 'no manifest',
      [A]: { tag: ['1', 2, null], timeCreatedMs: 'soon', timeUploadedMs: '99999999999999999' },
    };

    deepEqual(await tagsIn({ tags: ['1', 5], manifest }), [
      { name: '1', digest: A, createdOn: undefined, lastUpdatedOn: undefined },
    ]);
  });

  it('may be empty', async () => {
    deepEqual(await tagsIn({ child: [], manifest: {}, tags: [] }), []);
    deepEqual(await tagsIn({}), []);
  });

  it('that is no JSON is a breach of the protocol', async () => {
    await rejects(tagsIn({ status: 200, body: '<html>' }), {
      code: 'PROTOCOL',
      message: /tags of eu\.gcr\.io\/acme\/web/,
    });
  });

  it('is one page for who asks for digests', async () => {
    const { catalog } = await google({ 'acme/web': LIST });

    const pages = await pagesOf(catalog, 'acme/web');

    deepEqual(
      pages.map(({ tags }) => tags.length),
      [3],
    );
  });
});

describe('the repositories of a namespace at Google’s', () => {
  const LISTS = {
    acme: { child: ['web', 'team'] },
    'acme/web': LIST,
    'acme/team': { child: ['x', '', 5] },
    'acme/team/x': { ...LIST, child: ['y'] },
    'acme/team/x/y': { tags: ['1'] },
  };

  it('are found by walking its children', async () => {
    const { catalog } = await google(LISTS);

    deepEqual(await collect(catalog.repositories(NEVER, 'acme')), [
      'acme/web',
      'acme/team/x',
      'acme/team/x/y',
    ]);
  });

  it('are not asked for twice: what was listed is at hand', async () => {
    const { catalog, requests } = await google(LISTS);

    const tags: string[] = [];
    for await (const path of catalog.repositories(NEVER, 'acme')) {
      for await (const { name } of catalog.tags(path, NEVER)) tags.push(`${path}:${name}`);
    }

    equal(tags.length, 7);
    deepEqual(
      asked(requests).toSorted(),
      Object.keys(LISTS)
        .toSorted()
        .map((path) => `GET /v2/${path}/tags/list`),
    );
  });

  it('are asked for anew by who asks for tags again', async () => {
    const { catalog, requests } = await google({ acme: LIST });
    await collect(catalog.repositories(NEVER, 'acme'));

    for (let n = 0; n < 2; n += 1) await collect(catalog.tags('acme', NEVER));

    equal(requests.length, 2);
  });

  it('have no folder among them', async () => {
    const { catalog } = await google({
      acme: { child: ['web'], manifest: {}, name: 'acme', tags: [] },
      'acme/web': LIST,
    });

    deepEqual(await collect(catalog.repositories(NEVER, 'acme')), ['acme/web']);
  });

  const withCatalog = async (lists: Lists): Promise<string[]> => {
    const { catalog } = await google({ ...lists, '': { repositories: ['acme', 'acme/web'] } });
    return collect(catalog.repositories(NEVER));
  };

  it('are those below the roots of the catalog where no namespace is named, each once', async () => {
    deepEqual(await withCatalog(LISTS), ['acme/web', 'acme/team/x', 'acme/team/x/y']);
  });

  it('are told though one of them is denied', async () => {
    const denied = { 'acme/team/x': refusal(403, 'DENIED') };

    const paths = await withCatalog({ ...LISTS, ...denied });

    deepEqual(paths, ['acme/web', 'acme/team/x']); // whose tags can't be read is found out by who wants them
  });
});

/** A tree whose every repository has these children, and no end. */
async function endless(...child: unknown[]): Promise<KnownClient & { catalog: Catalog }> {
  const known = await knownClient('eu.gcr.io', ({ url }) =>
    url.pathname === '/v2/' ? undefined : json({ ...LIST, child }),
  );
  return { ...known, catalog: googleCatalog(known.client) };
}

describe('children at Google’s', () => {
  it('that go on for ever are an error', async () => {
    const { catalog, requests } = await endless('a');

    await rejects(collect(catalog.repositories(NEVER, 'acme')), {
      code: 'PROTOCOL',
      message: /repositories are nested deeper than 12 levels/,
    });
    equal(requests.length, 12);
  });

  for (const child of ['..', 'x/../..', 'A', '?n=1', '%2e%2e', '', ' ', '-']) {
    it(`whose names are no part of a path are not asked for: ${JSON.stringify(child)}`, async () => {
      const { catalog, requests } = await endless(child);

      deepEqual(await collect(catalog.repositories(NEVER, 'acme')), ['acme']);
      equal(requests.length, 1);
    });
  }

  for (const [shown, answer] of [
    ['denied', refusal(403, 'DENIED')],
    ['denied without a login', refusal(401, 'UNAUTHORIZED')],
    ['gone', refusal(404, 'NAME_UNKNOWN')],
  ] as const) {
    it(`that are ${shown} keep none of the others from being told`, async () => {
      const { catalog } = await google({
        acme: { child: ['a', 'secret', 'z'] },
        'acme/a': LIST,
        'acme/secret': answer,
        'acme/z': LIST,
      });

      deepEqual(await collect(catalog.repositories(NEVER, 'acme')), [
        'acme/a',
        'acme/secret',
        'acme/z',
      ]);
      await rejects(collect(catalog.tags('acme/secret', NEVER)), RegistrySyncError);
    });
  }

  it('that can’t be read now end the list', async () => {
    const { catalog } = await google({
      acme: { child: ['a', 'b'] },
      'acme/a': { status: 503 },
      'acme/b': LIST,
    });

    await rejects(collect(catalog.repositories(NEVER, 'acme')), { code: 'UNAVAILABLE' });
  });

  it('that the catalog names too are read once', async () => {
    const { catalog, requests } = await google({
      '': { repositories: ['p/a', 'p/a/b', 'p/a/b/c', 'p/a'] },
      'p/a': { ...LIST, child: ['b'] },
      'p/a/b': { ...LIST, child: ['c'] },
      'p/a/b/c': LIST,
    });

    deepEqual(await collect(catalog.repositories(NEVER)), ['p/a', 'p/a/b', 'p/a/b/c']);
    equal(asked(requests).filter((line) => line.endsWith('/tags/list')).length, 3);
  });
});

describe('what is kept of Google’s lists', () => {
  const tags = (count: number): { tags: string[] } => ({
    tags: Array.from({ length: count }, (_, n) => `v${n}`),
  });
  const readAgain = async (lists: Lists): Promise<string[]> => {
    const { catalog, requests } = await google(lists);
    const paths = await collect(catalog.repositories(NEVER, 'acme'));
    const before = requests.length;
    for (const path of paths) await collect(catalog.tags(path, NEVER));
    return asked(requests.slice(before));
  };

  it('is all of many small ones', async () => {
    const names = Array.from({ length: 100 }, (_, n) => `r${n}`);
    const lists = Object.fromEntries(names.map((name) => [`acme/${name}`, LIST]));

    deepEqual(await readAgain({ ...lists, acme: { child: names } }), []);
  });

  it('is no more than a hundred thousand tags: the oldest are read again', async () => {
    const lists = { acme: { child: ['a', 'b'] }, 'acme/a': tags(60_000), 'acme/b': tags(60_000) };

    deepEqual(await readAgain(lists), ['GET /v2/acme/a/tags/list']);
  });

  it('is nothing of what has more', async () => {
    deepEqual(await readAgain({ acme: tags(100_000) }), ['GET /v2/acme/tags/list']);
  });
});
