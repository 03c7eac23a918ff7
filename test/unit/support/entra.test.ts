import { deepEqual, equal, match } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { claimsOf } from '../../support/acr/jwt.ts';
import {
  serviceAccountToken,
  startEntra,
  type Entra,
  type EntraOptions,
} from '../../support/entra/entra.ts';

const TENANT = '11111111-1111-1111-1111-111111111111';
const SUBJECT = 'system:serviceaccount:apps:registry-sync';
const SCOPE = 'https://containerregistry.azure.net/.default';
const GOOD = { client_id: 'app', client_secret: 's3cret', scope: SCOPE };

const started: Entra[] = [];
after(() => Promise.all(started.map((entra) => entra.close())));

async function start(options: Partial<EntraOptions> = {}): Promise<Entra> {
  const clients = { app: { secret: 's3cret' }, pod: { federatedSubject: SUBJECT } };
  const entra = await startEntra({ tenant: TENANT, clients, ...options });
  started.push(entra);
  return entra;
}

function askForToken(
  entra: Entra,
  form: Record<string, string>,
  tenant = TENANT,
): Promise<Response> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...form });
  return fetch(new URL(`/${tenant}/oauth2/v2.0/token`, entra.url), { method: 'POST', body });
}

describe('Entra ID', () => {
  it('says where things are', async () => {
    const entra = await start();
    const get = async (path: string): Promise<Record<string, unknown>> =>
      (await (await fetch(new URL(path, entra.url))).json()) as Record<string, unknown>;

    const discovery = await get('/common/discovery/instance?api-version=1.1');
    const configuration = await get(`/${TENANT}/v2.0/.well-known/openid-configuration`);

    deepEqual(Object.keys(discovery), ['tenant_discovery_endpoint', 'api-version', 'metadata']);
    equal(configuration['token_endpoint'], `${entra.url}${TENANT}/oauth2/v2.0/token`);
    equal(entra.requests.length, 2);
  });

  it('gives a token for a secret', async () => {
    const entra = await start({ tokenSeconds: 60 });

    const response = await askForToken(entra, GOOD);

    equal(response.status, 200);
    const { access_token: token, ...rest } = (await response.json()) as Record<string, unknown>;
    deepEqual(rest, { token_type: 'Bearer', expires_in: 60, ext_expires_in: 60 });
    const { aud, appid, tid, iat, exp } = claimsOf(String(token)) ?? {};
    deepEqual(
      [aud, appid, tid, Number(exp) - Number(iat)],
      ['https://containerregistry.azure.net', 'app', TENANT, 60],
    );
    deepEqual(entra.holderOf(String(token)), {
      clientId: 'app',
      tenant: TENANT,
      audience: 'https://containerregistry.azure.net',
    });
  });

  it('lets tokens expire', async () => {
    let now = Date.now();
    const entra = await start({ now: () => now });
    const token = entra.issue('app', 'https://management.azure.com');
    equal(entra.holderOf(token)?.clientId, 'app');
    now += 3_599_000;
    equal(entra.holderOf(token), undefined);
  });

  it('gives a token for that of a service account, or for a whole text', async () => {
    const clients = { pod: { federatedSubject: SUBJECT }, text: { federatedSubject: 'the text' } };
    const entra = await start({ clients });
    const assertion = serviceAccountToken(SUBJECT);
    const ask = (clientId: string, client_assertion: string): Promise<Response> =>
      askForToken(entra, { client_id: clientId, client_assertion, scope: SCOPE });

    equal((await ask('pod', assertion)).status, 200);
    equal((await ask('text', 'the text')).status, 200);
  });
});

describe('refusals of Entra ID', () => {
  const refused: readonly [string, Record<string, string>, number, string][] = [
    ['a wrong secret', { ...GOOD, client_secret: 'x' }, 401, 'invalid_client 7000215'],
    ['no secret', { client_id: 'app', scope: SCOPE }, 401, 'invalid_client 7000216'],
    ['an unknown application', { ...GOOD, client_id: 'x' }, 400, 'unauthorized_client 700016'],
    ['a scope that is none', { ...GOOD, scope: 'https://x/read' }, 400, 'invalid_scope 1002012'],
    ['an unknown grant', { ...GOOD, grant_type: 'implicit' }, 400, 'unsupported_grant_type 70003'],
    [
      'an audience that it is told to refuse',
      { ...GOOD, scope: 'https://refused.test//.default' },
      400,
      'invalid_resource 500011',
    ],
    [
      'the token of another service account',
      { client_id: 'pod', client_assertion: serviceAccountToken('other'), scope: SCOPE },
      401,
      'invalid_client 70021',
    ],
    [
      'an expired token of the service account',
      { client_id: 'pod', client_assertion: serviceAccountToken(SUBJECT, -1), scope: SCOPE },
      401,
      'invalid_client 700024',
    ],
  ];
  for (const [what, form, status, outcome] of refused) {
    it(`refuses ${what}`, async () => {
      const entra = await start({ refusedAudiences: ['https://refused.test'] });

      const response = await askForToken(entra, form);

      equal(response.status, status);
      const body = (await response.json()) as Record<string, unknown>;
      equal(`${String(body['error'])} ${String(body['error_codes'])}`, outcome);
      match(String(body['error_description']), /^AADSTS\d+: .* Trace ID: /s);
      equal(String(entra.tokenRequests[0]?.errorCode), outcome.split(' ')[1]);
    });
  }

  it('refuses another tenant', async () => {
    const response = await askForToken(await start(), GOOD, 'other');
    equal(response.status, 400);
    match(await response.text(), /AADSTS90002/);
  });
});
