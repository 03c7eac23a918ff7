/** Docker Hub under its real names, over TLS, by the built program: what it limits, hides and forgets. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';

import { runCli, type CliResult } from '../support/cli.ts';
import { startDockerHub, type DockerHub } from '../support/docker-hub/docker-hub.ts';
import { DOCKER_HUB_NAMES, type DockerHubOptions } from '../support/docker-hub/options.ts';
import type { FleetTag } from '../support/fleet.ts';
import { image, layer } from '../support/images.ts';
import { startNamesProxy, type NamesProxy } from '../support/names-proxy.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { seedTags, tagsCsv, wrongAt } from '../support/synced.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { createCertificates, type Certificates } from '../support/tls.ts';

const PAT = 'dckr_pat_battery-staple';
const ACCOUNTS = { acme: { password: PAT, namespaces: ['acme', 'library'] } };
const FLEET = Array.from({ length: 10 }, (_, n) => ({
  repository: 'acme/app',
  tag: `v${n}`,
  image: image({ seed: `${n}` }),
}));

let dir: TempDir;
let certificates: Certificates;
let tls: { readonly key: Buffer; readonly cert: Buffer };
let source: Registry;
let hub: DockerHub;
let proxy: NamesProxy;

before(async () => {
  dir = await tempDir();
  certificates = await createCertificates(dir.path, DOCKER_HUB_NAMES);
  tls = {
    key: await readFile(certificates.serverKey),
    cert: await readFile(certificates.serverCert),
  };
});
beforeEach(async () => {
  source = await startRegistry();
});
afterEach(() => Promise.all([source.close(), hub.close(), proxy.close()]));
after(() => dir[Symbol.asyncDispose]());

async function start(options: DockerHubOptions = {}): Promise<void> {
  hub = await startDockerHub({ tls, accounts: ACCOUNTS, ...options });
  proxy = await startNamesProxy(hub.places);
}

/** With the emulated Docker Hub behind its names, and nothing known of who we are unless it is said. */
function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  return runCli([...args, '--workdir', dir.path], {
    env: {
      HTTPS_PROXY: proxy.url,
      NO_PROXY: '127.0.0.1',
      NODE_EXTRA_CA_CERTS: certificates.caCert,
      ...env,
    },
  });
}

const LOGIN = { TARGET_USERNAME: 'acme', TARGET_PASSWORD: PAT };

async function push(
  tags: readonly FleetTag[],
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = LOGIN,
): Promise<CliResult> {
  seedTags(source.store, tags);
  await writeFile(join(dir.path, 'tags.csv'), tagsCsv(tags));
  const where = ['--source-registry', source.host, '--target-registry', 'docker.io'];
  return run(['sync', ...where, ...args], env);
}

const heads = (): string[] =>
  hub.requests.registry
    .filter(({ method, path }) => method === 'HEAD' && /manifests/.test(path))
    .map(({ path }) => path.replace(/.*\//, ''))
    .toSorted();

describe('a push to Docker Hub', () => {
  it('goes on when a token expires in the middle of a blob', async () => {
    await start({ tokenSeconds: 2 });
    const large = layer({ seed: 'large', layerBytes: 8_000_000 });
    const tags = [{ repository: 'acme/app', tag: 'v1', image: image({ layers: [large] }) }];
    const { code, stderr } = await push(tags, ['--bandwidth-limit', '2MB']);
    equal(code, 0, stderr);
    deepEqual(wrongAt(hub.store, tags), []);
    const patch = hub.requests.registry.find(({ method }) => method === 'PATCH');
    const put = hub.requests.registry.find(
      ({ method, path }) => method === 'PUT' && decodeURIComponent(path).includes(large.digest),
    );
    const [opened = '', closed = ''] = [patch, put].map(
      (request) => request?.headers.authorization,
    );
    ok(
      opened !== '' && closed !== '' && opened !== closed,
      'the upload is closed with a newer token',
    );
    equal(hub.requests.registry.filter(({ status }) => status === 401).length, 1); // the ping
  });

  it('backs off from the limit of abuse, and ends well', async () => {
    await start({ abuseAfter: { requests: 40, seconds: 1 } });
    const { code, stderr } = await push(FLEET);
    equal(code, 0, stderr);
    deepEqual(wrongAt(hub.store, FLEET), []);
    ok(hub.requests.registry.some(({ status }) => status === 429));
  });

  for (const [what, key] of [
    ['as docker writes it', 'https://index.docker.io/v1/'],
    ['as podman writes it', 'docker.io'],
    ['by the name of the host', 'registry-1.docker.io'],
  ] as const) {
    it(`finds the login ${what}`, async () => {
      await start();
      const file = join(dir.path, 'auth.json');
      await writeFile(file, JSON.stringify({ auths: { [key]: { auth: btoa(`acme:${PAT}`) } } }));
      const { code, stderr } = await push(FLEET.slice(0, 1), ['--dest-authfile', file], {});
      equal(code, 0, stderr);
    });
  }
});

describe('an unchanged sync to Docker Hub', () => {
  it('asks for those tags of which the API says no digest, or an old one', async () => {
    const oldTags = new Set(['acme/app:v3']);
    const apiLagging = new Map([['acme/app:v7', image({ seed: 'old' }).root.digest]]);
    await start({ oldTags, apiLagging });
    equal((await push(FLEET)).code, 0);
    hub.resetRequests();
    const { code, stdout } = await push(FLEET);
    equal(code, 0);
    match(stdout, /10 unchanged/);
    deepEqual(heads(), ['v3', 'v7']);
  });

  it('asks for each tag when the API fails, and says so once', async () => {
    await start();
    equal((await push(FLEET)).code, 0);
    hub.resetRequests();
    hub.setFaults({ api: [{ match: {}, times: Infinity, effect: { status: 503 } }] });
    const { code, stdout, stderr } = await push(FLEET, ['--retry-times', '1']);
    equal(code, 0, stderr);
    match(stdout, /10 unchanged/);
    equal(heads().length, 10);
    equal(stderr.match(/no digests in bulk: each tag is asked for by itself/g)?.length, 1);
  });

  it('sees private repositories by its login', async () => {
    await start({ privateRepositories: new Set(['acme/app']) });
    equal((await push(FLEET)).code, 0);
    hub.resetRequests();
    match((await push(FLEET)).stdout, /10 unchanged/);
    deepEqual(heads(), []);
  });

  it('keeps to the pace of the API', async () => {
    await start({ apiRateLimit: { requests: 2, seconds: 2 } });
    const tags = ['a', 'b', 'c'].flatMap((name) =>
      FLEET.slice(0, 4).map(({ tag, image: built }) => ({
        repository: `acme/${name}`,
        tag,
        image: built,
      })),
    );
    equal((await push(tags)).code, 0);
    hub.resetRequests();
    const { code, stdout, stderr } = await push(tags);
    equal(code, 0, stderr);
    match(stdout, /12 unchanged/);
    deepEqual(heads(), []);
  });
});

describe('a crawl of Docker Hub', () => {
  it('takes a name without a slash for one of the library', async () => {
    await start();
    seedTags(
      hub.store,
      FLEET.map(({ tag, image: built }) => ({ repository: 'library/redis', tag, image: built })),
    );
    const { code, stderr } = await run([
      'crawl',
      '--registry',
      'docker.io',
      '--repository',
      'redis',
    ]);
    equal(code, 0, stderr);
    const csv = await readFile(join(dir.path, 'repositories.csv'), 'utf8');
    equal(csv, 'namespace,name\r\nlibrary,redis\r\n');
    equal(hub.pulls.count(), 0);
  });

  it('needs a namespace for a list', async () => {
    await start();
    const { code, stderr } = await run(['crawl', '--registry', 'docker.io']);
    equal(code, 1);
    match(stderr, /Docker Hub lists the repositories of a namespace only: give --namespace NAME/);
  });

  it('reads the names from the registry and asks for digests when the API fails', async () => {
    await start();
    seedTags(hub.store, FLEET);
    hub.setFaults({ api: [{ match: {}, times: Infinity, effect: { status: 500 } }] });
    const args = ['crawl', '--registry', 'docker.io', '--repository', 'acme/app'];
    const { code, stderr } = await run([...args, '--retry-times', '1']);
    equal(code, 0, stderr);
    match(stderr, /no digests in bulk: each tag is asked for/);
    const rows = (await readFile(join(dir.path, 'tags.csv'), 'utf8')).split('\r\n').slice(1, -1);
    deepEqual(
      rows.map((row) => row.split(',').at(-1)).toSorted(),
      FLEET.map((one) => one.image.root.digest).toSorted(),
    );
    equal(hub.pulls.count(), 0);
  });
});
