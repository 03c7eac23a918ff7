import { deepEqual, equal, match } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { startAcr, type Acr, type AcrOptions } from '../../support/acr/acr.ts';
import { ask, bearer, USERS } from '../../support/acr/requests.ts';
import { image } from '../../support/images.ts';
import { putImage } from '../../support/registry/store.ts';

const started: Acr[] = [];
after(() => Promise.all(started.map((acr) => acr.close())));

async function start(options: AcrOptions = {}): Promise<Acr> {
  const acr = await startAcr({ users: USERS, ...options });
  started.push(acr);
  for (const name of ['a', 'b']) putImage(acr.store, name, '1', image({ seed: name }));
  return acr;
}

/** The challenge that an answer ends in, without its realm and its service. */
function challengeOf(response: Response): string {
  const header = response.headers.get('www-authenticate') ?? '';
  return header.replace(/realm="[^"]*",service="[^"]*",?/, '');
}

const DIGEST = `sha256:${'0'.repeat(64)}`;
const CHALLENGES: readonly [string, string, string][] = [
  ['GET', '/v2/', 'Bearer '],
  ['GET', '/acr/v1/_catalog', 'Bearer scope="registry:catalog:*"'],
  ['GET', '/v2/_catalog', 'Bearer scope="registry:catalog:*"'],
  ['GET', '/acr/v1/a%2Fb', 'Bearer scope="repository:a/b:metadata_read"'],
  ['PATCH', '/acr/v1/a/b', 'Bearer scope="repository:a/b:metadata_write"'],
  ['DELETE', '/acr/v1/a/b', 'Bearer scope="repository:a/b:delete"'],
  ['GET', '/acr/v1/a/_tags', 'Bearer scope="repository:a:metadata_read"'],
  ['PATCH', '/acr/v1/a/_tags/1', 'Bearer scope="repository:a:metadata_write"'],
  ['DELETE', '/acr/v1/a/_tags/1', 'Bearer scope="repository:a:delete"'],
  ['GET', `/acr/v1/a/_manifests/${DIGEST}`, 'Bearer scope="repository:a:metadata_read"'],
  ['PATCH', `/acr/v1/a/_manifests/${DIGEST}`, 'Bearer scope="repository:a:metadata_write"'],
  ['GET', '/v2/a/tags/list', 'Bearer scope="repository:a:metadata_read"'],
  ['GET', '/v2/a/manifests/1', 'Bearer scope="repository:a:pull"'],
  ['PUT', '/v2/a/manifests/1', 'Bearer scope="repository:a:pull,push"'],
  ['DELETE', '/v2/a/manifests/1', 'Bearer scope="repository:a:delete"'],
  ['HEAD', `/v2/a/blobs/${DIGEST}`, 'Bearer scope="repository:a:pull"'],
  ['POST', '/v2/a/blobs/uploads/', 'Bearer scope="repository:a:pull,push"'],
  ['PATCH', '/v2/a/blobs/uploads/1', 'Bearer scope="repository:a:pull,push"'],
  ['DELETE', '/v2/a/blobs/uploads/1', 'Bearer scope="repository:a:delete"'],
  [
    'POST',
    `/v2/a/blobs/uploads/?mount=${DIGEST}&from=b`,
    'Bearer scope="repository:b:pull repository:a:pull,push"',
  ],
  ['GET', `/v2/a/referrers/${DIGEST}`, 'Bearer scope="repository:a:pull"'],
];

describe('challenges', () => {
  for (const [method, path, challenge] of CHALLENGES) {
    it(`name what ${method} ${path.slice(0, 40)} needs`, async () => {
      const acr = await start();
      const response = await ask(acr, path, { method, as: undefined });
      equal(response.status, 401);
      equal(challengeOf(response), challenge);
    });
  }

  it('name the registry, and each action that is missing', async () => {
    const acr = await start({ name: 'gsoci.azurecr.io' });

    const response = await ask(acr, '/v2/a/manifests/1', { method: 'PUT', as: undefined });

    match(
      response.headers.get('www-authenticate') ?? '',
      /^Bearer realm="http:\/\/gsoci\.azurecr\.io\/oauth2\/token",service="gsoci\.azurecr\.io",scope=/,
    );
    deepEqual(await response.json(), {
      errors: [
        {
          code: 'UNAUTHORIZED',
          message:
            'authentication required, visit https://aka.ms/acr/authorization for more information.',
          detail: [
            { Type: 'repository', Name: 'a', Action: 'pull' },
            { Type: 'repository', Name: 'a', Action: 'push' },
          ],
        },
      ],
    });
  });

  it('say what is wrong with a token', async () => {
    let now = Date.now();
    const acr = await start({ now: () => now });
    const as = await bearer(acr, 'repository:a:pull');

    equal((await ask(acr, '/v2/a/manifests/1', { as })).status, 200);
    equal((await ask(acr, '/v2/', { as })).status, 200);
    match(challengeOf(await ask(acr, '/v2/b/manifests/1', { as })), /,error="insufficient_scope"$/);
    now += 4_500_000;
    match(challengeOf(await ask(acr, '/v2/a/manifests/1', { as })), /,error="invalid_token"$/);
  });
});

describe('headers', () => {
  it('are those of the real registry', async () => {
    const acr = await start();
    const headers = { 'x-ms-client-request-id': 'mine' };

    const list = await ask(acr, '/acr/v1/_catalog', { headers });
    const manifest = await ask(acr, '/v2/a/manifests/1', { headers });

    for (const response of [list, manifest]) {
      equal(response.headers.get('docker-distribution-api-version'), 'registry/2.0');
      equal(response.headers.get('server'), 'AzureContainerRegistry');
      const age = 'max-age=31536000; includeSubDomains';
      equal(response.headers.get('strict-transport-security'), `${age}, ${age}`);
      equal(response.headers.get('x-content-type-options'), 'nosniff');
      match(response.headers.get('x-ms-correlation-request-id') ?? '', /^[\da-f-]{36}$/);
      match(response.headers.get('access-control-expose-headers') ?? '', /, Link, /);
    }
    equal(list.headers.get('content-type'), 'application/json; charset=utf-8');
    equal(list.headers.get('x-ms-request-id'), null);
    equal(manifest.headers.get('x-ms-client-request-id'), 'mine');
    match(manifest.headers.get('x-ms-request-id') ?? '', /^[\da-f-]{36}$/);
  });
});
