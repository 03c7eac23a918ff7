/**
 * A crawl that is killed, at any moment: the CSV files are the old ones or the new ones, each whole,
 * and what was left behind is in nobody's way.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';

import pLimit from 'p-limit';

import { readRecord } from '../../src/sync/run-record.ts';
import { runCli, startCli, type CliResult, type RunningCli } from '../support/cli.ts';
import { fleet } from '../support/fleet.ts';
import { runHere } from '../support/in-process.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { createStore } from '../support/registry/store.ts';
import { spreadPoints } from '../support/seeded.ts';
import { seedTags } from '../support/synced.ts';
import { tempDir } from '../support/temp-dir.ts';

const POINTS = 50;
const SEED = 20_240;
/** Runs at a time: more than processors, as each waits a part of its time. */
const AT_ONCE = 4;
const FILES = ['repositories.csv', 'tags.csv'] as const;
const OLD = 'from an earlier crawl\r\n';
const LONG_AGO = new Date(Date.now() - 8 * 24 * 60 * 60 * 1000);
const KILLER = new URL('../support/kill-at-file-call.js', import.meta.url).href;

const STORE = createStore();
seedTags(STORE, fleet(10, 6));

/** What an undisturbed crawl writes, asks, and does to files. */
const whole = { files: ['', ''], requests: 0, calls: [] as string[] };

before(async () => {
  await using dir = await tempDir();
  const registry = await startRegistry({ store: STORE });
  const calls = join(dir.path, 'calls');
  const env = { NODE_OPTIONS: `--import ${KILLER}`, FILE_CALLS_TO: calls };
  try {
    const { code, stderr } = await runCli(crawlArgs(registry, dir.path), { env });
    equal(code, 0, stderr);
    whole.files = await filesIn(dir.path);
    whole.requests = registry.requests.length;
    whole.calls = (await readFile(calls, 'utf8')).split('\n');
  } finally {
    await registry.close();
  }
});

function crawlArgs({ host }: Registry, workdir: string): string[] {
  return ['crawl', '--registry', host, '--workdir', workdir];
}

function filesIn(path: string): Promise<string[]> {
  return Promise.all(FILES.map((name) => readFile(join(path, name), 'utf8')));
}

/** Runs the crawl that is to be killed. */
type Killed = (args: string[]) => Promise<CliResult>;

/** Kills a crawl and crawls again: says what is not as it should be. */
async function faultsOf(name: string, registry: Registry, killed: Killed): Promise<string[]> {
  await using dir = await tempDir();
  for (const file of FILES) await writeFile(join(dir.path, file), OLD);
  const args = crawlArgs(registry, dir.path);
  const faults: string[] = [];
  const { signal, stderr } = await killed(args);
  if (signal !== 'SIGKILL') faults.push(`was not killed: ${stderr}`);

  for (const [at, text] of (await filesIn(dir.path)).entries()) {
    if (text !== OLD && text !== whole.files[at]) faults.push(`${FILES[at]} is half`);
  }
  faults.push(...(await recordFaults(dir.path)));
  const left = await leftIn(dir.path);
  const strange = left.filter(
    (file) => !/^\.(?:(?:repositories|tags)\.csv|crawl\.json)\.\w+\.tmp$/.test(file),
  );
  faults.push(...strange.map((file) => `left ${file}`));
  // What is old enough is cleared away by the next crawl.
  for (const file of left) await utimes(join(dir.path, file), LONG_AGO, LONG_AGO);

  const again = await runHere(args);
  if (again.code !== 0) faults.push(`the next crawl: ${again.stderr}`);
  if (String(await filesIn(dir.path)) !== String(whole.files)) faults.push('not whole at last');
  faults.push(...(await leftIn(dir.path)).map((file) => `still has ${file}`));
  return faults.map((fault) => `${name}: ${fault}`);
}

/** Whoever relies on the record must not take an old file for a new one. */
async function recordFaults(path: string): Promise<string[]> {
  const { state = 'none' } = (await readRecord(path, 'crawl')) ?? {};
  const isWhole = String(await filesIn(path)) === String(whole.files);
  const isTrue = ['none', 'running'].includes(state) || (state === 'complete' && isWhole);
  return isTrue ? [] : [`the record says ${state}`];
}

async function leftIn(path: string): Promise<string[]> {
  const known = new Set<string>([...FILES, 'crawl.json']);
  return (await readdir(path)).filter((name) => !known.has(name));
}

/** Kills it when the registry sees its Nth request. */
async function killedAtRequest(point: number): Promise<string[]> {
  let seen = 0;
  let running: RunningCli | undefined;
  const onRequest = (): undefined => {
    seen += 1;
    if (seen === point) running?.child.kill('SIGKILL');
  };
  const registry = await startRegistry({ store: STORE, onRequest });
  try {
    return await faultsOf(`request ${point}`, registry, async (args) => {
      running = await startCli(args);
      return await running.result;
    });
  } finally {
    await registry.close();
  }
}

/** Kills it in the Nth thing that it does to a file. */
async function killedAtFileCall(point: number): Promise<string[]> {
  const registry = await startRegistry({ store: STORE });
  const env = { NODE_OPTIONS: `--import ${KILLER}`, KILL_AT_FILE_CALL: String(point) };
  try {
    const name = `file call ${point}, ${whole.calls[point - 1]}`;
    return await faultsOf(name, registry, (args) => runCli(args, { env }));
  } finally {
    await registry.close();
  }
}

describe('a crawl that is killed', () => {
  it(`at ${POINTS} requests keeps the old files, and the next one is whole`, async () => {
    ok(whole.requests > POINTS, `${whole.requests} requests`);
    const points = spreadPoints(POINTS, whole.requests, SEED);

    deepEqual((await pLimit(AT_ONCE).map(points, killedAtRequest)).flat(), []);
  });

  it('at any change of a file has whole files, old or new, and so has the next one', async (t) => {
    deepEqual(whole.calls.filter((name) => name === 'rename').length, 4); // the record, twice
    const points = whole.calls.map((_, at) => at + 1);
    t.diagnostic(`${points.length} moments`);

    deepEqual((await pLimit(AT_ONCE).map(points, killedAtFileCall)).flat(), []);
  });

  it('leaves what a crawl beside it may be writing, until that is old', async () => {
    await using dir = await tempDir();
    const young = join(dir.path, '.tags.csv.0123abcd.tmp');
    await writeFile(young, 'half of a fi');
    const registry = await startRegistry({ store: STORE });
    try {
      equal((await runCli(crawlArgs(registry, dir.path))).code, 0);
      equal(await readFile(young, 'utf8'), 'half of a fi');
      deepEqual(await filesIn(dir.path), whole.files);
    } finally {
      await registry.close();
    }
  });
});
