import { deepEqual, equal, match } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { image, index } from '../../support/images.ts';
import { startRegistry, type Registry } from '../../support/registry/registry.ts';
import { ask } from '../../support/registry/requests.ts';
import { putImage, repositoryOf } from '../../support/registry/store.ts';
import { zotQuirks } from '../../support/zot/zot.ts';

const APP = image({ seed: 'app' });
const MULTI = index([{ image: APP, platform: { os: 'linux', architecture: 'amd64' } }]);

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

async function start(options?: { search: boolean }): Promise<Registry> {
  const registry = await startRegistry(zotQuirks(options));
  for (const tag of ['1', '2', '3']) putImage(registry.store, 'a/app', tag, APP);
  putImage(registry.store, 'b', 'multi', MULTI);
  repositoryOf(registry.store, 'empty');
  closers.push(() => registry.close());
  return registry;
}

function search(registry: Registry, query: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ query });
  return ask(registry, '/v2/_zot/ext/search', { method: 'POST', headers, body });
}

interface Found {
  readonly Page: { readonly TotalCount: number; readonly ItemCount: number };
  readonly Results: readonly Record<string, unknown>[];
}

async function found(registry: Registry, query: string): Promise<Found> {
  const answer = await search(registry, query);
  const { data } = (await answer.json()) as { data: Record<string, Found> };
  const [result] = Object.values(data);
  if (result === undefined) throw new Error('no data');
  return result;
}

const ALL = 'Page{TotalCount ItemCount} Results{RepoName Tag Digest MediaType Size LastUpdated}';

describe('zot’s search', () => {
  it('is discovered', async () => {
    const answer = await ask(await start(), '/v2/_oci/ext/discover');
    const { extensions } = (await answer.json()) as {
      extensions: { name: string; endpoints: string[] }[];
    };
    deepEqual(
      extensions.map(({ name, endpoints }) => [name, endpoints]),
      [['_zot', ['/v2/_zot/ext/search']]],
    );
  });

  it('lists the images of a repository by pages', async () => {
    const registry = await start();
    const pageAt = (offset: number): Promise<Found> =>
      found(registry, `{ImageList(repo:"a/app",requestedPage:{limit:2,offset:${offset}}){${ALL}}}`);
    const first = await pageAt(0);
    const second = await pageAt(2);

    deepEqual(first.Page, { TotalCount: 3, ItemCount: 2 });
    deepEqual(second.Page, { TotalCount: 3, ItemCount: 1 });
    const tags = [...first.Results, ...second.Results].map(({ Tag }) => Tag);
    deepEqual(tags, ['1', '2', '3']);
    const { Size, ...rest } = second.Results[0] ?? {};
    match(String(Size), /^\d{4,}$/);
    deepEqual(rest, {
      RepoName: 'a/app',
      Tag: '3',
      Digest: APP.root.digest,
      MediaType: APP.root.mediaType,
      LastUpdated: '2024-01-01T00:00:00Z',
    });
  });

  it('tells an index and its platforms, in whatever order', async () => {
    const query = `query Images {
      ImageList(requestedPage: {sortBy: ALPHABETIC_ASC, offset: 0, limit: 9}, repo: "b") {
        Results { Manifests { Platform { Arch Os } Digest } MediaType Digest }
      }
    }`;
    deepEqual(await found(await start(), query), {
      Results: [
        {
          Manifests: [{ Platform: { Arch: 'amd64', Os: 'linux' }, Digest: APP.root.digest }],
          MediaType: MULTI.root.mediaType,
          Digest: MULTI.root.digest,
        },
      ],
    });
  });
});

describe('zot’s search of everything', () => {
  it('lists the images of all repositories, of one that is not there none', async () => {
    const registry = await start();
    const tags = async (repo: string): Promise<unknown[]> => {
      const { Results } = await found(
        registry,
        `{ImageList(repo:"${repo}"){Results{RepoName Tag}}}`,
      );
      return Results.map(({ RepoName, Tag }) => `${RepoName}:${Tag}`);
    };
    deepEqual(await tags(''), ['a/app:1', 'a/app:2', 'a/app:3', 'b:multi']);
    deepEqual(await tags('none'), []);
  });

  it('lists repositories with their newest image', async () => {
    const query =
      '{RepoListWithNewestImage(requestedPage:{limit:1,offset:1}){Page{TotalCount} Results{Name NewestImage{Tag}}}}';
    deepEqual(await found(await start(), query), {
      Page: { TotalCount: 2 },
      Results: [{ Name: 'b', NewestImage: { Tag: 'multi' } }],
    });
  });
});

describe('what zot’s search refuses', () => {
  const wrong: [what: string, query: unknown, status: number][] = [
    ['no string', 1, 400],
    ['no query', '', 422],
    ['no end', '{ImageList(repo:""){Results{Tag}}', 422],
    ['more after the end', '{ImageList(repo:""){Results{Tag}}} x', 422],
    ['an unknown field', '{ImageList(repo:"none"){Results{Name}}}', 422],
    ['an unknown list', '{Images{Tag}}', 422],
    ['no repository', '{ImageList{Results{Tag}}}', 422],
    ['no selection', '{ImageList(repo:""){Results}}', 422],
    ['a selection of text', '{ImageList(repo:""){Results{Tag{Name}}}}', 422],
    ['an unknown order', '{ImageList(repo:"",requestedPage:{sortBy:X}){Results{Tag}}}', 422],
    ['an unknown part of a page', '{ImageList(repo:"",requestedPage:{size:1}){Results{Tag}}}', 422],
    ['a page in quotes', '{ImageList(repo:"",requestedPage:{limit:"1"}){Results{Tag}}}', 422],
    ['an odd character', '{ImageList(repo:$x){Results{Tag}}}', 422],
  ];
  for (const [what, query, status] of wrong) {
    it(`refuses ${what} with ${status}`, async () => {
      const answer = await search(await start(), query);
      const { errors } = (await answer.json()) as { errors: { message: string }[] };
      deepEqual([answer.status, errors.length], [status, 1]);
    });
  }

  it('is all, where it is missing', async () => {
    const registry = await start({ search: false });
    equal((await ask(registry, '/v2/_oci/ext/discover')).status, 404);
    equal((await search(registry, `{ImageList(repo:""){${ALL}}}`)).status, 404);
  });
});
