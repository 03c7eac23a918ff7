/** Shares of the work: together they are the whole, and none does another's. */
import { deepEqual, equal, match } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';

import { runCli } from '../support/cli.ts';
import { image, layer } from '../support/images.ts';
import { runHere } from '../support/in-process.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { putImage, repositoryOf } from '../support/registry/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const REPOSITORIES = Array.from({ length: 12 }, (_, n) => `acme/app-${n}`);
const SHARED = layer({ seed: 'shared by all' });
const HEADER = 'namespace,repo_name,name,created_on,last_updated_on,digest';

let source: Registry;
let target: Registry;

before(async () => {
  source = await startRegistry();
  for (const path of REPOSITORIES) {
    for (const tag of ['1', '2']) {
      putImage(source.store, path, tag, image({ seed: `${path}:${tag}`, layers: [SHARED] }));
    }
  }
});
after(() => source.close());
beforeEach(async () => {
  target = await startRegistry();
});
afterEach(() => target.close());

const crawl = (dir: string, ...words: string[]) =>
  runHere(['crawl', '--registry', source.host, '--workdir', dir, '--quiet', ...words]);

function sync(...words: string[]) {
  const ends = ['--source-registry', source.host, '--target-registry', target.host];
  return runHere(['sync', ...ends, '--quiet', ...words]);
}

/** The rows of a CSV, without its header. */
async function rowsOf(dir: string, name = 'tags.csv'): Promise<string[]> {
  const [header, ...rows] = (await readFile(join(dir, name), 'utf8')).trimEnd().split('\r\n');
  if (name === 'tags.csv') equal(header, HEADER);
  return rows;
}

function shardsOf(n: number): string[] {
  return Array.from({ length: n }, (_, index) => `${index}/${n}`);
}

for (const n of [1, 3, 16]) {
  describe(`${n} shards`, () => {
    it('of a crawl have each row of the whole once', async () => {
      await using whole = await tempDir();
      equal((await crawl(whole.path)).code, 0);
      const rows: string[] = [];
      for (const shard of shardsOf(n)) {
        await using dir = await tempDir();
        const { code, stderr } = await crawl(dir.path, '--shard', shard);
        equal(code, 0, stderr);
        rows.push(...(await rowsOf(dir.path)));
      }

      deepEqual(rows.toSorted(), (await rowsOf(whole.path)).toSorted());
    });

    it('of a sync that run at once copy each row once, whatever they share', async () => {
      await using dir = await tempDir();
      equal((await crawl(dir.path)).code, 0);
      const results = await Promise.all(
        shardsOf(n).map(async (shard) => {
          await using own = await tempDir();
          const files = ['--tags-file', join(dir.path, 'tags.csv'), '--workdir', own.path];
          const { code, stderr } = await sync(...files, '--shard', shard);
          equal(code, 0, stderr);
          return rowsOf(own.path, 'results.csv');
        }),
      );

      const done = results.map((rows) => rows.map((row) => row.split(',').slice(0, 3).join('/')));
      equal(done.flat().length, REPOSITORIES.length * 2);
      equal(new Set(done.flat()).size, REPOSITORIES.length * 2);
      for (const path of REPOSITORIES) {
        deepEqual(repositoryOf(target.store, path).tags, repositoryOf(source.store, path).tags);
      }
    });

    it('belong to the same repositories in crawl and in sync', async () => {
      await using dir = await tempDir();
      const shard = `${n - 1}/${n}`;
      equal((await crawl(dir.path, '--shard', shard)).code, 0);
      const crawled = await rowsOf(dir.path);

      const { code } = await sync('--workdir', dir.path, '--shard', shard);

      equal(code, 0);
      equal((await rowsOf(dir.path, 'results.csv')).length, crawled.length);
    });
  });
}

describe('the pods of an Indexed Job', () => {
  const podOf = (index: number) => ({
    JOB_COMPLETION_INDEX: String(index),
    JOB_COMPLETIONS: '3',
  });

  /** Crawls and syncs as a pod does, alone with its directory. */
  async function pod(index: number, dir: string): Promise<{ code: number; rows: string[] }> {
    const ends = ['--source-registry', source.host, '--target-registry', target.host];
    const own = ['--workdir', dir, '--quiet', '--retry-times', '0'];
    const crawled = await runHere(['crawl', '--registry', source.host, ...own], podOf(index));
    equal(crawled.code, 0, crawled.stderr);
    const { code } = await runHere(['sync', ...ends, ...own], podOf(index));
    return { code, rows: await rowsOf(dir, 'results.csv') };
  }

  it('know their shares, and all that one fails to do is its own, until it is tried again', async () => {
    const dirs = await Promise.all([tempDir(), tempDir(), tempDir()]);
    // What only one repository needs is not to be had.
    const broken = `acme/app-${REPOSITORIES.length - 1}`;
    const { digest = '' } = image({ seed: `${broken}:1`, layers: [SHARED] }).root;
    source.setFaults([
      {
        match: { method: 'GET', path: new RegExp(`${broken}/manifests/${digest}`) },
        effect: { status: 500 },
      },
    ]);
    const first = await Promise.all(dirs.map(({ path }, index) => pod(index, path)));

    deepEqual(first.map(({ code }) => code).toSorted(), [0, 0, 3]);
    equal(first.flatMap(({ rows }) => rows).length, REPOSITORIES.length * 2);
    const whole = REPOSITORIES.filter((path) => path !== broken);
    for (const path of whole) {
      deepEqual(repositoryOf(target.store, path).tags, repositoryOf(source.store, path).tags);
    }
    equal(repositoryOf(target.store, broken).tags.has('1'), false);

    source.setFaults([]);
    target.resetRequests();
    const failed = first.findIndex(({ code }) => code === 3);
    const again = await pod(failed, dirs[failed]?.path ?? '');

    equal(again.code, 0);
    deepEqual(repositoryOf(target.store, broken).tags, repositoryOf(source.store, broken).tags);
    const touched = new Set(
      target.requests.flatMap(({ path }) => /^\/v2\/(acme\/[^/]+)/.exec(path)?.[1] ?? []),
    );
    equal(touched.size, again.rows.length / 2, 'only its own repositories');
    for (const dir of dirs) await dir[Symbol.asyncDispose]();
  });
});

describe('a shard', () => {
  it('that is none is an error that says how to write it', async () => {
    const { code, stderr } = await runCli(['crawl', '--registry', source.host, '--shard', '3/3']);

    equal(code, 1);
    match(stderr, /--shard "3\/3": write I\/N, where I counts from 0/);
  });
});
