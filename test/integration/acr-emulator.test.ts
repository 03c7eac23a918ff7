/** skopeo finds in the emulated Azure Container Registry what it finds in the real one. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, beforeEach, describe, it } from 'node:test';

import { startAcr, type Acr } from '../support/acr/acr.ts';
import { image, index } from '../support/images.ts';
import { startNamesProxy } from '../support/names-proxy.ts';
import { putImage, snapshot } from '../support/registry/store.ts';
import { rawDigest, skopeo } from '../support/skopeo.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { createCertificates, type Certificates } from '../support/tls.ts';

const REGISTRY = 'gsoci.azurecr.io';
const BLOBS = 'weu.blob.core.windows.net';
const ARM = { os: 'linux', architecture: 'arm64' };
const MULTI = index([
  { image: image({ seed: 'amd' }), platform: { os: 'linux', architecture: 'amd64' } },
  { image: image({ seed: 'arm', platform: ARM }), platform: ARM },
]);

let dir: TempDir;
let made: Certificates;
let acr: Acr;
let authFile: string;

/** The answer's body. */
async function postForm(url: URL, form: Record<string, string>, caCert: string): Promise<string> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const sent = request(url, { method: 'POST', headers, ca: await readFile(caCert) });
  sent.end(new URLSearchParams(form).toString());
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return await text(response);
}

before(async () => {
  dir = await tempDir();
  made = await createCertificates(dir.path, [REGISTRY, BLOBS]);
  const tls = { key: await readFile(made.serverKey), cert: await readFile(made.serverCert) };
  acr = await startAcr({
    tls,
    users: { robot: { password: 'pw' } },
    aadTokens: { 'aad-token': {} },
  });
  authFile = join(dir.path, 'auth.json');
  for (const tag of ['1', '2']) putImage(acr.store, 'team/app', tag, MULTI);
});

after(async () => {
  await acr.close();
  await dir[Symbol.asyncDispose]();
});

beforeEach(() => acr.resetRequests());

describe('skopeo and the emulated ACR', () => {
  it('log in', async () => {
    const flags = ['--authfile', authFile, '--cert-dir', made.certDir];
    await skopeo(['login', ...flags, '--username', 'robot', '--password', 'pw', acr.host]);

    const { auths } = JSON.parse(await readFile(authFile, 'utf8')) as { auths: object };
    deepEqual(Object.keys(auths), [acr.host]);
    ok(acr.requests.some(({ path, status }) => path === '/v2/' && status === 200));
  });

  it('list tags, for which the challenge names another scope than pull', async () => {
    const flags = ['--authfile', authFile, '--cert-dir', made.certDir];

    const listed = JSON.parse(
      await skopeo(['list-tags', ...flags, `docker://${acr.host}/team/app`]),
    ) as { Tags: string[] };

    deepEqual(listed.Tags, ['1', '2']);
    equal(
      acr.tokenRequests.some(({ granted }) => granted.some((one) => one.endsWith('metadata_read'))),
      true,
    );
  });

  it('copy out and in, blobs by another origin', async () => {
    const to = `dir:${join(dir.path, 'copied')}`;
    const all = ['--all', '--authfile', authFile];
    const from = ['--src-cert-dir', made.certDir];
    const into = ['--dest-cert-dir', made.certDir];

    await skopeo(['copy', ...all, ...from, `docker://${acr.host}/team/app:1`, to]);
    await skopeo(['copy', ...all, ...into, to, `docker://${acr.host}/other/app:new`]);

    equal(snapshot(acr.store)['other/app:new'], MULTI.root.digest);
    const flags = ['--authfile', authFile, '--cert-dir', made.certDir];
    equal(await rawDigest(`docker://${acr.host}/other/app:new`, flags), MULTI.root.digest);
    equal(acr.storageRequests.length, MULTI.blobs.length);
    ok(acr.storageRequests.every(({ status }) => status === 200));
    equal(acr.pendingUploads(), 0);
  });

  it('copy within by mounting', async () => {
    const flags = ['--all', '--authfile', authFile, '--src-cert-dir', made.certDir];
    const places = [`docker://${acr.host}/team/app:1`, `docker://${acr.host}/mounted/app:1`];

    await skopeo(['copy', ...flags, '--dest-cert-dir', made.certDir, ...places]);

    // It reads the config of each image, and mounts the layers alone.
    equal(acr.storageRequests.length, MULTI.manifests.length);
    const mounts = acr.requests.filter(({ path, status }) => /mount=/.test(path) && status === 201);
    equal(mounts.length, MULTI.blobs.length - MULTI.manifests.length);
  });
});

describe('skopeo and the emulated ACR also', () => {
  it('take a refresh token for a password, as az acr login leaves it', async () => {
    const form = { grant_type: 'access_token', service: acr.host, access_token: 'aad-token' };
    const exchanged = await postForm(new URL('/oauth2/exchange', acr.url), form, made.caCert);
    const { refresh_token: identitytoken } = JSON.parse(exchanged) as { refresh_token: string };
    const auth = Buffer.from('00000000-0000-0000-0000-000000000000:').toString('base64');
    const file = join(dir.path, 'az.json');
    await writeFile(file, JSON.stringify({ auths: { [acr.host]: { auth, identitytoken } } }));
    acr.resetRequests();

    const flags = ['--authfile', file, '--cert-dir', made.certDir];
    equal(await rawDigest(`docker://${acr.host}/team/app:1`, flags), MULTI.root.digest);

    deepEqual(
      acr.tokenRequests.map(({ method, grantType, status }) => [method, grantType, status]),
      [['POST', 'refresh_token', 200]],
    );
  });

  it('meet under real names, the blob storage too', async () => {
    const tls = { key: await readFile(made.serverKey), cert: await readFile(made.serverCert) };
    const named = await startAcr({
      tls,
      store: acr.store,
      anonymousPull: true,
      storageName: BLOBS,
    });
    const proxy = await startNamesProxy({ [REGISTRY]: named.url, [BLOBS]: named.storageUrl });
    try {
      const env = { HTTPS_PROXY: proxy.url, SSL_CERT_FILE: made.caCert };
      const to = `dir:${join(dir.path, 'named')}`;
      await skopeo(['copy', '--all', `docker://${REGISTRY}/team/app:1`, to], env);
    } finally {
      await Promise.all([named.close(), proxy.close()]);
    }

    equal(named.storageRequests.length, MULTI.blobs.length);
    deepEqual(new Set(proxy.connected), new Set([`${REGISTRY}:443`, `${BLOBS}:443`]));
    deepEqual(new Set(named.tokenRequests.map(({ service }) => service)), new Set([REGISTRY]));
  });

  it('delete', async () => {
    const flags = ['--authfile', authFile, '--cert-dir', made.certDir];
    await skopeo(['delete', ...flags, `docker://${acr.host}/team/app:2`]);
    // skopeo deletes the manifest, and with it all its tags.
    equal(acr.store.repositories.get('team/app')?.tags.size, 0);
  });
});
