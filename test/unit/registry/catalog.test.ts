import { deepEqual, equal, rejects } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { distributionCatalog, type Catalog } from '../../../src/registry/catalog.ts';
import { connectTo, NEVER, password } from '../../support/client.ts';
import { collect } from '../../support/collect.ts';
import { image } from '../../support/images.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../support/registry/registry.ts';
import { putImage, repositoryOf } from '../../support/registry/store.ts';

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

async function start(options: RegistryOptions = {}): Promise<[Catalog, Registry]> {
  const registry = await startRegistry(options);
  closers.push(() => registry.close());
  putImage(registry.store, 'team/a', '1', image());
  const credentials = password('root', 'secret');
  return [distributionCatalog(connectTo(registry, { credentials })), registry];
}

const AUTH = { scheme: 'bearer', users: { root: { password: 'secret' } } } as const;

describe('the catalog', () => {
  it('lists repositories, page by page', async () => {
    const [catalog, { store }] = await start({ maxPageSize: 2 });
    for (const name of ['b', 'c', 'd', 'e']) repositoryOf(store, name);

    const names = await collect(catalog.repositories(NEVER));

    deepEqual(names, ['b', 'c', 'd', 'e', 'team/a']);
  });

  it('asks for no page that a registry could refuse as too large', async () => {
    const [catalog] = await start({ aboveMaxPageSize: 'reject' });

    deepEqual(await collect(catalog.repositories(NEVER)), ['team/a']);
  });

  it('asks for the scope that it needs', async () => {
    const [catalog, { tokenRequests }] = await start({ auth: AUTH });

    deepEqual(await collect(catalog.repositories(NEVER)), ['team/a']);

    deepEqual(tokenRequests[0]?.scopes, ['registry:catalog:*']);
  });

  for (const [how, code] of [
    ['denied', 'UNAUTHORIZED'],
    ['forbidden', 'UNAUTHORIZED'],
    ['missing', 'NOT_FOUND'],
  ] as const) {
    it(`that is ${how} is ${code}, and the message says what else can be done`, async () => {
      const [catalog] = await start({ auth: AUTH, catalog: how });

      await rejects(collect(catalog.repositories(NEVER)), (error: Error & { code?: string }) => {
        equal(error.code, code);
        return ['catalog of 127.0.0.1', '--repositories-from', '--repository'].every((word) =>
          error.message.includes(word),
        );
      });
    });
  }

  it('that is down is no reason to do something else', async () => {
    const [catalog, registry] = await start();
    registry.setFaults([{ match: { path: /catalog/ }, times: Infinity, effect: { status: 503 } }]);

    await rejects(collect(catalog.repositories(NEVER)), (error: Error & { code?: string }) => {
      equal(error.code, 'UNAVAILABLE');
      return !error.message.includes('--repository');
    });
  });

  it('tells tags, and what they stand for', async () => {
    const [catalog] = await start();

    deepEqual(await collect(catalog.tags('team/a', NEVER)), [{ name: '1' }]);
    equal(await catalog.digest('team/a', '1', NEVER), image().root.digest);
    equal(await catalog.digest('team/a', 'gone', NEVER), undefined);
  });
});
