/**
 * The overlays for Azure and for Docker Hub, played as they are, with not a word changed: a proxy leads the
 * real names of both to emulators on this machine.
 */
import { deepEqual, equal, match } from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { startAcr, type Acr } from '../support/acr/acr.ts';
import { startDockerHub, type DockerHub } from '../support/docker-hub/docker-hub.ts';
import { DOCKER_HUB_NAMES } from '../support/docker-hub/options.ts';
import { startEntra, type Entra } from '../support/entra/entra.ts';
import { fleet } from '../support/fleet.ts';
import { startNamesProxy, type NamesProxy } from '../support/names-proxy.ts';
import { seedTags, wrongAt } from '../support/synced.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { createCertificates, type Certificates } from '../support/tls.ts';
import { cronJobOf, manifestsOf } from './manifests.ts';
import { play, type Played } from './play.ts';

const REGISTRY = 'gsoci.azurecr.io';
const STORAGE = 'weurmanaged42.blob.core.windows.net';
const LOGIN = 'login.microsoftonline.com';
const TENANT = '11111111-2222-3333-4444-555555555555';
const CLIENT = '99999999-8888-7777-6666-555555555555';
const SERVICE_ACCOUNT = 'system:serviceaccount:mirror:registry-sync';
const PASSWORD = 'correct horse';
const PAT = 'dckr_pat_battery-staple';
const ALL = fleet(3, 2, 'giantswarm');
const NESTED = ALL.filter(({ repository }) => repository.split('/').length > 2);
const FLAT = ALL.filter((one) => !NESTED.includes(one));

let home: TempDir;
let certificates: Certificates;
let entra: Entra;
let acr: Acr;
let hub: DockerHub;
let proxy: NamesProxy;

before(async () => {
  home = await tempDir();
  const names = [REGISTRY, STORAGE, LOGIN, ...DOCKER_HUB_NAMES];
  certificates = await createCertificates(home.path, names);
  const [key, cert] = await Promise.all([
    readFile(certificates.serverKey),
    readFile(certificates.serverCert),
  ]);
  const tls = { key, cert };
  const clients = { [CLIENT]: { federatedSubject: SERVICE_ACCOUNT } };
  entra = await startEntra({ tenant: TENANT, clients, tls });
  acr = await startAcr({
    entra,
    tls,
    storageName: STORAGE,
    users: { bot: { password: PASSWORD } },
  });
  hub = await startDockerHub({
    tls,
    accounts: { giantswarm: { password: PAT, namespaces: ['giantswarm'] } },
  });
  proxy = await startNamesProxy({
    [REGISTRY]: acr.url,
    [STORAGE]: acr.storageUrl,
    [LOGIN]: entra.url,
    ...hub.places,
  });
  seedTags(acr.store, FLAT);
});
after(async () => {
  await Promise.all([proxy.close(), hub.close(), acr.close()]);
  await entra.close();
  await home[Symbol.asyncDispose]();
});

async function run(overlay: string, options: object): Promise<Played> {
  const cronJob = cronJobOf(await manifestsOf(join('k8s', 'overlays', overlay)));
  const defaults = { name: overlay, job: overlay, directory: home.path };
  return play(cronJob, { ...defaults, ...options });
}

/** What leads the real names here, and makes the certificates of here trusted. */
const ENV = () => ({ HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: '/run/test/ca.pem' });
const FILES = () => ({ '/run/test/ca.pem': certificates.caCert });

function codesOf({ containers }: Played): (number | undefined)[] {
  return ['crawl', 'sync'].map((name) => containers[name]?.code);
}

describe('the overlay acr-workload-identity', () => {
  it('reads the source as the service account of the pod', async () => {
    const token = join(home.path, 'service-account-token');
    const aud = 'api://AzureADTokenExchange';
    const claims = { sub: SERVICE_ACCOUNT, aud, exp: Math.ceil(Date.now() / 1000) + 600 };
    const encode = (value: unknown): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url');
    await writeFile(token, `${encode({ alg: 'none' })}.${encode(claims)}.c2ln`);
    await chmod(token, 0o644);
    const mounted = '/var/run/secrets/azure/tokens/azure-identity-token';
    // What the webhook of Azure adds to a pod with the label.
    const env = {
      AZURE_CLIENT_ID: CLIENT,
      AZURE_TENANT_ID: TENANT,
      AZURE_FEDERATED_TOKEN_FILE: mounted,
      AZURE_AUTHORITY_HOST: `https://${LOGIN}/`,
    };
    const objects = {
      'registry-sync': { 'target-username': 'giantswarm', 'target-password': PAT },
    };
    const played = await run('acr-workload-identity', {
      objects,
      env: { ...env, ...ENV() },
      files: { ...FILES(), [mounted]: token },
    });

    deepEqual(codesOf(played), [0, 0], JSON.stringify(played.containers, undefined, 1));
    deepEqual(wrongAt(hub.store, FLAT), []);
    deepEqual(
      entra.tokenRequests.map(({ credential, status }) => `${credential} ${status}`),
      ['assertion 200', 'assertion 200'],
    );
  });
});

describe('the overlay docker-hub', () => {
  it('brings nested names from Azure to two parts at Docker Hub, with a token from a file', async () => {
    seedTags(acr.store, NESTED);
    const joined = NESTED.map(({ repository, tag, image }) => {
      return { repository: repository.replace('team-a/', 'team-a-'), tag, image };
    });
    const objects = {
      'registry-sync': { 'source-username': 'bot', 'source-password': PASSWORD },
      'docker-hub': { username: 'giantswarm', token: PAT },
    };
    const played = await run('docker-hub', { objects, env: ENV(), files: FILES() });

    deepEqual(codesOf(played), [0, 0], JSON.stringify(played.containers, undefined, 1));
    deepEqual(wrongAt(hub.store, [...FLAT, ...joined]), []);
    match(played.containers['sync']?.lastWords ?? '', /^6 rows: 2 copied, 4 unchanged/);
    equal(played.containers['report']?.code, 0);
  });
});
