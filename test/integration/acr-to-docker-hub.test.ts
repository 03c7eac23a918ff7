/**
 * The main job at its real names: a crawl of a registry of Azure's and syncs to Docker Hub, by the
 * built program over TLS, with the requests that each takes on each side.
 */
import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';

import { startAcr, type Acr } from '../support/acr/acr.ts';
import { runCli, type CliResult } from '../support/cli.ts';
import { startDockerHub, type DockerHub } from '../support/docker-hub/docker-hub.ts';
import { DOCKER_HUB_NAMES } from '../support/docker-hub/options.ts';
import { image, layer } from '../support/images.ts';
import { startNamesProxy, type NamesProxy } from '../support/names-proxy.ts';
import { committedBlobs, missingOf, repeated, seedTags } from '../support/synced.ts';
import { startRegistry } from '../support/registry/registry.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { createCertificates, type Certificates } from '../support/tls.ts';

const REGISTRY = 'gsoci.azurecr.io';
const STORAGE = 'weurmanaged42.blob.core.windows.net';
const PASSWORD = 'correct horse';
const PAT = 'dckr_pat_battery-staple';
const BASE = layer({ seed: 'base', layerBytes: 50_000 });
const imageOf = (seed: string) =>
  image({ seed, layers: [BASE, layer({ seed, layerBytes: 2000 })] });

/** Five repositories with 100 tags each. */
const FLEET = Array.from({ length: 500 }, (_, n) => ({
  repository: `team/app-${Math.floor(n / 100)}`,
  tag: `v${n % 100}`,
  image: imageOf(`${n}`),
}));
const PER_100_TAGS = 5;

let dir: TempDir;
let certificates: Certificates;
let acr: Acr;
let hub: DockerHub;
let proxy: NamesProxy;

before(async () => {
  dir = await tempDir();
  certificates = await createCertificates(dir.path, [REGISTRY, STORAGE, ...DOCKER_HUB_NAMES]);
  const tls = {
    key: await readFile(certificates.serverKey),
    cert: await readFile(certificates.serverCert),
  };
  acr = await startAcr({ tls, storageName: STORAGE, users: { bot: { password: PASSWORD } } });
  hub = await startDockerHub({
    tls,
    accounts: { acme: { password: PAT, namespaces: ['acme'] } },
    pullLimit: { anonymous: 100, authenticated: 200 },
  });
  proxy = await startNamesProxy({
    [REGISTRY]: acr.url,
    [STORAGE]: acr.storageUrl,
    ...hub.places,
  });
  seedTags(acr.store, FLEET);
});
beforeEach(() => {
  acr.resetRequests();
  hub.resetRequests();
});
after(async () => {
  await Promise.all([acr.close(), hub.close(), proxy.close()]);
  await dir[Symbol.asyncDispose]();
});

function run(...args: string[]): Promise<CliResult> {
  return runCli([...args, '--workdir', dir.path], {
    env: {
      HTTPS_PROXY: proxy.url,
      NODE_EXTRA_CA_CERTS: certificates.caCert,
      SOURCE_USERNAME: 'bot',
      SOURCE_PASSWORD: PASSWORD,
      TARGET_USERNAME: 'acme',
      TARGET_PASSWORD: PAT,
    },
  });
}

const SYNC = [
  'sync',
  '--source-registry-name',
  'gsoci',
  '--target-registry',
  'docker.io',
  '--target-namespace',
  'acme',
];

/** Requests of one side by kind, per 100 tags. */
function per100(requests: readonly { method: string; path: string }[]): Record<string, number> {
  const table: Record<string, number> = {};
  for (const { method, path } of requests) {
    const kind = /uploads|blobs|manifests|tags|token|_tags|_catalog/.exec(path)?.[0] ?? 'ping';
    const key = `${method} ${/mount=/.test(path) ? 'mount' : kind}`;
    table[key] = (table[key] ?? 0) + 1 / PER_100_TAGS;
  }
  return Object.fromEntries(
    Object.entries(table).map(([key, count]) => [key, Number(count.toFixed(2))]),
  );
}

describe('from Azure to Docker Hub', () => {
  it('crawls for one page per repository', async () => {
    const { code, stderr } = await run('crawl', '--registry-name', 'gsoci');
    equal(code, 0, stderr);
    deepEqual(per100(acr.requests), {
      'GET ping': 0.2,
      'GET _catalog': 0.2,
      'GET _tags': 1,
      'GET token': 0.4,
    });
  });

  it('copies all of it, each blob once, and pulls nothing', async () => {
    const { code, stderr, stdout } = await run(...SYNC);
    equal(code, 0, stderr.slice(0, 3000));
    match(stdout, /500 copied, 0 unchanged, 0 failed/);
    match(stdout, /200 of 200 pulls per 6 h left at the target/);
    const wrong = FLEET.flatMap(({ repository, image: one }) =>
      missingOf(hub.store, repository.replace('team/', 'acme/'), one),
    );
    deepEqual(wrong, []);
    deepEqual(repeated(committedBlobs(hub.requests.registry)), []);
    equal(hub.pulls.count(), 0);
    const target = per100(hub.requests.registry);
    // Two blobs of its own per image; those of the base are linked.
    equal(target['PUT manifests'], 100);
    ok((target['PUT uploads'] ?? 0) <= 201, JSON.stringify(target));
  });

  it('finds out that nothing has changed for one page per 100 tags, and nothing at the source', async () => {
    const { code, stderr, stdout } = await run(...SYNC);
    equal(code, 0, stderr);
    match(stdout, /0 copied, 500 unchanged, 0 failed/);
    equal(acr.requests.length, 0);
    equal(hub.requests.registry.length, 0);
    deepEqual(per100(hub.requests.api), { 'POST token': 0.2, 'GET tags': 1 });
    equal(hub.pulls.count(), 0);
  });

  it('refuses names that Docker Hub does not take, before anything is copied', async () => {
    const file = join(dir.path, 'nested.csv');
    const digest = FLEET[0]?.image.root.digest;
    const header = 'namespace,repo_name,name,created_on,last_updated_on,digest';
    await writeFile(file, `${header}\nteam,deep/app,v1,,,${digest}\n`);
    const { code, stderr } = await run(...SYNC, '--tags-file', file);
    equal(code, 1);
    match(
      stderr,
      /line 2: team\/deep\/app would become docker\.io\/acme\/deep\/app, but names at Docker Hub have exactly 2 parts: --target-path two-components/,
    );
    deepEqual([acr.requests.length, hub.requests.registry.length], [0, 0]);
  });

  it('prints no secret and shows none to anybody else', async () => {
    const { stderr, stdout } = await run(...SYNC, '--debug');
    for (const secret of [PASSWORD, PAT, btoa(`acme:${PAT}`), btoa(`bot:${PASSWORD}`)]) {
      ok(!stderr.includes(secret) && !stdout.includes(secret));
    }
    doesNotMatch(stderr, /eyJ[\w-]{20}/); // no token
    const withAuthorization = [...hub.requests.cdn, ...acr.storageRequests].filter(
      ({ headers }) => headers.authorization !== undefined,
    );
    deepEqual(withAuthorization, []);
  });
});

describe('Docker Hub as a source', () => {
  it('lists a namespace with digests and dates by the API, and pulls nothing', async () => {
    const args = ['crawl', '--registry', 'docker.io', '--namespace', 'acme'];
    const { code, stderr } = await runCli([...args, '--workdir', join(dir.path, 'hub')], {
      env: { HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: certificates.caCert },
    });
    equal(code, 0, stderr);
    const csv = await readFile(join(dir.path, 'hub', 'tags.csv'), 'utf8');
    const rows = csv
      .split('\r\n')
      .slice(1, -1)
      .map((row) => row.split(','));
    equal(rows.length, FLEET.length);
    deepEqual(
      rows.filter(([, , , , date, digest]) => !date || !digest),
      [],
    );
    equal(hub.requests.registry.filter(({ method }) => method === 'HEAD').length, 0);
    equal(hub.pulls.count(), 0);
  });

  it('stops reading when the pulls are used up, and says when to come back', async () => {
    const target = await startRegistry();
    const workdir = join(dir.path, 'hub');
    const where = ['--source-registry', 'docker.io', '--target-registry', target.host];
    const { code, stderr, stdout } = await runCli(['sync', ...where, '--workdir', workdir], {
      env: {
        HTTPS_PROXY: proxy.url,
        NO_PROXY: '127.0.0.1',
        NODE_EXTRA_CA_CERTS: certificates.caCert,
      },
    });
    await target.close();
    equal(code, 3, stderr.slice(0, 2000));
    match(
      stderr,
      /registry-1\.docker\.io: the pull limit is used up \(100 in 6 hours\): come back in 6 hours at the latest, or log in with an account that may pull more/,
    );
    match(stderr, /no pulls are left: no further image is started/);
    match(stdout, /500 rows: 100 copied, 0 unchanged, \d+ failed, \d+ not started/);
    match(stdout, /0 of 100 pulls per 6 h left at the source/);
    // Those that were under way when the first was told; none of them asked twice.
    const gets = hub.requests.registry.filter(
      ({ method, path }) => method === 'GET' && /manifests/.test(path),
    );
    deepEqual(repeated(gets.map(({ path }) => path)), []);
    equal(gets.filter(({ status }) => status === 200).length, 100);
    ok(gets.length < 300, `${gets.length} manifests asked for`);
  });
});
