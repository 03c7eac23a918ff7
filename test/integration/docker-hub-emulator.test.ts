/** The emulated Docker Hub under its real names, as skopeo and our own program see it. */
import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';

import { runCli, type CliResult } from '../support/cli.ts';
import { startDockerHub, type DockerHub } from '../support/docker-hub/docker-hub.ts';
import { DOCKER_HUB_NAMES } from '../support/docker-hub/options.ts';
import { image, index } from '../support/images.ts';
import { startNamesProxy, type NamesProxy } from '../support/names-proxy.ts';
import { startRegistry } from '../support/registry/registry.ts';
import { putImage, snapshot } from '../support/registry/store.ts';
import { skopeo } from '../support/skopeo.ts';
import { missingOf } from '../support/synced.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { createCertificates } from '../support/tls.ts';

const APP = image({ seed: 'app' });
const MULTI = index(
  ['amd64', 'arm64'].map((architecture) => ({
    image: image({ seed: architecture, platform: { os: 'linux', architecture } }),
    platform: { os: 'linux', architecture },
  })),
);
const LOGIN = 'acme:dckr_pat_1';

let dir: TempDir;
let hub: DockerHub;
let proxy: NamesProxy;
let env: Record<string, string>;

before(async () => {
  dir = await tempDir();
  const certificates = await createCertificates(dir.path, DOCKER_HUB_NAMES);
  const [key, cert] = await Promise.all(
    [certificates.serverKey, certificates.serverCert].map((path) => readFile(path)),
  );
  if (key === undefined || cert === undefined) throw new Error('no certificate');
  hub = await startDockerHub({
    tls: { key, cert },
    accounts: { acme: { password: 'dckr_pat_1' }, other: { password: 'x' } },
    pullLimit: { anonymous: 100, authenticated: 200 },
    privateRepositories: new Set(['acme/secret']),
  });
  proxy = await startNamesProxy(hub.places);
  env = {
    HTTPS_PROXY: proxy.url,
    SSL_CERT_FILE: certificates.caCert,
    NODE_EXTRA_CA_CERTS: certificates.caCert,
  };
});
after(async () => {
  await Promise.all([hub.close(), proxy.close()]);
  await dir[Symbol.asyncDispose]();
});
beforeEach(() => {
  hub.store.repositories.clear();
  hub.store.blobs.clear();
  hub.pulls.reset();
  hub.resetRequests();
});

/** skopeo on the machine of the test, which trusts the test's authority. */
const run = async (...args: string[]): Promise<string> => await skopeo(args, env);

describe('skopeo at the emulated Docker Hub', () => {
  it('logs in, and not with a wrong password', async () => {
    const authFile = join(dir.path, 'auth.json');
    const login = ['login', '--authfile', authFile, '--username', 'acme'];

    match(await run(...login, '--password', 'dckr_pat_1', 'docker.io'), /Login Succeeded/);

    await rejects(run(...login, '--password', 'wrong', 'docker.io'), /invalid username\/password/);
  });

  it('copies an image in and out', async () => {
    await using copy = await tempDir();
    putImage(hub.store, 'acme/source', '1', APP);
    const source = 'docker://docker.io/acme/source:1';
    const target = 'docker://docker.io/acme/app:1';

    await run('copy', source, `dir:${copy.path}/a`);
    deepEqual([hub.pulls.count(''), hub.pulls.count('acme')], [1, 0]);
    await run('copy', '--dest-creds', LOGIN, `dir:${copy.path}/a`, target);
    await run('copy', '--src-creds', LOGIN, target, `dir:${copy.path}/b`);

    deepEqual(snapshot(hub.store)['acme/app:1'], APP.root.digest);
    deepEqual(missingOf(hub.store, 'acme/app', APP), []);
    deepEqual([hub.pulls.count(''), hub.pulls.count('acme')], [1, 1]);
    // The CDN got every blob of both pulls, and no password.
    const blobs = hub.requests.cdn.map(({ status, headers }) => [status, headers.authorization]);
    deepEqual(
      blobs,
      Array.from({ length: APP.blobs.length * 2 }, () => [200, undefined]),
    );
  });

  it('inspects, and lists tags', async () => {
    putImage(hub.store, 'acme/app', '1', APP);
    putImage(hub.store, 'acme/app', '2', MULTI);
    putImage(hub.store, 'acme/secret', '1', APP);
    putImage(hub.store, 'library/app', 'latest', APP);

    const inspected = JSON.parse(await run('inspect', 'docker://docker.io/acme/app:1')) as object;
    const listed = JSON.parse(await run('list-tags', 'docker://docker.io/acme/app')) as object;
    const official = JSON.parse(await run('inspect', '--no-tags', 'docker://app')) as object;

    equal((inspected as { Digest: string }).Digest, APP.root.digest);
    deepEqual(listed, { Repository: 'docker.io/acme/app', Tags: ['1', '2'] });
    equal((official as { Name: string }).Name, 'docker.io/library/app');
    await run('inspect', '--creds', LOGIN, 'docker://docker.io/acme/secret:1');
    await rejects(run('inspect', 'docker://docker.io/acme/secret:1'), /denied|unauthorized/);
  });

  for (const name of ['other/app', 'acme/team/app', 'nobody/app']) {
    it(`may not push to ${name}`, async () => {
      await using copy = await tempDir();
      putImage(hub.store, 'acme/app', '1', APP);
      await run('copy', 'docker://docker.io/acme/app:1', `dir:${copy.path}`);

      const target = `docker://docker.io/${name}:1`;
      const pushed = run('copy', '--dest-creds', LOGIN, `dir:${copy.path}`, target);

      await rejects(pushed, /denied/);
      equal(hub.store.repositories.has(name), false);
    });
  }
});

/** Our own program at the emulated Docker Hub. */
async function cli(...args: string[]): Promise<CliResult> {
  return await runCli(args, { cwd: dir.path, env: { ...env, NO_PROXY: '127.0.0.1' } });
}

describe('our program at the emulated Docker Hub', () => {
  it('copies what it crawled at another registry', async () => {
    const source = await startRegistry();
    try {
      putImage(source.store, 'acme/app', '1', APP);
      putImage(source.store, 'acme/multi', '2', MULTI);
      const crawled = await cli('crawl', '--registry', source.host, '--tls-verify=false');
      equal(crawled.code, 0, crawled.stderr);

      const to = ['--target-registry', 'docker.io', '--target-namespace', 'acme'];
      const synced = await cli(
        'sync',
        '--source-registry',
        source.host,
        '--src-tls-verify=false',
        ...to,
        '--dest-creds',
        LOGIN,
      );

      equal(synced.code, 0, `${synced.stdout}${synced.stderr}`);
      deepEqual(snapshot(hub.store), snapshot(source.store));
      deepEqual(missingOf(hub.store, 'acme/multi', MULTI), []);
      equal(hub.pulls.count(), 0);
    } finally {
      await source.close();
    }
  });
});
