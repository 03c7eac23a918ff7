/**
 * The image at work: with a read-only root, no capabilities and no new privileges, against real
 * registries on the loopback device.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { container, dataDirectory } from '../support/containers/container.ts';
import { podman } from '../support/containers/engine.ts';
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts';
import { fleet } from '../support/fleet.ts';
import { image } from '../support/images.ts';
import { push } from '../support/push.ts';
import { startRegistry } from '../support/registry/registry.ts';
import { rawDigest } from '../support/skopeo.ts';
import { seedTags, tagsCsv } from '../support/synced.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const TAGS = fleet(3, 3);
const MAX_START_MS = 500;
/** Far less than what is waited for before SIGKILL. */
const PROMPT_MS = 8000;

let home: TempDir;
let source: DockerRegistry;
let target: DockerRegistry;

before(async () => {
  home = await tempDir();
  [source, target] = await Promise.all([startDockerRegistry(), startDockerRegistry()]);
  for (const { repository, tag, image: one } of TAGS) {
    await push(source.origin, repository, tag, one);
  }
});
after(async () => {
  await Promise.all([source.stop(), target.stop()]);
  await home[Symbol.asyncDispose]();
});

describe('the image', () => {
  it('says its version, and nothing on stderr', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    const { code, stdout, stderr } = await container(['--version']);
    deepEqual({ code, stderr }, { code: 0, stderr: '' });
    match(stdout, new RegExp(`^registry-sync version ${version.replaceAll('.', '\\.')}\\b`));
  });

  it('shows its help when it is told nothing', async () => {
    const { code, stdout } = await container([]);
    equal(code, 0);
    match(stdout, /crawl[^]*sync/);
  });

  it(`starts in less than ${MAX_START_MS} ms`, async (t) => {
    const script = `for words in --version 'sync --help'; do for n in 1 2 3; do
      start=$(date +%s%N); registry-sync $words > /dev/null; end=$(date +%s%N)
      echo $(( (end - start) / 1000000 )) "$words"; done; done`;
    const { stdout } = await container(['-c', script], { entrypoint: 'sh' });
    const runs = stdout.trimEnd().split('\n');
    t.diagnostic(runs.join(', '));
    equal(runs.length, 6);
    for (const words of ['--version', 'sync --help']) {
      const times = runs.filter((line) => line.endsWith(words)).map((line) => parseInt(line, 10));
      ok(Math.min(...times) < MAX_START_MS, runs.join(', '));
    }
  });
});

describe('crawl and sync in the image', () => {
  // As the CronJob starts them, by their bare names; as Kubernetes does, and as OpenShift does.
  for (const [who, uid, gid] of [
    ['its own user', 1000, 1000],
    ['any user', 1000680000, 0],
  ] as const) {
    it(`work as ${who}, and write into the working directory only`, async () => {
      const data = await dataDirectory(join(home.path, `data-${uid}`), [uid, gid]);
      const how = { data, network: 'host', user: `${uid}:${gid}` } as const;

      const crawl = ['--registry', source.host, '--workdir', '/data'];
      const crawled = await container(crawl, { ...how, entrypoint: 'crawl' });
      deepEqual([crawled.code, crawled.stderr.match(/error/i)], [0, null], crawled.stderr);
      const ends = ['--source-registry', source.host, '--target-registry', target.host];
      const synced = await container(
        [...ends, '--target-namespace', `mirror-${uid}`, '--workdir', '/data'],
        { ...how, entrypoint: 'sync' },
      );

      equal(synced.code, 0, synced.stderr);
      match(synced.stdout, /^9 rows: 9 copied, 0 unchanged, 0 failed; /m);
      const written = await readdir(data);
      for (const name of ['repositories.csv', 'tags.csv', 'results.csv']) {
        ok(written.includes(name), String(written));
        equal((await stat(join(data, name))).uid, uid);
      }
      for (const { repository, tag, image: one } of TAGS) {
        const mirrored = repository.replace('acme/', `mirror-${uid}/`);
        const name = `docker://${target.host}/${mirrored}:${tag}`;
        equal(await rawDigest(name, ['--tls-verify=false']), one.root.digest);
      }
    });
  }

  it('say what they cannot write, where there is no volume', async () => {
    const { code, stderr } = await container(['--registry', source.host], {
      entrypoint: 'crawl',
      network: 'host',
    });
    equal(code, 1);
    match(stderr, /\/data\b|read-only/i);
  });

  it('write into a named volume, which takes its owner from the image', async () => {
    const { code, stderr } = await container(
      ['crawl', '--registry', source.host, '--workdir', '/data'],
      { data: 'registry-sync-named', network: 'host' },
    );
    await podman(['volume', 'rm', 'registry-sync-named']);
    equal(code, 0, stderr);
  });
});

describe('SIGTERM', () => {
  it('reaches sync in the image, which writes its results and ends with 143', async () => {
    await using dir = await tempDir();
    const stall = {
      match: { path: /\/blobs\// },
      times: Infinity,
      effect: { stall: true },
    } as const;
    const slow = await startRegistry({ faults: [stall] });
    const web = { repository: 'acme/web', tag: '1', image: image({ seed: 'slow' }) };
    seedTags(slow.store, [web]);
    const data = await dataDirectory(join(dir.path, 'data'));
    await writeFile(join(data, 'tags.csv'), tagsCsv([web]));
    const ends = ['--source-registry', slow.host, '--target-registry', target.host];
    const name = `stopped-${process.pid}`;
    const running = container([...ends, '--workdir', '/data', '--grace-period', '0'], {
      data,
      name,
      network: 'host',
      entrypoint: 'sync',
    });
    while (!slow.requests.some(({ path }) => path.includes('/blobs/'))) await sleep(20);

    const start = performance.now();
    await podman(['stop', '--time', '20', name]); // SIGTERM, and SIGKILL 20 s later
    const { code, stderr } = await running;
    const tookMs = performance.now() - start;
    await slow.close();

    equal(code, 143, stderr);
    ok(tookMs < PROMPT_MS, `${tookMs} ms`);
    const results = (await readFile(join(data, 'results.csv'), 'utf8')).trimEnd().split('\r\n');
    match(results[1] ?? '', /^acme,web,1,.*,failed,/);
  });
});
