import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';

import { startAcr, type Acr } from '../../support/acr/acr.ts';
import type { SdkTask } from '../../support/acr/sdk-main.ts';
import { exploreBySdk } from '../../support/acr/sdk.ts';
import { serviceAccountToken, startEntra, type Entra } from '../../support/entra/entra.ts';
import { image, index } from '../../support/images.ts';
import { startNamesProxy, type NamesProxy } from '../../support/names-proxy.ts';
import { putImage } from '../../support/registry/store.ts';
import { tempDir, type TempDir } from '../../support/temp-dir.ts';
import { createCertificates } from '../../support/tls.ts';

const REGISTRY = 'gsoci.azurecr.io';
const PUBLIC = 'public.azurecr.io';
const LOGIN = 'login.microsoftonline.com';
const TENANT = '11111111-1111-1111-1111-111111111111';
const SECRETIVE = '22222222-2222-2222-2222-222222222222';
const WORKLOAD = '33333333-3333-3333-3333-333333333333';
const SUBJECT = 'system:serviceaccount:apps:registry-sync';
const ARM = 'https://management.azure.com';
const REPOSITORY = 'library/hello-world';
const MULTI = index([
  { image: image({ seed: 'amd' }), platform: { os: 'linux', architecture: 'amd64' } },
]);
const TASK: SdkTask = {
  endpoint: `https://${REGISTRY}`,
  credential: 'anonymous',
  repository: REPOSITORY,
  maxPageSize: 2,
};

let dir: TempDir;
let acr: Acr;
let open: Acr;
let entra: Entra;
let proxy: NamesProxy;
let env: Record<string, string>;

before(async () => {
  dir = await tempDir();
  const made = await createCertificates(dir.path, [REGISTRY, PUBLIC, LOGIN]);
  const tls = { key: await readFile(made.serverKey), cert: await readFile(made.serverCert) };
  entra = await startEntra({
    tls,
    tenant: TENANT,
    clients: { [SECRETIVE]: { secret: 's3cret' }, [WORKLOAD]: { federatedSubject: SUBJECT } },
  });
  acr = await startAcr({ tls, entra, aadTokens: { 'aad-token': {} } });
  open = await startAcr({ tls, anonymousPull: true, store: acr.store });
  for (const tag of ['1', '2', 'latest']) putImage(acr.store, REPOSITORY, tag, MULTI);
  putImage(acr.store, 'alpine', '3', image({ seed: 'alpine' }));
  proxy = await startNamesProxy({ [REGISTRY]: acr.url, [PUBLIC]: open.url, [LOGIN]: entra.url });
  env = {
    NODE_EXTRA_CA_CERTS: made.caCert,
    HTTPS_PROXY: proxy.url,
    AZURE_TENANT_ID: TENANT,
  };
});

after(async () => {
  await Promise.all([acr, open, entra, proxy].map((server) => server.close()));
  await dir[Symbol.asyncDispose]();
});

beforeEach(() => {
  acr.resetRequests();
  entra.requests.length = 0;
  entra.tokenRequests.length = 0;
});

/** Which tokens the registry was asked for. */
function kinds(of: Acr): string[] {
  return [...new Set(of.tokenRequests.map(({ kind, grantType }) => `${kind} ${grantType}`))];
}

describe("Azure's client", () => {
  it('lists everything with a token', async () => {
    acr.metadata.tag(REPOSITORY, '1').lastUpdateTime = '2025-01-02T03:04:05.1234567Z';

    const found = await exploreBySdk({ ...TASK, credential: { token: 'aad-token' } }, env);

    deepEqual(found.repositories, ['alpine', REPOSITORY]);
    deepEqual(
      found.tags.map((page) => page.map(({ name }) => name)),
      [['1', '2'], ['latest']],
    );
    deepEqual(found.tags[0]?.[0], {
      name: '1',
      digest: MULTI.root.digest,
      lastUpdatedOn: '2025-01-02T03:04:05.123Z',
    });
    deepEqual(found.continuationTokens, [
      '/acr/v1/library%2Fhello-world/_tags?last=2&n=2&orderby=',
    ]);
    deepEqual(found.continued, ['latest']);
    deepEqual(found.manifests.find(({ digest }) => digest === MULTI.root.digest)?.tags, [
      '1',
      '2',
      'latest',
    ]);
    deepEqual([found.tagCount, found.related], [3, 1]);
    deepEqual(kinds(acr), ['exchange access_token', 'token refresh_token']);
    equal(new Set(acr.tokenRequests.map(({ service }) => service)).has(REGISTRY), true);
  });

  it('asks for pages by n and api-version, and follows the Link as it is', async () => {
    const { told } = await exploreBySdk({ ...TASK, credential: { token: 'aad-token' } }, env);

    const lists = acr.requests.filter(({ path, status }) => /_tags\?/.test(path) && status === 200);
    deepEqual(
      lists.slice(0, 2).map(({ path }) => path),
      [
        '/acr/v1/library%2Fhello-world/_tags?n=2&api-version=2021-07-01',
        '/acr/v1/library%2Fhello-world/_tags?last=2&n=2&orderby=',
      ],
    );
    deepEqual(told, ['GET /acr/v1/_catalog']);
  });

  it('lists without credentials where anybody may', async () => {
    const found = await exploreBySdk({ ...TASK, endpoint: `https://${PUBLIC}` }, env);

    deepEqual(found.repositories, ['alpine', REPOSITORY]);
    deepEqual(kinds(open), ['token password']);
    deepEqual(new Set(open.tokenRequests.map(({ subject }) => subject)), new Set(['']));
  });

  it('is refused a token that is none', async () => {
    const task = { ...TASK, credential: { token: 'wrong' } };
    await rejects(exploreBySdk(task, env), /401|Failed to|status/i);
    deepEqual(kinds(acr), ['exchange access_token']);
  });
});

describe("Azure's credentials", () => {
  it('get a token by a secret, and the registry takes it', async () => {
    const found = await exploreBySdk(
      { ...TASK, credential: 'environment' },
      { ...env, AZURE_CLIENT_ID: SECRETIVE, AZURE_CLIENT_SECRET: 's3cret' },
    );

    deepEqual(found.repositories, ['alpine', REPOSITORY]);
    const [request] = entra.tokenRequests;
    deepEqual(request, {
      clientId: SECRETIVE,
      scope: 'https://containerregistry.azure.net/.default',
      credential: 'secret',
      status: 200,
      errorCode: undefined,
    });
    equal(acr.tokenRequests[0]?.subject, SECRETIVE);
  });

  it('get a token by that of a service account, for another audience too', async () => {
    const file = join(dir.path, 'token');
    await writeFile(file, `${serviceAccountToken(SUBJECT)}\n`);
    const identity = { AZURE_CLIENT_ID: WORKLOAD, AZURE_FEDERATED_TOKEN_FILE: file };

    const task = { ...TASK, credential: 'workload', audience: ARM } as const;
    const found = await exploreBySdk(task, { ...env, ...identity });

    deepEqual(found.repositories, ['alpine', REPOSITORY]);
    const [request] = entra.tokenRequests;
    deepEqual([request?.credential, request?.scope], ['assertion', `${ARM}/.default`]);
    equal(acr.tokenRequests[0]?.subject, WORKLOAD);
  });

  it('ask for nothing but the token, since they know the cloud', async () => {
    const identity = { AZURE_CLIENT_ID: SECRETIVE, AZURE_CLIENT_SECRET: 's3cret' };
    await exploreBySdk({ ...TASK, credential: 'environment' }, { ...env, ...identity });
    const asked = entra.requests.map(({ method, path }) => `${method} ${path.replace(/\?.*/, '')}`);
    deepEqual([...new Set(asked)], [`POST /${TENANT}/oauth2/v2.0/token`]);
  });

  it('tell why they get none', async () => {
    const wrong = { ...env, AZURE_CLIENT_ID: SECRETIVE, AZURE_CLIENT_SECRET: 'wrong' };
    await rejects(exploreBySdk({ ...TASK, credential: 'environment' }, wrong), (error: Error) => {
      match(error.message, /AADSTS7000215/);
      return true;
    });
  });
});
