/**
 * Proves the oracles themselves: what the other integration tests compare us with, or count us by,
 * does what those tests take for granted.
 */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';

import { classOf, startCountingProxy, type Fault } from '../support/counting-proxy.ts';
import {
  REGISTRY_LOGIN,
  startDockerRegistry,
  type DockerRegistry,
} from '../support/docker-registry.ts';
import { rawDigest, skopeo } from '../support/skopeo.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { createCertificates, type Certificates, type KeyPair } from '../support/tls.ts';
import { startTokenServer, type TokenServer } from '../support/token-server.ts';

const OCI = 'application/vnd.oci.image';

/** The image that is pushed and read back. */
interface DirImage {
  /** `dir:…` */
  readonly reference: string;
  readonly digest: string;
}

/** Writes an image of one layer in the layout of skopeo's `dir:`. */
async function writeDirImage(path: string): Promise<DirImage> {
  await mkdir(path);
  const layer = Buffer.from('what a layer holds is of no interest here');
  const config = {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
  };
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config: await writeBlob(path, 'config.v1+json', Buffer.from(JSON.stringify(config))),
      layers: [await writeBlob(path, 'layer.v1.tar+gzip', gzipSync(layer))],
    }),
  );
  await writeFile(join(path, 'manifest.json'), manifest);
  await writeFile(join(path, 'version'), 'Directory Transport Version: 1.1\n');
  return { reference: `dir:${path}`, digest: `sha256:${sha256(manifest)}` };
}

async function writeBlob(path: string, kind: string, bytes: Buffer): Promise<object> {
  await writeFile(join(path, sha256(bytes)), bytes);
  return { mediaType: `${OCI}.${kind}`, digest: `sha256:${sha256(bytes)}`, size: bytes.length };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

let dir: TempDir;
let image: DirImage;
let certificates: Certificates;
let tls: KeyPair;

before(async () => {
  dir = await tempDir();
  image = await writeDirImage(join(dir.path, 'image'));
  certificates = await createCertificates(dir.path);
  tls = { cert: certificates.serverCert, key: certificates.serverKey };
});
after(async () => await dir[Symbol.asyncDispose]());

const PLAIN = { to: ['--dest-tls-verify=false'], from: ['--src-tls-verify=false'] };

async function push(reference: string, flags: readonly string[]): Promise<void> {
  await skopeo(['copy', ...flags, image.reference, reference]);
}

/** Pulls, and gives the digest of the manifest that arrived. */
async function pull(reference: string, flags: readonly string[]): Promise<string> {
  await using copy = await tempDir();
  await skopeo(['copy', ...flags, reference, `dir:${copy.path}`]);
  return `sha256:${sha256(await readFile(join(copy.path, 'manifest.json')))}`;
}

describe('a plain registry', () => {
  it('gives back what was pushed, each request counted once', async () => {
    await using registry = await startDockerRegistry();
    await using proxy = await startCountingProxy(registry.origin);
    const reference = `docker://${proxy.host}/a/b:1`;

    await push(reference, PLAIN.to);
    const { 'blob HEAD': _, ...pushed } = proxy.counts();
    proxy.reset();
    const pulled = await pull(reference, PLAIN.from);

    equal(pulled, image.digest);
    deepEqual(pushed, {
      ping: 1,
      'upload POST': 2,
      'upload PATCH': 2,
      'upload PUT': 2,
      'manifest PUT': 1,
    });
    deepEqual(proxy.counts(), { ping: 1, 'manifest GET': 1, 'blob GET': 2 });
    ok(proxy.requests.every(({ status, bytesIn }) => status === 200 && bytesIn === 0));
    ok(proxy.connections >= 1 && proxy.maxConcurrent >= 1);
    equal(await rawDigest(reference, ['--tls-verify=false']), image.digest);
  });

  it('keeps its images and its address over a restart', async () => {
    await using registry = await startDockerRegistry();
    const reference = `docker://${registry.host}/a/b:1`;
    await push(reference, PLAIN.to);

    await registry.restart();

    equal(await pull(reference, PLAIN.from), image.digest);
    match(registry.log(), /GET \/v2\/a\/b\/manifests\/1 /);
  });

  it('is gone when it is stopped', async () => {
    const registry = await startDockerRegistry();

    await registry.stop();
    await registry.stop();

    await rejects(fetch(`${registry.origin}/v2/`));
  });
});

describe('a registry with a password and a certificate', () => {
  it('serves those who have both', async () => {
    await using registry = await startDockerRegistry({ tls, htpasswd: true });
    await using proxy = await startCountingProxy(registry.origin, { tls });
    const reference = `docker://${proxy.host}/a/b:1`;
    const trust = certificates.certDir;
    const login = `${REGISTRY_LOGIN.user}:${REGISTRY_LOGIN.password}`;

    await push(reference, ['--dest-cert-dir', trust, '--dest-creds', login]);

    const pulled = await pull(reference, ['--src-cert-dir', trust, '--src-creds', login]);
    equal(pulled, image.digest);
    await rejects(pull(reference, ['--src-cert-dir', trust]), /authentication required/);
    await rejects(pull(reference, ['--src-creds', login]), /certificate/);
  });

  it('can ask for a client certificate', async () => {
    await using registry = await startDockerRegistry({ tls, clientCa: certificates.caCert });
    const reference = `docker://${registry.host}/a/b:1`;

    await push(reference, ['--dest-cert-dir', certificates.clientCertDir]);

    await rejects(pull(reference, ['--src-cert-dir', certificates.certDir]), /certificate/);
  });
});

const users = {
  writer: { password: 'w:1', grants: [{ name: /a\/.*/, actions: ['pull', 'push'] }] },
  reader: { password: 'r', grants: [{ name: /.*/, actions: ['pull'] }] },
};

describe('a registry with a token server', () => {
  it('lets each user do what the tokens grant', async () => {
    await using tokens = await startTokenServer({ users });
    await using registry = await startDockerRegistry({ token: tokens.auth });
    await using proxy = await startCountingProxy(registry.origin);
    const reference = `docker://${proxy.host}/a/b:1`;

    await push(reference, [...PLAIN.to, '--dest-creds', 'writer:w:1']);

    equal(await pull(reference, [...PLAIN.from, '--src-creds', 'reader:r']), image.digest);
    await rejects(push(reference, [...PLAIN.to, '--dest-creds', 'reader:r']), /denied/);
    await rejects(pull(reference, [...PLAIN.from, '--src-creds', 'reader:x']), /unauthorized/i);
    await rejects(pull(reference, PLAIN.from), /authentication required|denied/);
    const [{ user, scopes } = {}] = tokens.requests;
    deepEqual({ user, scopes }, { user: 'writer', scopes: ['repository:a/b:pull,push'] });
  });
});

describe('the token server', () => {
  it('takes a password or its own refresh token in a form', async () => {
    await using tokens = await startTokenServer({ users });
    await using registry = await startDockerRegistry({ token: tokens.auth });
    const login = { username: 'reader', password: 'r', access_type: 'offline' };

    const first = await postForm(tokens, { grant_type: 'password', ...login });
    const { refresh_token = '' } = first;
    const second = await postForm(tokens, { grant_type: 'refresh_token', refresh_token });

    // Let in, and told that there is no such repository.
    equal(await statusOfTags(registry, first), 404);
    equal(await statusOfTags(registry, second), 404);
    const seen = tokens.requests.map(({ grant, user, status }) => `${grant} ${user} ${status}`);
    deepEqual(seen, ['password reader 200', 'refresh_token reader 200']);
  });

  it('can give tokens that are past their end', async () => {
    await using tokens = await startTokenServer({ users, expiresIn: -90 });
    await using registry = await startDockerRegistry({ token: tokens.auth });

    const refresh_token = tokens.refreshTokenOf('reader');
    const late = await postForm(tokens, { grant_type: 'refresh_token', refresh_token });

    equal(await statusOfTags(registry, late), 401);
  });
});

interface Tokens {
  readonly access_token: string;
  readonly refresh_token?: string;
}

async function postForm(
  { realm, auth }: TokenServer,
  fields: Record<string, string>,
): Promise<Tokens> {
  const scope = 'repository:a/b:pull';
  const body = new URLSearchParams({ service: auth.service, scope, ...fields });
  const answer = await fetch(realm, { method: 'POST', body });
  equal(answer.status, 200);
  return (await answer.json()) as Tokens;
}

async function statusOfTags({ origin }: DockerRegistry, { access_token }: Tokens): Promise<number> {
  const headers = { authorization: `Bearer ${access_token}` };
  const { status } = await fetch(`${origin}/v2/a/b/tags/list`, { headers });
  return status;
}

describe('the counting proxy', () => {
  it('spoils what it is told to', async () => {
    const faults: Fault[] = [
      { kind: 'answer', status: 429, headers: { 'retry-after': '1' }, body: 'slow' },
      { kind: 'cut-request', afterBytes: 0 },
      { kind: 'cut-response', afterBytes: 1 },
    ];
    await using registry = await startDockerRegistry();
    await using proxy = await startCountingProxy(registry.origin, {
      onRequest: ({ nth }) => faults[nth - 1],
    });
    const ping = async (): Promise<string> => await (await fetch(`${proxy.origin}/v2/`)).text();

    equal(await ping(), 'slow');
    await rejects(ping());
    await rejects(ping());
    equal(await ping(), '{}');

    const seen = proxy.requests.map(({ status, bytesOut }) => `${status} ${bytesOut}`);
    deepEqual(seen, ['429 4', '0 0', '200 1', '200 2']);
  });

  it('breaks the connection when the target is gone', { timeout: 5000 }, async () => {
    const registry = await startDockerRegistry();
    await using proxy = await startCountingProxy(registry.origin);
    await registry.stop();

    await rejects(fetch(`${proxy.origin}/v2/`));
  });

  it('cuts an upload in the middle', async () => {
    await using registry = await startDockerRegistry();
    await using proxy = await startCountingProxy(registry.origin, {
      onRequest: ({ class: kind }) =>
        kind === 'upload PATCH' ? { kind: 'cut-request', afterBytes: 100_000 } : undefined,
    });
    const begun = await fetch(`${proxy.origin}/v2/a/b/blobs/uploads/`, { method: 'POST' });
    const location = begun.headers.get('location') ?? '';
    equal(new URL(location).host, proxy.host);

    await rejects(fetch(location, { method: 'PATCH', body: Buffer.alloc(8_000_000) }));

    const bytesIn = proxy.requests.at(-1)?.bytesIn ?? 0;
    ok(bytesIn >= 100_000 && bytesIn < 8_000_000, String(bytesIn));
  });

  for (const [request, expected] of [
    ['GET /v2/', 'ping'],
    ['GET /v2/_catalog?n=9', 'catalog'],
    ['GET /v2/a/b/tags/list?last=x', 'tags'],
    ['GET /v2/a/referrers/sha256:0', 'referrers'],
    ['HEAD /v2/a/manifests/b/manifests/1', 'manifest HEAD'],
    ['GET /v2/a/blobs/sha256:0', 'blob GET'],
    ['POST /v2/a/blobs/uploads/', 'upload POST'],
    ['POST /v2/a/blobs/uploads/?from=b&mount=sha256:0', 'mount'],
    ['PUT /v2/a/blobs/uploads/0-1?_state=x&digest=y', 'upload PUT'],
    ['POST /oauth2/token', 'token'],
    ['GET /token?scope=repository:a:pull', 'token'],
    ['GET /acr/v1/_catalog', 'other'],
  ] as const) {
    it(`counts ${request} as ${expected}`, () => {
      const [method = '', path = ''] = request.split(' ');
      equal(classOf(method, path), expected);
    });
  }
});
