/**
 * Who we are in Azure, by the real @azure/identity: the built program, under the real names of Azure's
 * services, over TLS.
 */
import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request as requestByTls } from 'node:https';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { after, afterEach, before, describe, it } from 'node:test';

import { startAcr, type Acr, type AcrOptions } from '../support/acr/acr.ts';
import { runCli, type CliResult } from '../support/cli.ts';
import { startEntra, type Entra, type EntraOptions } from '../support/entra/entra.ts';
import { image } from '../support/images.ts';
import { startNamesProxy, type NamesProxy } from '../support/names-proxy.ts';
import { putImage } from '../support/registry/store.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { createCertificates, type Certificates } from '../support/tls.ts';

const TENANT = '11111111-2222-3333-4444-555555555555';
const CLIENT = '99999999-8888-7777-6666-555555555555';
const ZEROS = '00000000-0000-0000-0000-000000000000';
const SECRET = 'entra~secret-of-the-client';
const SERVICE_ACCOUNT = 'system:serviceaccount:mirror:registry-sync';
const NAMES = [
  'gsoci.azurecr.io',
  'gsoci.azurecr.cn',
  'login.microsoftonline.com',
  'login.chinacloudapi.cn',
  'login.partner.microsoftonline.cn',
];
const WEB = image({ seed: 'web' });

let dir: TempDir;
let certificates: Certificates;
let keys: { readonly key: Buffer; readonly cert: Buffer };
let entra: Entra;
let acr: Acr;
let proxy: NamesProxy;

before(async () => {
  dir = await tempDir();
  certificates = await createCertificates(dir.path, NAMES);
  const [key, cert] = await Promise.all([
    readFile(certificates.serverKey),
    readFile(certificates.serverCert),
  ]);
  keys = { key, cert };
});
afterEach(async () => {
  await Promise.all([entra.close(), acr.close(), proxy.close()]);
});
after(() => dir[Symbol.asyncDispose]());

async function start(
  options: Partial<EntraOptions> = {},
  acrOptions: Partial<AcrOptions> = {},
): Promise<void> {
  const clients = { [CLIENT]: { secret: SECRET, federatedSubject: SERVICE_ACCOUNT } };
  entra = await startEntra({ tenant: TENANT, clients, tls: keys, ...options });
  acr = await startAcr({ entra, tls: keys, ...acrOptions });
  for (const tag of ['v1', 'v2']) putImage(acr.store, 'acme/web', tag, WEB);
  proxy = await startNamesProxy({
    'gsoci.azurecr.io': acr.url,
    'gsoci.azurecr.cn': acr.url,
    'login.microsoftonline.com': entra.url,
    'login.chinacloudapi.cn': entra.url,
    // Where MSAL goes for that cloud.
    'login.partner.microsoftonline.cn': entra.url,
  });
}

async function crawl(
  env: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<CliResult & { rows: string[] }> {
  const workdir = join(dir.path, `crawl-${Math.random()}`);
  const result = await runCli(
    ['crawl', '--registry-name', 'gsoci', '--workdir', workdir, ...args],
    {
      env: { HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: certificates.caCert, ...env },
    },
  );
  const csv = await readFile(join(workdir, 'tags.csv'), 'utf8').catch(() => '');
  return { ...result, rows: csv.split('\r\n').slice(1, -1) };
}

const BY_SECRET = {
  AZURE_TENANT_ID: TENANT,
  AZURE_CLIENT_ID: CLIENT,
  AZURE_CLIENT_SECRET: SECRET,
};

describe('an identity of Azure', () => {
  it('by a secret in the environment is used without being asked for', async () => {
    await start();
    const { code, stderr, rows } = await crawl(BY_SECRET);
    equal(code, 0, stderr);
    equal(rows.length, 2);
    deepEqual(acr.tokenRequests.map(({ kind }) => kind).toSorted(), ['exchange', 'token', 'token']);
    ok(proxy.connected.includes('login.microsoftonline.com:443'), String(proxy.connected));
  });

  it('of a workload is the token of its service account', async () => {
    await start();
    const file = join(dir.path, 'service-account-token');
    const aud = 'api://AzureADTokenExchange';
    const claims = { sub: SERVICE_ACCOUNT, aud, exp: Math.ceil(Date.now() / 1000) + 600 };
    const encode = (value: unknown): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url');
    await writeFile(file, `${encode({ alg: 'none' })}.${encode(claims)}.c2ln`);
    const env = {
      AZURE_TENANT_ID: TENANT,
      AZURE_CLIENT_ID: CLIENT,
      AZURE_FEDERATED_TOKEN_FILE: file,
      AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.com/',
    };
    const { code, stderr, rows } = await crawl(env, '--azure-credential', 'workload');
    equal(code, 0, stderr);
    equal(rows.length, 2);
  });

  it('is asked for at the cloud that the registry is in', async () => {
    await start();
    const { code, stderr } = await crawl(BY_SECRET, '--azure-cloud', 'china');
    equal(code, 0, stderr);
    ok(proxy.connected.includes('gsoci.azurecr.cn:443'), String(proxy.connected));
    ok(proxy.connected.includes('login.partner.microsoftonline.cn:443'), String(proxy.connected));
  });

  it('is of the resource manager where the tenant knows no registries', async () => {
    await start({ refusedAudiences: ['https://containerregistry.azure.net'] });
    const { code, stderr } = await crawl(BY_SECRET, '--azure-credential', 'env');
    equal(code, 0, stderr);
  });

  it('is changed for tokens per repository where roles are per repository', async () => {
    await start({}, { abac: true });
    putImage(acr.store, 'acme/api', 'v1', WEB);
    const { code, stderr, rows } = await crawl(BY_SECRET);
    equal(code, 0, stderr);
    equal(rows.length, 3);
    const scopes = acr.tokenRequests.flatMap((request) => request.scopes);
    deepEqual(
      scopes.filter((scope) => scope.startsWith('repository:*')),
      [],
    );
    equal(
      acr.requests.filter(({ path, status }) => /_tags/.test(path) && status === 401).length,
      0,
    );
  });
});

describe('an identity of Azure that does not do', () => {
  it('is told in one line, without its secret, and asked for once', async () => {
    await start();
    const env = { ...BY_SECRET, AZURE_CLIENT_SECRET: 'wrong~secret' };
    const { code, stderr } = await crawl(env, '--azure-credential', 'env');
    equal(code, 1);
    match(stderr, /^registry-sync: Azure gives no token for --azure-credential env: .*AADSTS/m);
    doesNotMatch(stderr, /wrong~secret/);
    equal(stderr.trim().split('\n').length, 1, stderr);
    equal(acr.requests.filter(({ path }) => /oauth2/.test(path)).length, 0);
  });

  it('is told at once where it is not there', async () => {
    await start();
    const { code, stderr } = await crawl({}, '--azure-credential', 'workload');
    equal(code, 1);
    match(stderr, /--azure-credential workload/);
  });

  it('and was only hinted at, keeps nobody from what anybody may pull', async () => {
    await start({}, { anonymousPull: true });
    const { code, stderr, rows } = await crawl({
      ...BY_SECRET,
      AZURE_CLIENT_SECRET: 'wrong~secret',
      AZURE_TOKEN_CREDENTIALS: 'EnvironmentCredential',
    });
    equal(code, 0, stderr);
    equal(rows.length, 2);
    match(stderr, /going on without \(--azure-credential none says so\)/);
    match(stderr, /AZURE_CLIENT_ID is set, but: /);
    doesNotMatch(stderr, /wrong~secret/);
  });

  it('is not looked for where nothing hints at one', async () => {
    await start();
    const { code, stderr } = await crawl({});
    equal(code, 1);
    match(stderr, /with no credentials: .*see --azure-credential/);
    deepEqual(
      proxy.connected.filter((name) => !name.startsWith('gsoci.')),
      [],
    );
  });

  it('is never shown to another registry', async () => {
    await start();
    const { code, stderr } = await crawl(
      BY_SECRET,
      '--registry-kind',
      'generic',
      '--azure-credential',
      'env',
    );
    equal(code, 1);
    match(stderr, /--azure-credential env is for registries of Azure's/);
  });
});

describe('what az acr login leaves in the config of docker', () => {
  /** The registry's refresh token, as `az acr login --expose-token` prints it. */
  async function refreshToken(): Promise<string> {
    const entraToken = await tokenOf(`${entra.url}${TENANT}/oauth2/v2.0/token`, {
      grant_type: 'client_credentials',
      client_id: CLIENT,
      client_secret: SECRET,
      scope: 'https://containerregistry.azure.net/.default',
    });
    const service = 'gsoci.azurecr.io';
    const form = { grant_type: 'access_token', service, access_token: entraToken };
    return tokenOf(`${acr.url}oauth2/exchange`, form, service);
  }

  async function tokenOf(
    url: string,
    form: Record<string, string>,
    host = new URL(url).host,
  ): Promise<string> {
    const body = new URLSearchParams(form).toString();
    const sent = requestByTls(url, {
      method: 'POST',
      ca: keys.cert,
      rejectUnauthorized: false,
      headers: { host, 'content-type': 'application/x-www-form-urlencoded' },
    });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const answer = (await json(response)) as { access_token?: string; refresh_token?: string };
    return answer.refresh_token ?? answer.access_token ?? '';
  }

  for (const [what, entryOf] of [
    ['as a password', (token: string) => ({ auth: btoa(`${ZEROS}:${token}`) })],
    [
      'as an identity token',
      (token: string) => ({ auth: btoa(`${ZEROS}:`), identitytoken: token }),
    ],
  ] as const) {
    it(`lets us in, under the name of zeros, ${what}`, async () => {
      await start();
      const file = join(dir.path, `config-${what}.json`);
      const auths = { 'gsoci.azurecr.io': entryOf(await refreshToken()) };
      await writeFile(file, JSON.stringify({ auths }));
      acr.resetRequests();
      const { code, stderr, rows } = await crawl({}, '--authfile', file);
      equal(code, 0, stderr);
      equal(rows.length, 2);
      deepEqual(
        acr.tokenRequests.map(({ grantType }) => grantType),
        ['refresh_token', 'refresh_token'],
      );
    });
  }
});
