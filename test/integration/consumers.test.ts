/**
 * What we write can be read: skopeo copies every kind of image from our target into a directory, and
 * other ways of access to a registry work like the plain one.
 */
import { deepEqual, equal, match } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { runCli } from '../support/cli.ts';
import { startCountingProxy } from '../support/counting-proxy.ts';
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts';
import { everyKind, fleet } from '../support/fleet.ts';
import { foreignLayer, image } from '../support/images.ts';
import { push } from '../support/push.ts';
import { rawDigest, skopeo } from '../support/skopeo.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { startTokenServer } from '../support/token-server.ts';

const KINDS = everyKind();
const FLAGS = ['--tls-verify=false'];

let home: TempDir;
let source: DockerRegistry;
let target: DockerRegistry;

before(async () => {
  home = await tempDir();
  [source, target] = await Promise.all([startDockerRegistry(), startDockerRegistry()]);
  for (const [tag, built] of Object.entries(KINDS)) {
    await push(source.origin, 'acme/kinds', tag, built);
  }
});

after(async () => {
  await Promise.all([source.stop(), target.stop()]);
  await home[Symbol.asyncDispose]();
});

/** Crawls `from`, syncs it to `to`, and expects both to go well. */
async function crawlAndSync(
  from: string,
  to: string,
  more: readonly string[] = [],
): Promise<string> {
  const workdir = ['--workdir', home.path];
  const crawled = await runCli(['crawl', '--registry', from, ...workdir]);
  equal(crawled.code, 0, crawled.stderr);
  const pair = ['--source-registry', from, '--target-registry', to];
  const synced = await runCli(['sync', ...pair, ...workdir, ...more]);
  equal(synced.code, 0, synced.stderr + synced.stdout);
  return synced.stdout;
}

describe('skopeo reads from our target', () => {
  before(async () => {
    await crawlAndSync(source.host, target.host);
  });

  for (const [tag, built] of Object.entries(KINDS)) {
    it(`an image of the kind ${tag.slice(0, 20)}`, async () => {
      const reference = `docker://${target.host}/acme/kinds:${tag}`;
      equal(await rawDigest(reference, FLAGS), built.root.digest);

      const directory = join(home.path, `dir-${tag}`);
      await skopeo(['copy', '--all', '--src-tls-verify=false', reference, `dir:${directory}`]);

      deepEqual(await readFile(join(directory, 'manifest.json')), built.root.bytes);
    });
  }
});

describe('a registry that is both source and target', () => {
  it('links the blobs and moves none', async () => {
    const args = ['--target-namespace', 'mirror'];
    const stdout = await crawlAndSync(source.host, source.host, args);

    match(stdout, / 0 B moved, [\d.]+ kB saved by mounts/);
    for (const [tag, built] of Object.entries(KINDS)) {
      const digest = await rawDigest(`docker://${source.host}/mirror/kinds:${tag}`, FLAGS);
      equal(digest, built.root.digest);
    }
  });
});

describe('an image with a foreign layer', () => {
  it('arrives with its layer still a URL', async () => {
    const built = image({ layers: [foreignLayer({ mediaTypes: 'docker' })], mediaTypes: 'docker' });
    await push(source.origin, 'acme/windows', 'v1', built);
    const csv = `namespace,repo_name,name,digest\nacme,windows,v1,${built.root.digest}\n`;
    await writeFile(join(home.path, 'windows.csv'), csv);
    const pair = ['--source-registry', source.host, '--target-registry', target.host];
    const file = ['--tags-file', join(home.path, 'windows.csv'), '--workdir', home.path];

    const { code, stderr } = await runCli(['sync', ...pair, ...file]);

    equal(code, 0, stderr);
    equal(await rawDigest(`docker://${target.host}/acme/windows:v1`, FLAGS), built.root.digest);
  });
});

describe('a registry with a token server', () => {
  it('costs a token per repository and action, not one per image', async () => {
    const may = { name: /.*/, actions: ['pull', 'push'] };
    const users = { ci: { password: 'se:cret/ü', grants: [may] } };
    await using tokens = await startTokenServer({ users });
    await using guarded = await startDockerRegistry({ token: tokens.auth });
    await using proxy = await startCountingProxy(guarded.origin);
    const repositories = 4;
    const tags = fleet(repositories, 5);
    await using plain = await startDockerRegistry();
    for (const { repository, tag, image: built } of tags) {
      await push(plain.origin, repository, tag, built);
    }
    const workdir = ['--workdir', home.path];
    await runCli(['crawl', '--registry', plain.host, ...workdir]);
    const pair = ['--source-registry', plain.host, '--target-registry', proxy.host];
    const env = { TARGET_USERNAME: 'ci', TARGET_PASSWORD: 'se:cret/ü' };

    const first = await runCli(['sync', ...pair, ...workdir], { env });
    equal(first.code, 0, first.stderr);
    const asked = tokens.requests.length;
    const second = await runCli(['sync', ...pair, ...workdir], { env });

    match(second.stdout, /^20 rows: 0 copied, 20 unchanged/);
    equal(tokens.requests.length - asked, repositories);
  });
});
