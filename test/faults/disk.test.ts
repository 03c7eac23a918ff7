/**
 * Disks that are full or read-only: what is said, what is kept, and that copying does not depend on a
 * file of results.
 */
import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import { runCli, type CliResult } from '../support/cli.ts';
import { artifact } from '../support/images.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { createStore } from '../support/registry/store.ts';
import { seedTags, tagsCsv, wrongAt } from '../support/synced.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { mountTmpfs, type Tmpfs, type TmpfsOptions } from '../support/tmpfs.ts';

const FILES = ['repositories.csv', 'tags.csv'] as const;
const OLD = 'from an earlier crawl\r\n';
const SMALL = artifact({ artifactType: 'application/vnd.test', payload: 'small' });
/** Long names, so that results.csv has more bytes than are written at once. */
const TAGS = Array.from({ length: 150 }, (_, n) => ({
  repository: `acme/r${n % 3}`,
  tag: `${'t'.repeat(100)}-${n}`,
  image: SMALL,
}));
const CSV = tagsCsv(TAGS);

const STORE = createStore();
let source: Registry;
let target: Registry;
let dir: TempDir;

before(async () => {
  seedTags(STORE, TAGS);
  source = await startRegistry({ store: STORE });
});
after(() => source.close());
beforeEach(async () => {
  source.setFaults([]);
  source.resetRequests();
  target = await startRegistry();
  dir = await tempDir();
});
afterEach(async () => {
  await target.close();
  await dir[Symbol.asyncDispose]();
});

function crawl(workdir: string, ...words: string[]): Promise<CliResult> {
  return runCli(['crawl', '--registry', source.host, '--workdir', workdir, ...words]);
}

function syncArgs(workdir: string, ...words: string[]): string[] {
  const pair = ['--source-registry', source.host, '--target-registry', target.host];
  return ['sync', ...pair, '--workdir', workdir, '--retry-times', '0', '--quiet', ...words];
}

/** A small disk; the test is skipped where there can be none. */
async function disk(t: TestContext, options: TmpfsOptions): Promise<Tmpfs | undefined> {
  const mounted = await mountTmpfs(options);
  if (mounted === undefined) t.skip('may not mount a file system');
  else t.after(() => mounted[Symbol.asyncDispose]());
  return mounted;
}

async function putOldFiles(path: string): Promise<void> {
  for (const name of FILES) await writeFile(join(path, name), OLD);
}

/** The old files are as they were, and there are no others but these. */
async function expectOldFiles(path: string, ...others: string[]): Promise<void> {
  for (const name of FILES) equal(await readFile(join(path, name), 'utf8'), OLD, name);
  deepEqual((await readdir(path)).toSorted(), [...FILES, ...others].toSorted());
}

/** Ended as people are told: with 1, and one line that names the file and the reason. */
function expectSaid({ code, stderr }: CliResult, message: RegExp): void {
  equal(code, 1, stderr);
  match(stderr, message);
  doesNotMatch(stderr, /\n +at |this is a bug/);
}

describe('crawl on a full disk', () => {
  it('says so, and keeps the old files', async (t) => {
    const full = await disk(t, { bytes: 64 * 1024 });
    if (full === undefined) return;
    await putOldFiles(full.path);
    await full.fill();

    expectSaid(await crawl(full.path), /can't write \S+\/repositories\.csv: the disk is full/);
    await expectOldFiles(full.path, 'filler');
  });

  it('that has room for one of the files keeps both old ones', async (t) => {
    const full = await disk(t, { bytes: 64 * 1024 });
    if (full === undefined) return;
    await putOldFiles(full.path);
    await full.fill(2 * 4096); // and for the record

    expectSaid(await crawl(full.path), /can't write \S+\/tags\.csv: the disk is full/);
    await expectOldFiles(full.path, 'filler', 'crawl.json');
  });

  it('reads no further once a file can not grow', async (t) => {
    const full = await disk(t, { bytes: 64 * 1024 });
    if (full === undefined) return;
    await putOldFiles(full.path);
    await full.fill(3 * 4096);
    const many = createStore();
    const tags = Array.from({ length: 3000 }, (_, n) => ({ ...TAGS[0]!, tag: `v${n}` }));
    seedTags(many, tags);
    const large = await startRegistry({ store: many });
    t.after(() => large.close());

    const args = ['crawl', '--registry', large.host, '--workdir', full.path];
    expectSaid(await runCli(args), /can't write \S+\/tags\.csv: the disk is full/);
    ok(large.requests.length < 1500, `${large.requests.length} requests`);
    await expectOldFiles(full.path, 'filler', 'crawl.json');
  });

  it('that can hold no more files is found before the registry is asked', async (t) => {
    const full = await disk(t, { bytes: 64 * 1024, files: 3 });
    if (full === undefined) return;
    await putOldFiles(full.path);

    expectSaid(await crawl(full.path), /can't write \S+\/repositories\.csv: the disk is full/);
    await expectOldFiles(full.path);
    equal(source.requests.length, 0);
  });

  it('is well once there is room again', async (t) => {
    const full = await disk(t, { bytes: 64 * 1024 });
    if (full === undefined) return;
    await full.fill();
    equal((await crawl(full.path)).code, 1);
    await rm(join(full.path, 'filler'));

    equal((await crawl(full.path)).code, 0);
    deepEqual((await readdir(full.path)).toSorted(), ['crawl.json', ...FILES]);
  });
});

describe('crawl into a directory', () => {
  it('on a read-only disk says so before the registry is asked', async (t) => {
    const readOnly = await disk(t, { bytes: 64 * 1024 });
    if (readOnly === undefined) return;
    await putOldFiles(readOnly.path);
    await readOnly.makeReadOnly();

    const said = /can't write \S+\/repositories\.csv: the file system is read-only/;
    expectSaid(await crawl(readOnly.path), said);
    await expectOldFiles(readOnly.path);
    equal(source.requests.length, 0);
  });

  it('that is removed meanwhile names the file that could not be put', async () => {
    const workdir = join(dir.path, 'removed');
    source.setFaults([{ match: { path: /r2\/tags/ }, effect: { delayMs: 1500 } }]);
    const running = crawl(workdir);
    while (!source.requests.some(({ path }) => path.includes('r2/tags'))) {
      await new Promise((wake) => setTimeout(wake, 10));
    }
    await rm(workdir, { recursive: true });

    const said = /can't write \S+\/repositories\.csv: there is no such directory/;
    expectSaid(await running, said);
  });
});

describe('sync that can not write its results', () => {
  it('as the disk is full copies all the same, and says so at the end', async (t) => {
    const full = await disk(t, { bytes: 128 * 1024 });
    if (full === undefined) return;
    await writeFile(join(full.path, 'tags.csv'), CSV);
    await full.fill();

    const summary = join(dir.path, 'summary.json');
    const result = await runCli(syncArgs(full.path, '--summary', summary));

    expectSaid(result, /can't write \S+\/results\.csv: the disk is full/);
    match(result.stdout, /^150 rows: 150 copied, 0 unchanged, 0 failed;/);
    deepEqual(wrongAt(target.store, TAGS), []);
    equal((JSON.parse(await readFile(summary, 'utf8')) as { copied: number }).copied, 150);
    equal(await readFile(join(full.path, 'tags.csv'), 'utf8'), CSV);
  });

  it('as the disk fills up on the way does not wait for it', async (t) => {
    const full = await disk(t, { bytes: 128 * 1024 });
    if (full === undefined) return;
    await writeFile(join(full.path, 'tags.csv'), CSV);
    await full.fill(8192);

    const result = await runCli(syncArgs(full.path), { timeoutMs: 30_000 });

    expectSaid(result, /can't write \S+\/results\.csv: the disk is full/);
    match(result.stdout, /^150 rows: 150 copied/);
    deepEqual(wrongAt(target.store, TAGS), []);
  });

  it('as they go to a device that is full copies all the same', async () => {
    await writeFile(join(dir.path, 'tags.csv'), CSV);
    await symlink('/dev/full', join(dir.path, 'results.csv'));

    const result = await runCli(syncArgs(dir.path));

    expectSaid(result, /can't write \S+\/results\.csv: the disk is full/);
    deepEqual(wrongAt(target.store, TAGS), []);
  });

  it('as the file may not grow copies all the same', async () => {
    await writeFile(join(dir.path, 'tags.csv'), CSV);

    const result = await limited(syncArgs(dir.path));

    expectSaid(result, /can't write \S+\/results\.csv: \w/);
    deepEqual(wrongAt(target.store, TAGS), []);
  });

  it('as the disk is read-only copies nothing', async (t) => {
    const readOnly = await disk(t, { bytes: 128 * 1024 });
    if (readOnly === undefined) return;
    await writeFile(join(readOnly.path, 'tags.csv'), CSV);
    await readOnly.makeReadOnly();

    const result = await runCli(syncArgs(readOnly.path));

    expectSaid(result, /can't write \S+\/results\.csv: the file system is read-only/);
    deepEqual([result.stdout, source.requests.length, target.requests.length], ['', 0, 0]);
  });
});

/** A process whose files may have at most so many KiB, and that is told so by a failure, not by a signal. */
async function limited(args: readonly string[]): Promise<CliResult> {
  const main = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
  const script = 'trap "" XFSZ; ulimit -f 8; exec "$@"';
  const child = spawn('bash', ['-c', script, 'bash', process.execPath, main, ...args]);
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  const stdoutBytes = Buffer.from(output.stdout);
  return { ...output, stdoutBytes, code: code ?? undefined, signal: undefined };
}

describe('sync from and to other disks', () => {
  it('reads its rows from a read-only one', async (t) => {
    const readOnly = await disk(t, { bytes: 128 * 1024 });
    if (readOnly === undefined) return;
    const rows = join(readOnly.path, 'tags.csv');
    await writeFile(rows, CSV);
    await readOnly.makeReadOnly();

    equal((await runCli(syncArgs(dir.path, '--tags-file', rows))).code, 0);
    deepEqual(wrongAt(target.store, TAGS), []);
  });

  it('says that there is no room for a summary, and has written its results', async (t) => {
    const full = await disk(t, { bytes: 64 * 1024 });
    if (full === undefined) return;
    await full.fill();
    await writeFile(join(dir.path, 'tags.csv'), CSV);

    const result = await runCli(syncArgs(dir.path, '--summary', join(full.path, 'summary.json')));

    expectSaid(result, /can't write \S+\/summary\.json: the disk is full/);
    equal((await readFile(join(dir.path, 'results.csv'), 'utf8')).split('\r\n').length, 152);
    deepEqual(await readdir(full.path), ['filler']);
  });

  it('does its work when nobody can read what it says', async () => {
    await writeFile(join(dir.path, 'tags.csv'), CSV);
    const main = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
    const full = openSync('/dev/full', 'w');
    const args = [main, ...syncArgs(dir.path), '--debug'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', full, full] });
    const [code] = (await once(child, 'exit')) as [number | null];
    closeSync(full);

    equal(code, 0);
    deepEqual(wrongAt(target.store, TAGS), []);
  });
});
