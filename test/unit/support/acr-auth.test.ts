import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { startAcr, type Acr, type AcrOptions } from '../../support/acr/acr.ts';
import { claimsOf } from '../../support/acr/jwt.ts';
import { TOKEN_USER } from '../../support/acr/people.ts';
import { ask, askForToken, basic, bearer, bodyOf, outcomeOf } from '../../support/acr/requests.ts';
import { startEntra, type Entra } from '../../support/entra/entra.ts';
import { image } from '../../support/images.ts';
import { putImage } from '../../support/registry/store.ts';

const USERS = {
  root: { password: 'secret' },
  reader: {
    password: 'pw',
    rights: { repositories: { a: ['pull', 'metadata_read'] }, catalog: false },
  },
  puller: { password: 'pw', rights: { repositories: { '*': ['pull'] } } },
} as const;
const READER = { name: 'reader', password: 'pw' };
const PULLER = { name: 'puller', password: 'pw' };
const TENANT = '11111111-1111-1111-1111-111111111111';
const WILDCARDS = 'registry:catalog:* repository:*:metadata_read repository:*:pull';

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

async function start(options: AcrOptions = {}): Promise<Acr> {
  const acr = await startAcr({ users: USERS, aadTokens: { 'aad-token': {} }, ...options });
  closers.push(() => acr.close());
  for (const name of ['a', 'b']) putImage(acr.store, name, '1', image({ seed: name }));
  return acr;
}

/** The challenge that an answer ends in, without its realm and its service. */
function challengeOf(response: Response): string {
  const header = response.headers.get('www-authenticate') ?? '';
  return header.replace(/realm="[^"]*",service="[^"]*",?/, '');
}

async function refreshToken(acr: Acr, token = 'aad-token'): Promise<string> {
  const form = { grant_type: 'access_token', access_token: token };
  const response = await askForToken(acr, form, 'exchange');
  equal(response.status, 200);
  return (await bodyOf<{ refresh_token: string }>(response)).refresh_token;
}

async function accessToken(acr: Acr, form: Record<string, string>): Promise<string> {
  const response = await askForToken(acr, form);
  equal(response.status, 200);
  return (await bodyOf<{ access_token: string }>(response)).access_token;
}

describe('exchanges', () => {
  it('give a refresh token with the claims of the registry', async () => {
    const acr = await start({ name: 'gsoci.azurecr.io', now: () => 1_700_000_000_000 });
    const form = {
      grant_type: 'access_token',
      service: 'gsoci.azurecr.io',
      access_token: 'aad-token',
    };

    const response = await askForToken(acr, form, 'exchange');

    match(response.headers.get('x-ms-ratelimit-remaining-calls-per-second') ?? '', /^166/);
    equal(response.headers.get('content-length'), null);
    const body = await bodyOf<{ refresh_token: string }>(response);
    deepEqual(Object.keys(body), ['refresh_token']);
    const { iss, aud, exp, iat, aad_identity: abac } = claimsOf(body.refresh_token) ?? {};
    deepEqual([iss, aud, abac], ['Azure Container Registry', 'gsoci.azurecr.io', undefined]);
    equal(Number(exp) - Number(iat), 11_700);
    equal(acr.tokenRequests[0]?.kind, 'exchange');
  });

  const refused: readonly Record<string, string>[] = [
    { grant_type: 'access_token', access_token: 'unknown' },
    { grant_type: 'access_token', access_token: 'aad-token', service: 'other.azurecr.io' },
    { grant_type: 'client_credentials', access_token: 'aad-token' },
  ];
  for (const form of refused) {
    it(`refuse without a word: ${JSON.stringify(form)}`, async () => {
      const response = await askForToken(await start(), form, 'exchange');
      deepEqual([response.status, await response.text()], [401, '']);
    });
  }

  it('take tokens of Entra ID, of the right audience and tenant', async () => {
    const entra: Entra = await startEntra({ tenant: TENANT, clients: { app: { secret: 's' } } });
    closers.push(() => entra.close());
    const acr = await start({ entra, armTokens: false, entraRights: { app: READER_RIGHTS } });
    const token = entra.issue('app', 'https://containerregistry.azure.net');
    const arm = entra.issue('app', 'https://management.azure.com/');
    const status = async (access: string, tenant = TENANT): Promise<number> =>
      (
        await askForToken(
          acr,
          { grant_type: 'access_token', access_token: access, tenant },
          'exchange',
        )
      ).status;

    deepEqual([await status(token), await status(arm), await status(token, 'x')], [200, 401, 401]);
    equal(acr.tokenRequests[0]?.subject, 'app');
  });

  it('show who asks where permissions go by repository', async () => {
    const acr = await start({ abac: true });
    ok(claimsOf(await refreshToken(acr))?.['aad_identity']);
  });
});

const READER_RIGHTS = USERS.reader.rights;

describe('access tokens', () => {
  it('are had for a refresh token, for several scopes in either form', async () => {
    const acr = await start();
    const refresh = { grant_type: 'refresh_token', refresh_token: await refreshToken(acr) };
    const body = new URLSearchParams({ service: acr.host, ...refresh });
    for (const scope of WILDCARDS.split(' ')) body.append('scope', scope);

    const inOne = await accessToken(acr, { ...refresh, scope: WILDCARDS });
    const apart = await ask(acr, '/oauth2/token', { method: 'POST', as: undefined, body });

    deepEqual(acr.tokenRequests.at(-1)?.granted, WILDCARDS.split(' '));
    deepEqual(acr.tokenRequests.at(-1)?.granted, acr.tokenRequests.at(-2)?.granted);
    deepEqual(Object.keys(await bodyOf<object>(apart)), ['access_token']);
    const { exp, iat, grant_type: grant } = claimsOf(inOne) ?? {};
    deepEqual([Number(exp) - Number(iat), grant], [4500, 'access_token']);
    for (const path of ['/acr/v1/_catalog', '/acr/v1/a/_tags', '/v2/b/manifests/1']) {
      equal((await ask(acr, path, { as: `Bearer ${inOne}` })).status, 200);
    }
  });

  it('for all repositories are for none where permissions go by repository', async () => {
    const acr = await start({ abac: true });
    const as = await bearer(acr, WILDCARDS);

    deepEqual(acr.tokenRequests.at(-1)?.granted, ['registry:catalog:*']);
    match(challengeOf(await ask(acr, '/acr/v1/a', { as })), /insufficient_scope/);
  });

  it('hold for no more than their owner may do', async () => {
    const acr = await start();
    const as = await bearer(acr, `${WILDCARDS} repository:b:pull`, READER);
    const status = async (path: string): Promise<number> => (await ask(acr, path, { as })).status;

    equal(await status('/v2/a/manifests/1'), 200);
    equal(await status('/acr/v1/a/_tags'), 200);
    equal(await status('/v2/b/manifests/1'), 401);
    equal(await status('/acr/v1/_catalog'), 401);
  });

  it('for all that may be done are for no more than that', async () => {
    const acr = await start();
    const as = await bearer(acr, 'repository:a:* repository:b:*', READER);

    deepEqual(acr.tokenRequests.at(-1)?.granted, ['repository:a:*']);
    equal((await ask(acr, '/v2/a/manifests/1', { as })).status, 200);
    equal((await ask(acr, '/v2/a/manifests/1', { as, method: 'DELETE' })).status, 401);
  });
});

describe('access tokens without an exchange', () => {
  it('are had by Basic and by nobody, where anybody may pull', async () => {
    const closed = await start();
    const open = await start({ anonymousPull: true });
    const path = `/oauth2/token?scope=repository:a:pull,push&service=`;
    const status = async (acr: Acr, as?: string): Promise<number> =>
      (await ask(acr, `${path}${acr.host}`, { as })).status;

    equal(await status(closed, basic('reader', 'pw')), 200);
    equal(await status(closed, basic('reader', 'wrong')), 401);
    equal(await status(closed), 401);
    equal(await status(open), 200);
    deepEqual(open.tokenRequests.at(-1)?.granted, ['repository:a:pull']);
    const form = { grant_type: 'password', refresh_token: '', scope: 'registry:catalog:*' };
    const as = `Bearer ${await accessToken(open, form)}`;
    equal((await ask(open, '/acr/v1/_catalog', { as })).status, 200);
    deepEqual((await askForToken(closed, form)).status, 401);
  });

  it('are refused without a word for a bad refresh token', async () => {
    const form = { grant_type: 'refresh_token', refresh_token: 'x', scope: 'registry:catalog:*' };
    const response = await askForToken(await start(), form);
    deepEqual([response.status, await response.text()], [401, '']);
  });
});

describe('Basic', () => {
  it('is taken by all of the registry, within what the user may do', async () => {
    const acr = await start();
    const get = (path: string, name: string): Promise<Response> =>
      ask(acr, path, { as: basic(name, 'pw') });

    equal((await get('/v2/', 'reader')).status, 200);
    equal((await get('/acr/v1/a', 'reader')).status, 200);
    equal(await outcomeOf(await get('/acr/v1/b', 'reader')), '401 UNAUTHORIZED');
    equal(await outcomeOf(await get('/v2/', 'nobody')), '401 UNAUTHORIZED');
  });

  it('with the pull-only scope map reads manifests, but lists no tags', async () => {
    const acr = await start();
    const as = basic(PULLER.name, PULLER.password);
    equal((await ask(acr, '/v2/a/manifests/1', { as })).status, 200);
    equal((await ask(acr, '/v2/a/tags/list', { as })).status, 401);
    equal((await ask(acr, '/acr/v1/a/_tags', { as })).status, 401);
  });

  it('takes a refresh token for a password, as az acr login leaves it', async () => {
    const acr = await start();
    const token = await refreshToken(acr);
    const form = {
      grant_type: 'password',
      username: TOKEN_USER,
      password: token,
      access_type: 'offline',
      scope: 'repository:a:pull',
    };

    const answer = await bodyOf<Record<string, string>>(await askForToken(acr, form));

    deepEqual(Object.keys(answer), ['access_token', 'refresh_token']);
    notEqual(answer['refresh_token'], token);
    equal((await ask(acr, '/v2/', { as: basic(TOKEN_USER, token) })).status, 200);
  });
});
