import { deepEqual, equal, match } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { image } from '../../support/images.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../support/registry/registry.ts';
import { ask, errorsOf } from '../../support/registry/requests.ts';
import { putImage, repositoryOf } from '../../support/registry/store.ts';

const started: Registry[] = [];
after(() => Promise.all(started.map((registry) => registry.close())));

async function start(options?: RegistryOptions): Promise<Registry> {
  const registry = await startRegistry(options);
  started.push(registry);
  return registry;
}

describe('lists', () => {
  it('pages the catalog, and links to the next page by a path', async () => {
    const registry = await start({ maxPageSize: 2 });
    for (const name of ['c', 'a/b', 'b']) repositoryOf(registry.store, name);

    const first = await ask(registry, '/v2/_catalog?n=1000');
    const link = first.headers.get('link') ?? '';
    const second = await ask(registry, /<(.*)>/.exec(link)?.[1] ?? '');

    deepEqual(await first.json(), { repositories: ['a/b', 'b'] });
    match(link, /^<\/v2\/_catalog\?last=b&n=2>; rel="next"$/);
    deepEqual(await second.json(), { repositories: ['c'] });
    equal(second.headers.get('link'), null);
  });

  it('pages tags only if told to', async () => {
    const paged = await start({ pageSize: 1 });
    const whole = await start({ tagsListPaging: false, store: paged.store });
    for (const tag of ['1', '2']) putImage(paged.store, 'a', tag, image());

    deepEqual(await (await ask(paged, '/v2/a/tags/list')).json(), { name: 'a', tags: ['1'] });
    deepEqual(await (await ask(paged, '/v2/a/tags/list?last=1')).json(), {
      name: 'a',
      tags: ['2'],
    });
    const all = await ask(whole, '/v2/a/tags/list?n=1');
    deepEqual(await all.json(), { name: 'a', tags: ['1', '2'] });
  });

  it('tells an empty repository from none', async () => {
    const registry = await start();
    repositoryOf(registry.store, 'empty');

    const none = await ask(registry, '/v2/none/tags/list');

    deepEqual(await (await ask(registry, '/v2/empty/tags/list')).json(), {
      name: 'empty',
      tags: null,
    });
    equal(none.status, 404);
    deepEqual(await errorsOf(none), [{ code: 'NAME_UNKNOWN', detail: { name: 'none' } }]);
  });

  it('can do without a catalog', async () => {
    const statuses = { open: 200, denied: 401, forbidden: 403, missing: 404 } as const;
    for (const catalog of ['open', 'denied', 'forbidden', 'missing'] as const) {
      const registry = await start({ catalog });
      equal((await ask(registry, '/v2/_catalog')).status, statuses[catalog]);
    }
  });

  it('can refuse pages that are too large', async () => {
    const registry = await start({ aboveMaxPageSize: 'reject' });
    equal((await ask(registry, '/v2/_catalog?n=1001')).status, 400);
  });
});

it('leaves out the digest header if told to, but not on the way in', async () => {
  const registry = await start({ omitDigestHeader: true });
  putImage(registry.store, 'a', '1', image());
  equal((await ask(registry, '/v2/a/manifests/1')).headers.get('docker-content-digest'), null);
});
