import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { catalogOf, inventoryOf } from '../../../src/cli/catalog-of.ts';
import { digestOf } from '../../../src/image/digest.ts';
import type { RegistryKind } from '../../../src/registry/profile.ts';
import { NEVER, password } from '../../support/client.ts';
import { collect } from '../../support/collect.ts';
import { asked, json, knownClient } from '../../support/known-client.ts';

const D = digestOf(Buffer.from('d'));

/** The first request for the tags of a/b, and whether there are pages and counts. */
const CATALOGS: [string, RegistryKind | undefined, string, boolean, boolean][] = [
  ['acme.azurecr.io', undefined, 'GET /acr/v1/a%2Fb/_tags', true, true],
  ['images.example.com', 'acr', 'GET /acr/v1/a%2Fb/_tags', true, true],
  ['docker.io', undefined, 'GET /v2/namespaces/a/repositories/b/tags', true, false],
  ['mirror.example.com', 'docker-hub', 'GET /v2/a/b/tags/list', false, false],
  ['eu.gcr.io', undefined, 'GET /v2/a/b/tags/list', true, false],
  ['r.test', 'zot', 'POST /v2/_zot/ext/search', true, false],
  ['r.test', undefined, 'GET /v2/a/b/tags/list', false, false],
  ['acme.azurecr.io', 'generic', 'GET /v2/a/b/tags/list', false, false],
  ['ghcr.io', undefined, 'GET /v2/a/b/tags/list', false, false],
];

describe('catalogOf', () => {
  for (const [registry, kind, first, hasPages, hasCount] of CATALOGS) {
    it(`reads the list of ${kind ?? registry}: ${first}`, async () => {
      const { client, requests } = await knownClient(registry, () => undefined, kind && { kind });

      const catalog = await catalogOf(client);
      await collect(catalog.tags('a/b', NEVER)).catch(() => {});

      equal(asked(requests)[0]?.replace(/\?.*/, ''), first);
      deepEqual([catalog.pages !== undefined, catalog.count !== undefined], [hasPages, hasCount]);
      equal(catalog.registry, registry);
    });

    it(`${hasPages ? 'makes an inventory' : 'makes no inventory'} of ${kind ?? registry}`, async () => {
      const { client, requests } = await knownClient(registry, () => undefined, kind && { kind });

      const inventory = await inventoryOf(client, () => 10);
      const said = await inventory?.says('a/b', '1', D, NEVER);

      equal(said, hasPages ? false : undefined);
      equal(requests.length > 0, hasPages);
    });
  }
});

describe('a mirror of Docker Hub', () => {
  it('is asked itself, and its login stays there', async () => {
    const { client, requests } = await knownClient(
      'mirror.example.com',
      ({ url }) => (url.pathname.endsWith('/tags/list') ? json({ tags: ['1'] }) : undefined),
      { kind: 'docker-hub', credentials: password('corp', 'secret of corp') },
    );

    const catalog = await catalogOf(client);
    deepEqual(await collect(catalog.tags('library/redis', NEVER)), [{ name: '1' }]);
    equal(await catalog.digest('library/redis', '1', NEVER), undefined);
    await collect(catalog.repositories(NEVER, 'library')).catch(() => {});
    equal(await inventoryOf(client, () => 1000), undefined);

    deepEqual([...new Set(requests.map(({ url }) => url.host))], ['mirror.example.com']);
  });
});
