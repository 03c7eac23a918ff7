/** prune at registries that take tags away by APIs of their own: Azure's, and Docker Hub. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';

import { startAcr, type Acr } from '../support/acr/acr.ts';
import { runCli, type CliResult } from '../support/cli.ts';
import { startDockerHub, type DockerHub } from '../support/docker-hub/docker-hub.ts';
import { DOCKER_HUB_NAMES, type DockerHubOptions } from '../support/docker-hub/options.ts';
import { cosignSignature, cosignTag, image, type BuiltImage } from '../support/images.ts';
import { runHere, type InProcessResult } from '../support/in-process.ts';
import { startNamesProxy, type NamesProxy } from '../support/names-proxy.ts';
import type { RequestRecord } from '../support/registry/listener.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { putImage, repositoryOf, type Store } from '../support/registry/store.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { createCertificates, type Certificates } from '../support/tls.ts';

const APP = 'acme/app';
const SAME = image({ seed: 'same' });
const OLD = image({ seed: 'old' });
const LOGIN = { TARGET_USERNAME: 'acme', TARGET_PASSWORD: 'dckr_pat_1' };
const PLAN = ['--plan', 'prune.csv', '--apply', 'prune.csv'];

let dir: TempDir;
let source: Registry;

beforeEach(async () => {
  dir = await tempDir();
  source = await startRegistry();
});
afterEach(async () => {
  await source.close();
  await dir[Symbol.asyncDispose]();
});

/** Ten tags on both sides and, at the target alone, an old image and another name of one that stays. */
async function seed(store: Store): Promise<void> {
  const both = (tag: string, one: BuiltImage): void => {
    putImage(source.store, APP, tag, one);
    putImage(store, APP, tag, one);
  };
  for (let n = 0; n < 20; n += 1) both(`v${n}`, image({ seed: `${n}` }));
  both('current', SAME);
  putImage(store, APP, 'old-name', SAME);
  putImage(store, APP, 'gone', OLD);
  const words = ['--registry', source.host, '--workdir', dir.path, '--quiet'];
  const { code, stderr } = await runHere(['crawl', ...words]);
  equal(code, 0, stderr);
}

const deleted = (requests: readonly RequestRecord[]): string[] =>
  requests
    .filter(({ method, status }) => method === 'DELETE' && status < 300)
    .map(({ path }) => path)
    .toSorted();

describe('prune at Azure', () => {
  let acr: Acr;
  beforeEach(async () => {
    acr = await startAcr({ users: { acme: { password: 'dckr_pat_1' } } });
  });
  afterEach(() => acr.close());

  const prune = (...words: string[]): Promise<InProcessResult> => {
    const ends = ['--target-registry', acr.host, '--target-registry-kind', 'acr'];
    const plan = ['--plan', join(dir.path, 'prune.csv'), '--apply', join(dir.path, 'prune.csv')];
    const where = ['--workdir', dir.path, '--quiet'];
    return runHere(['prune', ...ends, ...where, ...plan, ...words], LOGIN);
  };

  it("takes a tag away by Azure's API where its image stays, and else deletes the image", async () => {
    await seed(acr.store);

    const { code, stdout, stderr } = await prune();

    equal(code, 0, stderr);
    match(stdout, /2 rows: 2 deleted, 0 failed/);
    deepEqual(deleted(acr.requests), [
      `/acr/v1/${APP}/_tags/old-name`,
      `/v2/${APP}/manifests/${OLD.root.digest}`,
    ]);
    equal(repositoryOf(acr.store, APP).tags.get('current'), SAME.root.digest);
    equal(repositoryOf(acr.store, APP).manifests.has(OLD.root.digest), false);
  });

  it('knows from the list when tags were updated', async () => {
    await seed(acr.store);

    const { code, stderr } = await prune('--min-age', '9999');

    equal(code, 0, stderr);
    const text = await readFile(join(dir.path, 'prune.csv'), 'utf8');
    equal(
      text.match(/# stays: acme\/app:\S+ is of \S+, less than 9999 days ago/g)?.length,
      2,
      text,
    );
    equal(acr.requests.filter(({ path }) => path.includes('/blobs/')).length, 0);
  });

  it('goes on where an image is locked', async () => {
    await seed(acr.store);
    acr.metadata.tag(APP, 'old-name').attributes.deleteEnabled = false;

    const { code, stdout } = await prune();

    equal(code, 3);
    match(stdout, /2 rows: 1 deleted, 1 failed/);
    match(
      await readFile(join(dir.path, 'prune-results.csv'), 'utf8'),
      /old-name,\S+,failed,.*locked/,
    );
  });
});

let certificates: Certificates;
let home: TempDir;
let hub: DockerHub;
let proxy: NamesProxy;
before(async () => {
  home = await tempDir();
  certificates = await createCertificates(home.path, DOCKER_HUB_NAMES);
});
after(() => home[Symbol.asyncDispose]());

const start = async (options: DockerHubOptions = {}): Promise<void> => {
  const [key, cert] = [certificates.serverKey, certificates.serverCert];
  const tls = { key: await readFile(key), cert: await readFile(cert) };
  const accounts = { acme: { password: LOGIN.TARGET_PASSWORD } };
  hub = await startDockerHub({ tls, accounts, ...options });
  proxy = await startNamesProxy(hub.places);
};

const pruneHub = (...words: string[]): Promise<CliResult> =>
  runCli(['prune', '--target-registry', 'docker.io', ...PLAN, ...words], {
    cwd: dir.path,
    env: {
      HTTPS_PROXY: proxy.url,
      NO_PROXY: '127.0.0.1',
      NODE_EXTRA_CA_CERTS: certificates.caCert,
      ...LOGIN,
    },
  });

describe('prune at Docker Hub', () => {
  afterEach(() => Promise.all([hub.close(), proxy.close()]));

  it('takes tags away by the API, which alone gets the login', async () => {
    await start();
    await seed(hub.store);
    for (const one of [SAME, OLD]) {
      putImage(hub.store, APP, cosignTag(one.root.digest), cosignSignature(one.root.digest));
    }

    const { code, stdout, stderr } = await pruneHub('--max-percent', '20');

    equal(code, 0, stderr);
    match(stdout, /3 rows: 3 deleted, 0 failed/);
    deepEqual(deleted(hub.requests.api), [
      `/v2/repositories/${APP}/tags/gone/`,
      `/v2/repositories/${APP}/tags/old-name/`,
      `/v2/repositories/${APP}/tags/${cosignTag(OLD.root.digest)}/`,
    ]);
    ok(
      hub.requests.api
        .filter(({ method }) => method === 'DELETE')
        .every(({ headers }) => headers.authorization?.startsWith('Bearer ') === true),
    );
    deepEqual(
      hub.requests.registry.filter(({ method }) => method === 'DELETE'),
      [],
    );
    const tags = repositoryOf(hub.store, APP).tags;
    deepEqual([tags.has('current'), tags.has(cosignTag(SAME.root.digest))], [true, true]);
  });

  it('says which access token is needed, and tries no more', async () => {
    await start({ accounts: { acme: { password: LOGIN.TARGET_PASSWORD, may: 'push' } } });
    await seed(hub.store);

    const { code, stderr } = await pruneHub('--jobs', '1');

    equal(code, 1);
    match(
      stderr,
      /an access token has to be one for «Read, Write, Delete»\. Nothing more is tried/,
    );
    equal(hub.requests.api.filter(({ method }) => method === 'DELETE').length, 1);
    ok(repositoryOf(hub.store, APP).tags.has('gone'));
  });
});

describe('prune at Docker Hub', () => {
  afterEach(() => Promise.all([hub.close(), proxy.close()]));

  it('deletes nothing as nobody where the login is refused', async () => {
    await start();
    await seed(hub.store);
    const login = { match: { path: /auth\/token/ }, times: Infinity, effect: { status: 401 } };
    hub.setFaults({ api: [login] });

    const { code, stderr } = await pruneHub('--jobs', '1');

    equal(code, 1);
    match(stderr, /Docker Hub's API deletes for nobody without a login/);
    equal(hub.requests.api.filter(({ method }) => method === 'DELETE').length, 0);
    ok(repositoryOf(hub.store, APP).tags.has('gone'));
  });

  it('waits where the API asks for it', async () => {
    await start();
    await seed(hub.store);
    hub.setFaults({
      api: [
        { match: { method: 'DELETE' }, effect: { status: 429, headers: { 'Retry-After': '1' } } },
      ],
    });

    const { code, stderr } = await pruneHub();

    equal(code, 0, stderr);
    equal(repositoryOf(hub.store, APP).tags.has('gone'), false);
  });
});
