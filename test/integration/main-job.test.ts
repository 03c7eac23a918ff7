/**
 * The main job on real registries: crawl one docker-registry, sync to another behind a password and
 * TLS, and sync again. skopeo says whether the result is right, and a proxy what it cost.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import pLimit from 'p-limit';

import { runCli, startCli } from '../support/cli.ts';
import { startCountingProxy, type CountingProxy } from '../support/counting-proxy.ts';
import {
  REGISTRY_LOGIN,
  startDockerRegistry,
  type DockerRegistry,
} from '../support/docker-registry.ts';
import { fleet } from '../support/fleet.ts';
import { push } from '../support/push.ts';
import { rawDigest } from '../support/skopeo.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { createCertificates, type Certificates } from '../support/tls.ts';

const TAGS = fleet();
const LOGIN = `${REGISTRY_LOGIN.user}:${REGISTRY_LOGIN.password}`;

let home: TempDir;
let certificates: Certificates;
let source: DockerRegistry;
let target: DockerRegistry;
let sourceProxy: CountingProxy;
let targetProxy: CountingProxy;

before(async () => {
  home = await tempDir();
  certificates = await createCertificates(home.path);
  const tls = { cert: certificates.serverCert, key: certificates.serverKey };
  source = await startDockerRegistry();
  target = await startDockerRegistry({ htpasswd: true, tls });
  sourceProxy = await startCountingProxy(source.origin);
  targetProxy = await startCountingProxy(target.origin, { tls });
  for (const { repository, tag, image } of TAGS) await push(source.origin, repository, tag, image);
});

after(async () => {
  await Promise.all([sourceProxy.close(), targetProxy.close()]);
  await Promise.all([source.stop(), target.stop()]);
  await home[Symbol.asyncDispose]();
});

/** `sync` between the two proxies, with the credentials as a pod has them. */
function syncArgs(workdir: string, ...more: string[]): string[] {
  const from = ['--source-registry', sourceProxy.host];
  const to = ['--target-registry', targetProxy.host, '--dest-cert-dir', certificates.certDir];
  return ['sync', ...from, ...to, '--workdir', workdir, ...more];
}

/** Every tag of `registry` has the digest it was made with: skopeo says so. */
async function expectDigests(registry: DockerRegistry): Promise<void> {
  const flags = ['--creds', LOGIN, '--cert-dir', certificates.certDir];
  const limit = pLimit(4);
  await limit.map(TAGS, async ({ repository, tag, image }) => {
    const reference = `docker://${registry.host}/${repository}:${tag}`;
    equal(await rawDigest(reference, flags), image.root.digest, reference);
  });
}

const TARGET_ENV = {
  TARGET_USERNAME: REGISTRY_LOGIN.user,
  TARGET_PASSWORD: REGISTRY_LOGIN.password,
};

describe('crawl and sync between two docker-registries', () => {
  it('crawls 20 repositories with 10 tags each into the CSV files', async () => {
    const args = ['crawl', '--registry', sourceProxy.host, '--workdir', home.path];
    const { code, stderr } = await runCli(args);
    equal(code, 0, stderr);

    const tags = (await readFile(join(home.path, 'tags.csv'), 'utf8')).split('\r\n');
    equal(tags[0], 'namespace,repo_name,name,created_on,last_updated_on,digest');
    equal(tags.length, 1 + TAGS.length + 1);
    const expected = TAGS.map(({ repository, tag, image }) => {
      const [namespace, ...rest] = repository.split('/');
      return `${namespace},${rest.join('/')},${tag},,,${image.root.digest}`;
    });
    deepEqual(tags.slice(1, -1).toSorted(), expected.toSorted());
    const repositories = await readFile(join(home.path, 'repositories.csv'), 'utf8');
    match(repositories, /^namespace,name\r\n(acme,[\w/-]+\r\n){20}$/);
    deepEqual(sourceProxy.counts(), { ping: 1, catalog: 1, tags: 20, 'manifest HEAD': 200 });
  });

  it('copies every tag with its digest', async () => {
    const { code, stdout, stderr } = await runCli(syncArgs(home.path), { env: TARGET_ENV });
    equal(code, 0, stderr);
    match(stdout, /^200 rows: 200 copied, 0 unchanged, 0 failed; /);

    await expectDigests(target);
    const uploaded = targetProxy.requests.filter(({ class: kind }) => kind === 'upload PUT').length;
    const blobs = new Set(TAGS.flatMap(({ image }) => image.blobs.map(({ digest }) => digest)));
    equal(uploaded, blobs.size, 'each blob is uploaded once');
  });

  it('finds 200 tags unchanged with 200 HEADs and asks the source for nothing', async () => {
    sourceProxy.reset();
    targetProxy.reset();

    const { code, stdout } = await runCli(syncArgs(home.path), { env: TARGET_ENV });

    equal(code, 0);
    match(stdout, /^200 rows: 0 copied, 200 unchanged, 0 failed; 0 B moved/);
    deepEqual(sourceProxy.counts(), {});
    deepEqual(targetProxy.counts(), { ping: 1, 'manifest HEAD': 200 });
  });
});

describe('a sync that is killed', () => {
  it('is completed by the next one, which uploads nothing twice', async (t) => {
    const tls = { cert: certificates.serverCert, key: certificates.serverKey };
    await using fresh = await startDockerRegistry({ htpasswd: true, tls });
    await using proxy = await startCountingProxy(fresh.origin, { tls });
    const pair = ['--source-registry', source.host, '--target-registry', proxy.host];
    const access = ['--dest-cert-dir', certificates.certDir];
    const args = ['sync', ...pair, ...access, '--workdir', home.path, '--jobs', '4'];
    const { child, result } = await startCli(args, { env: TARGET_ENV });
    const until = performance.now() + 20_000;
    while (proxy.requests.length < 300 && performance.now() < until) {
      await new Promise((wake) => setTimeout(wake, 5));
    }
    child.kill('SIGKILL');
    equal((await result).signal, 'SIGKILL');
    const committed = uploadedTo(proxy);
    ok(committed.size > 20 && committed.size < 600, `${committed.size} blobs before the kill`);
    t.diagnostic(`${committed.size} blobs were committed before the kill`);
    proxy.reset();

    const { code, stdout, stderr } = await runCli(args, { env: TARGET_ENV });

    equal(code, 0, stderr);
    match(stdout, / 0 failed/);
    deepEqual(
      [...uploadedTo(proxy)].filter((blob) => committed.has(blob)),
      [],
    );
    await expectDigests(fresh);
  });
});

/** `repository@digest` of every upload that was finished. */
function uploadedTo(proxy: CountingProxy): Set<string> {
  return new Set(
    proxy.requests
      .filter(({ class: kind, status }) => kind === 'upload PUT' && status === 201)
      .map(({ path }) => `${path.split('/blobs/')[0]} ${/digest=([^&]+)/.exec(path)?.[1]}`),
  );
}

describe('results', () => {
  it('are a row per tag, and leave no temporary files', async () => {
    const results = (await readFile(join(home.path, 'results.csv'), 'utf8')).split('\r\n');
    equal(results[0], 'namespace,repo_name,name,digest,target,status,bytes,elapsed_ms,error');
    equal(results.length, 1 + TAGS.length + 1);
    deepEqual(
      (await readdir(home.path)).filter((name) => name.includes('tmp')),
      [],
    );
    await writeFile(join(home.path, 'unused'), '');
  });
});
