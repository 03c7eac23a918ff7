/** Several runs at once: on one target, in one directory, and beside a crawl that puts new files. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';

import { runCli, startCli, type CliResult } from '../support/cli.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { fleet } from '../support/fleet.ts';
import { artifact, cosignSignature, cosignTag, image } from '../support/images.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { createStore, putImage } from '../support/registry/store.ts';
import { missingOf, seedTags, tagsCsv, wrongAt } from '../support/synced.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const TAGS = fleet(6, 4);
const SUBJECT = image({ seed: 'signed' });
const SIGNED = { repository: 'acme/signed', tag: '1', image: SUBJECT };
const SIGNATURE = cosignSignature(SUBJECT.root.digest);
const SBOMS = ['one', 'two', 'three'].map((seed) =>
  artifact({ artifactType: 'application/spdx+json', subject: SUBJECT.root, seed }),
);
const ROWS = [...TAGS, SIGNED];
/** Of each answer, so that runs which start together stay together. */
const LATENCY_MS = 8;

const STORE = createStore();
let source: Registry;
let dir: TempDir;

before(async () => {
  seedTags(STORE, ROWS);
  putImage(STORE, 'acme/signed', cosignTag(SUBJECT.root.digest), SIGNATURE);
  for (const sbom of SBOMS) putImage(STORE, 'acme/signed', undefined, sbom);
  source = await startRegistry({ store: STORE, latencyMs: LATENCY_MS });
});
after(() => source.close());
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir[Symbol.asyncDispose]());

/** Two syncs to `host` at once, each with a directory of its own. */
async function syncTwice(host: string, ...words: string[]): Promise<CliResult[]> {
  const runs = ['a', 'b'].map(async (name) => {
    const workdir = join(dir.path, name);
    await mkdir(workdir);
    await writeFile(join(workdir, 'tags.csv'), tagsCsv(ROWS));
    const pair = ['--source-registry', source.host, '--target-registry', host];
    return runCli(['sync', ...pair, '--workdir', workdir, ...words]);
  });
  return Promise.all(runs);
}

/** Both did all their rows, and neither found all of them done by the other. */
function expectBothDone(results: readonly CliResult[]): void {
  for (const { code, stdout, stderr } of results) {
    equal(code, 0, stderr);
    const [, copied] = /^25 rows: (\d+) copied, \d+ unchanged, 0 failed;/.exec(stdout) ?? [];
    ok(Number(copied) > 0, stdout);
  }
}

describe('two syncs on one target at once', () => {
  for (const options of [{}, { referrersApi: false }, { mount: 'declined' as const }]) {
    it(`both end well, and all is there: ${JSON.stringify(options)}`, async () => {
      const target = await startRegistry({ latencyMs: LATENCY_MS, ...options });
      try {
        expectBothDone(await syncTwice(target.host, '--jobs', '8'));

        deepEqual(wrongAt(target.store, ROWS), []);
        for (const attached of [SIGNATURE, ...SBOMS]) {
          deepEqual(missingOf(target.store, 'acme/signed', attached), []);
        }
        if (options.referrersApi === false) deepEqual(listedAt(target).toSorted(), sbomDigests());
        equal(target.pendingUploads(), 0);
      } finally {
        await target.close();
      }
    });
  }

  it('both end well at docker-registry', async () => {
    await using target = await startDockerRegistry();

    expectBothDone(await syncTwice(target.host, '--jobs', '8'));

    for (const { repository, tag, image: built } of ROWS) {
      const url = `${target.origin}/v2/${repository}/manifests/${tag}`;
      const response = await fetch(url, { headers: { accept: built.root.mediaType } });
      const bytes = Buffer.from(await response.arrayBuffer());
      const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      equal(digest, built.root.digest, `${repository}:${tag}`);
    }
  });
});

const sbomDigests = (): string[] => SBOMS.map(({ root }) => root.digest).toSorted();

/** What the tag that stands in for the referrers API lists. */
function listedAt(target: Registry): string[] {
  const repository = target.store.repositories.get('acme/signed');
  const digest = repository?.tags.get(SUBJECT.root.digest.replace(':', '-')) ?? '';
  const { manifests } = JSON.parse(repository?.manifests.get(digest)?.bytes.toString() ?? '{}') as {
    manifests: { digest: string }[];
  };
  return manifests.map((listed) => listed.digest);
}

describe('two syncs in one directory at once', () => {
  it('do not write into each other: results.csv is of one of them, and whole', async () => {
    const target = await startRegistry();
    await writeFile(join(dir.path, 'tags.csv'), tagsCsv(ROWS));
    const pair = ['--source-registry', source.host, '--target-registry', target.host];
    const args = ['sync', ...pair, '--workdir', dir.path];

    const results = await Promise.all([runCli(args), runCli(args)]).finally(() => target.close());
    for (const { code, stderr } of results) equal(code, 0, stderr);

    const text = await readFile(join(dir.path, 'results.csv'), 'utf8');
    const rows = text.trimEnd().split('\r\n').slice(1);
    equal(rows.length, ROWS.length);
    equal(new Set(rows.map((row) => row.split(',').slice(0, 3).join())).size, ROWS.length);
  });
});

describe('two crawls into one directory at once', () => {
  it('both end well, and leave whole files', async () => {
    const args = ['crawl', '--registry', source.host, '--workdir', dir.path];

    const results = await Promise.all([runCli(args), runCli(args)]);

    for (const { code, stderr } of results) equal(code, 0, stderr);
    deepEqual((await readdir(dir.path)).toSorted(), ['crawl.json', 'repositories.csv', 'tags.csv']);
    const rows = (await readFile(join(dir.path, 'tags.csv'), 'utf8')).trimEnd().split('\r\n');
    equal(rows.length, 1 + ROWS.length + 1); // the signature's tag too
  });
});

describe('a sync beside a crawl', () => {
  it('goes on with the rows it began with', async () => {
    const target = await startRegistry({ latencyMs: LATENCY_MS });
    const path = join(dir.path, 'tags.csv');
    await writeFile(path, tagsCsv(ROWS));
    const pair = ['--source-registry', source.host, '--target-registry', target.host];
    const { result } = await startCli(['sync', ...pair, '--workdir', dir.path, '--jobs', '1']);
    while (target.requests.length < 10) await new Promise((wake) => setTimeout(wake, 5));
    await writeFile(`${path}.new`, tagsCsv(ROWS.slice(0, 1)));
    await rename(`${path}.new`, path);

    const { code, stdout, stderr } = await result;

    equal(code, 0, stderr);
    match(stdout, /^25 rows: 25 copied/);
    deepEqual(wrongAt(target.store, ROWS), []);
    await target.close();
  });
});
