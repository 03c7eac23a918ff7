/** The catalog of an Azure registry, its counts, and how its lists are authorised. */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { azureCatalog } from '../../../src/azure/catalog.ts';
import { transportTo } from '../../../src/azure/transport.ts';
import type { Catalog } from '../../../src/registry/catalog.ts';
import { metadataOf } from '../../../src/registry/permissions.ts';
import { NEVER, password } from '../../support/client.ts';
import { collect } from '../../support/collect.ts';
import {
  asked,
  json,
  knownClient,
  refusal,
  type Answering,
  type KnownClient,
} from '../../support/known-client.ts';

async function azure(answer: Answering): Promise<KnownClient & { catalog: Catalog }> {
  const known = await knownClient('acme.azurecr.io', answer, { credentials: password('u', 'p') });
  return { ...known, catalog: azureCatalog(known.client) };
}

describe('the repositories of an Azure registry', () => {
  it('are listed page by page, a thousand per request', async () => {
    const { catalog, requests } = await azure(({ url }) => {
      if (url.pathname === '/v2/') return undefined;
      const isLast = url.searchParams.has('last');
      const link = { link: '</acr/v1/_catalog?last=team%2Fb&n=1000&orderby=>; rel="next"' };
      return json({ repositories: isLast ? ['x'] : ['a', 'team/b'] }, isLast ? {} : link);
    });

    deepEqual(await collect(catalog.repositories(NEVER)), ['a', 'team/b', 'x']);
    equal(asked(requests)[0], 'GET /acr/v1/_catalog?n=1000&api-version=2021-07-01');
    deepEqual([requests.length, requests[1]?.url.searchParams.get('last')], [2, 'team/b']);
  });

  for (const repositories of [null, []]) {
    it(`may be none: ${JSON.stringify(repositories)}`, async () => {
      const { catalog } = await azure(() => json({ repositories }));

      deepEqual(await collect(catalog.repositories(NEVER)), []);
    });
  }

  for (const repositories of [[{ a: 1 }], ['a', null], ['a', 7]]) {
    it(`that are no names are a breach of the protocol: ${JSON.stringify(repositories)}`, async () => {
      const { catalog } = await azure(() => json({ repositories }));

      await rejects(collect(catalog.repositories(NEVER)), { code: 'PROTOCOL' });
    });
  }

  it('that are refused are a failure that says what else can be done', async () => {
    const { catalog, requests } = await azure(({ url }) =>
      url.pathname === '/v2/' ? undefined : refusal(403, 'DENIED'),
    );

    await rejects(collect(catalog.repositories(NEVER)), {
      code: 'UNAUTHORIZED',
      message:
        /catalog of acme\.azurecr\.io: .*--repositories-from FILE .*\(see --azure-credential\)$/,
    });
    equal(requests.length, 1);
  });
});

describe('the count of an Azure registry', () => {
  it('is that of the repository', async () => {
    const { catalog, requests } = await azure(() =>
      json({ imageName: 'team/web', manifestCount: 9, tagCount: 1234, changeableAttributes: {} }),
    );

    equal(await catalog.count?.('team/web', NEVER), 1234);
    deepEqual(asked(requests), ['GET /acr/v1/team%2Fweb?api-version=2021-07-01']);
  });

  it('may be refused', async () => {
    const { catalog } = await azure(({ url }) =>
      url.pathname === '/v2/' ? undefined : refusal(401, 'X'),
    );

    await rejects(catalog.count?.('team/web', NEVER) ?? Promise.resolve(), {
      code: 'UNAUTHORIZED',
    });
  });

  it('is not had from what is no JSON', async () => {
    const { catalog } = await azure(() => ({ status: 200, body: '<html>' }));

    await rejects(catalog.count?.('team/web', NEVER) ?? Promise.resolve(), { code: 'PROTOCOL' });
  });
});

describe('the lists of an Azure registry', () => {
  it('are read with our tokens: one for all repositories, one for the catalog', async () => {
    const scopes: string[] = [];
    const realm = 'Bearer realm="https://acme.azurecr.io/oauth2/token",service="acme.azurecr.io"';
    const { catalog, requests } = await azure(({ url, headers }) => {
      if (url.pathname === '/oauth2/token') {
        scopes.push(url.searchParams.getAll('scope').join(' '));
        return json({ access_token: `token-${scopes.length}` });
      }
      if (headers.authorization === undefined) {
        return { ...refusal(401, 'UNAUTHORIZED'), headers: { 'www-authenticate': realm } };
      }
      return json({ tags: [], repositories: [], tagCount: 0 });
    });

    await collect(catalog.repositories(NEVER));
    for (const name of ['a', 'b']) await collect(catalog.tags(name, NEVER));
    await catalog.count?.('a', NEVER);

    deepEqual(scopes, ['registry:catalog:*', 'repository:*:metadata_read repository:*:pull']);
    deepEqual(
      requests
        .filter(({ url }) => url.pathname.startsWith('/acr/'))
        .map(({ headers }) => headers.authorization),
      ['Bearer token-1', ...Array<string>(3).fill('Bearer token-2')],
    );
  });
});

describe('the transport of the SDK', () => {
  it('carries nothing but questions', async () => {
    const { client, requests } = await knownClient('acme.azurecr.io', () => json({}));
    const transport = transportTo(client, {
      what: 'a list',
      permission: metadataOf('a', client),
      signal: NEVER,
    });
    const request = { method: 'DELETE', url: 'https://acme.azurecr.io/acr/v1/a' };

    await rejects(transport.sendRequest(request as Parameters<typeof transport.sendRequest>[0]), {
      code: 'PROTOCOL',
      message: 'a list: DELETE is not for lists',
    });
    deepEqual(requests, []);
  });

  for (const [url, sent] of [
    ['https://evil.test/acr/v1/a?b=c', '/acr/v1/a?b=c'],
    ['https://acme.azurecr.io//evil.test/acr/v1/a?b=c', '//evil.test/acr/v1/a?b=c'],
    ['https://acme.azurecr.io//169.254.169.254/', '//169.254.169.254/'],
    ['https://acme.azurecr.io/\\\\evil.test/', '///evil.test/'],
  ] as const) {
    it(`carries them to the registry, whatever the SDK thinks it is: ${url}`, async () => {
      const { client, requests } = await knownClient('acme.azurecr.io', () =>
        json({ a: 1 }, { link: '<x>' }),
      );
      const permission = metadataOf('a', client);
      const transport = transportTo(client, { what: 'a list', permission, signal: NEVER });
      const request = { method: 'GET', url } as Parameters<typeof transport.sendRequest>[0];

      const answer = await transport.sendRequest(request);

      deepEqual(
        [answer.status, answer.bodyAsText, answer.headers.get('link')],
        [200, '{"a":1}', '<x>'],
      );
      deepEqual(
        requests.map((one) => one.url.href),
        [`https://acme.azurecr.io${sent}`],
      );
    });
  }
});
