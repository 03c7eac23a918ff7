/**
 * SIGTERM and SIGINT, whatever the run is doing: nothing new starts, what was done is told, and the
 * end comes when it was promised.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';

import pLimit from 'p-limit';

import type { RunRecord } from '../../src/sync/run-record.ts';
import { startCli, type CliResult } from '../support/cli.ts';
import { fleet } from '../support/fleet.ts';
import { image } from '../support/images.ts';
import { runHere } from '../support/in-process.ts';
import type { Fault } from '../support/registry/faults.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { createStore, snapshot } from '../support/registry/store.ts';
import { spreadPoints } from '../support/seeded.ts';
import { outcomesOf, seedTags, tagsCsv, wrongAt } from '../support/synced.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const SEED = 15;
const AT_ONCE = 4;
/** More than the end of a process takes, less than anything that it could be waiting for. */
const PROMPT_MS = 4000;
const TAGS = fleet(3, 4);
const EACH = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ({
  repository: `each/${name}`,
  tag: '1',
  image: image({ seed: name }),
}));

const STORE = createStore();
let source: Registry;
let target: Registry;
let dir: TempDir;

before(async () => {
  seedTags(STORE, [...TAGS, ...EACH]);
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

interface Summary {
  readonly rows: number;
  readonly copied: number;
  readonly unchanged: number;
  readonly failed: number;
  readonly notStarted: number;
}

const fileIn = (path: string, name: string): Promise<string> => readFile(join(path, name), 'utf8');
const resultsIn = async (path: string) => outcomesOf(await fileIn(path, 'results.csv'));
const summaryIn = async (path: string) => JSON.parse(await fileIn(path, 'summary.json')) as Summary;

function syncArgs(workdir: string, to: Registry, ...words: string[]): string[] {
  const pair = ['--source-registry', source.host, '--target-registry', to.host];
  const files = ['--workdir', workdir, '--summary', join(workdir, 'summary.json')];
  return ['sync', ...pair, ...files, ...words];
}

/** Sends signals to a sync once `isTime`, half a second apart, and tells how long it took from the first on. */
async function stopped(
  words: readonly string[],
  signals: readonly NodeJS.Signals[],
  isTime: () => boolean,
): Promise<CliResult & { readonly afterMs: number }> {
  await writeFile(join(dir.path, 'tags.csv'), tagsCsv(EACH));
  const args = syncArgs(dir.path, target, ...words);
  const { child, result } = await startCli(args, { timeoutMs: 15_000 });
  while (!isTime() && child.exitCode === null) await new Promise((wake) => setTimeout(wake, 5));
  const start = performance.now();
  for (const [at, signal] of signals.entries()) {
    if (at > 0) await new Promise((wake) => setTimeout(wake, 500));
    child.kill(signal);
  }
  const ended = await result;
  return { ...ended, afterMs: performance.now() - start };
}

/** The repositories of which the target was asked anything. */
const touched = (): Set<string | undefined> =>
  new Set(target.requests.map(({ path }) => /each\/\w/.exec(path)?.[0]).filter(Boolean));

const asks =
  (registry: () => Registry, pattern: RegExp, times = 1) =>
  () =>
    registry().requests.filter(({ path }) => pattern.test(path)).length >= times;

describe('a sync that is told to stop', () => {
  it('lets finish what runs, touches no other row, and tells of both', async () => {
    const effect = { delayMs: 700 };
    source.setFaults([{ match: { path: /\/blobs\// }, times: Infinity, effect }]);

    const isTime = asks(() => source, /\/blobs\//, 2);
    const { code, stdout } = await stopped(['--jobs', '2'], ['SIGTERM'], isTime);

    equal(code, 143);
    deepEqual([...touched()].toSorted(), ['each/a', 'each/b']);
    deepEqual(wrongAt(target.store, EACH.slice(0, 2)), []);
    const results = await resultsIn(dir.path);
    deepEqual([...results.keys()].toSorted(), ['each/a:1', 'each/b:1']);
    match(stdout, /^6 rows: 2 copied, 0 unchanged, 0 failed, 4 not started/);
    const { rows, copied, failed, notStarted } = await summaryIn(dir.path);
    deepEqual(
      { rows, copied, failed, notStarted },
      { rows: 6, copied: 2, failed: 0, notStarted: 4 },
    );
  });

  it('tells which rows were given up, and why', async () => {
    source.setFaults([
      { match: { path: /each\/b\/blobs/ }, times: Infinity, effect: { stall: true } },
    ]);

    const words = ['--jobs', '2', '--grace-period', '1'];
    const { code, afterMs } = await stopped(
      words,
      ['SIGINT'],
      asks(() => source, /b\/blobs/),
    );

    equal(code, 130);
    ok(afterMs >= 950 && afterMs < 1000 + PROMPT_MS, `${afterMs} ms`);
    const results = await resultsIn(dir.path);
    equal(results.get('each/b:1')?.status, 'failed');
    match(results.get('each/b:1')?.error ?? '', /stopped by SIGINT/);
    const { rows, copied, failed, notStarted } = await summaryIn(dir.path);
    deepEqual([failed, copied + failed + notStarted, results.size], [1, rows, copied + failed]);
    equal(target.store.repositories.get('each/b')?.tags.size ?? 0, 0);
  });

  for (const [first, second, exit] of [
    ['SIGTERM', 'SIGTERM', 143],
    ['SIGINT', 'SIGINT', 130],
    ['SIGTERM', 'SIGINT', 143],
  ] as const) {
    it(`by ${first} and then ${second} ends at once`, async () => {
      source.setFaults([
        { match: { path: /\/blobs\// }, times: Infinity, effect: { stall: true } },
      ]);

      const isTime = asks(() => source, /\/blobs\//);
      const { code, stdout, afterMs } = await stopped(['--jobs', '2'], [first, second], isTime);

      equal(code, exit);
      ok(afterMs < 500 + PROMPT_MS, `${afterMs} ms`);
      match(stdout, /^6 rows: 0 copied, 0 unchanged, 2 failed, 4 not started/);
      equal((await summaryIn(dir.path)).failed, 2);
      equal((await resultsIn(dir.path)).size, 2);
    });
  }
});

/** What a run may be waiting for: the faults that make it, where, and how one sees that it waits. */
const WAITS: [string, 'source' | 'target', Fault, RegExp][] = [
  [
    'for a pause that the target asked for',
    'target',
    { match: { path: /uploads/ }, effect: { status: 429, headers: { 'retry-after': '60' } } },
    /uploads/,
  ],
  [
    'before it asks again',
    'source',
    { match: { path: /manifests/ }, times: Infinity, effect: { status: 503 } },
    /manifests/,
  ],
  [
    'for a manifest',
    'source',
    { match: { path: /manifests/ }, times: Infinity, effect: { stall: true } },
    /manifests/,
  ],
  [
    'for an answer to an upload',
    'target',
    { match: { method: 'PUT' }, times: Infinity, effect: { stall: true } },
    /digest=/,
  ],
  [
    'for the first word of a registry',
    'target',
    { match: { path: /^\/v2\/$/ }, times: Infinity, effect: { stall: true } },
    /^\/v2\/$/,
  ],
];

describe('a sync without a grace period that waits', () => {
  for (const [what, side, fault, seen] of WAITS) {
    it(`${what} ends at once, and tells`, async () => {
      const registry = (): Registry => (side === 'source' ? source : target);
      registry().setFaults([fault]);

      const words = ['--grace-period', '0', '--retry-times', '20'];
      const { code, afterMs } = await stopped(words, ['SIGTERM'], asks(registry, seen));

      equal(code, 143);
      ok(afterMs < PROMPT_MS, `${afterMs} ms`);
      const { rows, copied, failed, notStarted } = await summaryIn(dir.path);
      equal(copied + failed + notStarted, rows);
      ok(failed > 0);
      equal((await resultsIn(dir.path)).size, copied + failed);
    });
  }
});

/** Stops a sync at its Nth request, and syncs again: says what was not as it was told. */
async function faultsOfStop(point: number): Promise<string[]> {
  await using home = await tempDir();
  await writeFile(join(home.path, 'tags.csv'), tagsCsv(TAGS));
  let stop = (): void => {};
  let seen = 0;
  const onRequest = (): undefined => {
    seen += 1;
    if (seen === point) stop();
  };
  const own = await startRegistry({ onRequest });
  try {
    const args = syncArgs(home.path, own, '--jobs', '3');
    const { child, result } = await startCli(args);
    stop = () => child.kill('SIGTERM');
    const { code, stderr } = await result;
    const faults = code === 143 ? [] : [`ended with ${code}: ${stderr}`];
    const { rows, copied, failed, notStarted } = await summaryIn(home.path);
    if (copied + notStarted !== rows || failed > 0 || notStarted === 0) {
      faults.push(`of ${rows} ${copied} were copied, ${notStarted} not started, ${failed} failed`);
    }
    const results = await resultsIn(home.path);
    const told = [...results].filter(([, { status }]) => status === 'copied').map(([name]) => name);
    const there = Object.keys(snapshot(own.store));
    if (String(told.toSorted()) !== String(there))
      faults.push(`${told} is told, ${there} is there`);
    if ((await runHere(args)).code !== 0) faults.push('the next sync failed');
    return [...faults, ...wrongAt(own.store, TAGS)].map((fault) => `request ${point}: ${fault}`);
  } finally {
    await own.close();
  }
}

describe('a sync that is told to stop at any moment', () => {
  it('finishes what runs, tells what is there, and the next one does the rest', async () => {
    const points = spreadPoints(10, 110, SEED);

    deepEqual((await pLimit(AT_ONCE).map(points, faultsOfStop)).flat(), []);
  });
});

const FILES = ['repositories.csv', 'tags.csv'] as const;
const OLD = 'from an earlier crawl\r\n';

/** Signals a crawl at its Nth request: says what is not as it was. */
async function faultsOfCrawl(point: number): Promise<string[]> {
  await using home = await tempDir();
  for (const name of FILES) await writeFile(join(home.path, name), OLD);
  const [signal, exit] = point % 2 === 0 ? (['SIGTERM', 143] as const) : (['SIGINT', 130] as const);
  let stop = (): void => {};
  let seen = 0;
  const onRequest = (): { stall: true } | undefined => {
    seen += 1;
    if (seen === point) stop();
    return seen >= point ? { stall: true } : undefined;
  };
  const own = await startRegistry({ store: STORE, onRequest });
  try {
    const args = ['crawl', '--registry', own.host, '--workdir', home.path];
    const { child, result } = await startCli(args, { timeoutMs: 15_000 });
    stop = () => child.kill(signal);
    const { code, stderr } = await result;
    const faults = code === exit ? [] : [`ended with ${code}: ${stderr}`];
    if (!stderr.endsWith(`registry-sync: stopped by ${signal}\n`)) faults.push(stderr);
    for (const name of FILES) {
      if ((await fileIn(home.path, name)) !== OLD) faults.push(`${name} is another`);
    }
    const left = (await readdir(home.path)).toSorted();
    if (String(left) !== String(['crawl.json', ...FILES])) faults.push(`left ${left}`);
    const { state, message } = JSON.parse(await fileIn(home.path, 'crawl.json')) as RunRecord;
    if (state !== 'failed' || message !== `stopped by ${signal}`)
      faults.push(`${state}: ${message}`);
    return faults.map((fault) => `request ${point}: ${fault}`);
  } finally {
    await own.close();
  }
}

describe('a crawl that is told to stop', () => {
  it('at any moment ends at once, keeps the old files and leaves no others', async () => {
    const points = spreadPoints(12, 29, SEED);

    deepEqual((await pLimit(AT_ONCE).map(points, faultsOfCrawl)).flat(), []);
  });
});
