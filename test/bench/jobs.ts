/** What is measured: syncs and crawls of a profile, each as a job for some tools. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { floorOf } from './floor.ts';
import type { LinkShape } from './link.ts';
import type { Held } from './memory-main.ts';
import { MILLION, writeMillionCsv } from './million.ts';
import { totalsOf, type Model } from './model.ts';
import { csvOf, homeIn, MAIN, PEERS, type PeerName } from './peers.ts';
import { before, firstOf } from './profiles.ts';
import type { Contender, Job } from './runs.ts';
import type { Stage } from './stage.ts';

export type SyncWork = 'cold' | 'unchanged' | 'one-percent';

export interface JobOptions {
  readonly stage: Stage;
  readonly shape: LinkShape;
  readonly rounds: number;
}

export interface SyncOptions extends JobOptions {
  readonly model: Model;
  readonly peers: readonly PeerName[];
  /** A peer that only does so many repositories of the model, as all would take too long. */
  readonly slices?: Partial<Record<PeerName, number>>;
}

const HELD: Readonly<Record<SyncWork, Held>> = {
  cold: 'nothing',
  unchanged: 'all',
  'one-percent': 'before',
};

const SEQUENTIAL = fileURLToPath(new URL('sequential-crawl.js', import.meta.url));

export function syncJob(work: SyncWork, options: SyncOptions): Job {
  const { model, stage, peers, slices = {} } = options;
  const contenders = peers.map((name): Contender => {
    const slice = slices[name];
    const part = slice === undefined ? model : firstOf(model, slice);
    const held = { cold: undefined, unchanged: part, 'one-percent': before(part) }[work];
    return {
      name,
      tags: totalsOf(part).tags,
      floor: floorOf(part, held),
      prepare: (dir) => PEERS[name](part, stage.ends, dir),
      check: () => stage.check(part),
    };
  });
  return { ...jobOf(options), work, held: HELD[work], contenders };
}

/** By us, and one request after another, as a script would. */
export function crawlJob({ model, ...options }: JobOptions & { readonly model: Model }): Job {
  const { tags, repositories } = totalsOf(model);
  const check = async (dir: string): Promise<void> => {
    const [found, wanted] = [await readFile(join(dir, 'tags.csv'), 'utf8'), csvOf(model)];
    if (sortedRows(found) !== sortedRows(wanted))
      throw new Error(`crawl of ${model.name} is wrong`);
  };
  const floor = crawlFloor(repositories, tags);
  const { source } = options.stage.ends;
  const contenders: Contender[] = [
    { name: 'ours', tags, floor, check, prepare: (dir) => crawl(source, dir) },
    {
      name: 'a plain loop',
      tags,
      floor,
      check,
      prepare: async (dir) => ({ command: [process.execPath, SEQUENTIAL, source, dir], env: {} }),
    },
  ];
  return { ...jobOf(options), work: 'crawl', held: 'nothing', contenders };
}

/** A crawl of a million tags. */
export function millionCrawl(options: JobOptions): Job {
  const floor = crawlFloor(MILLION.repositories, MILLION.tags);
  const contender: Contender = {
    name: 'ours',
    tags: MILLION.tags,
    floor,
    prepare: (dir) => crawl(options.stage.ends.source, dir),
    check: async (dir) => {
      const rows = await linesOf(join(dir, 'tags.csv'));
      if (rows !== MILLION.tags + 1) throw new Error(`${rows} lines instead of a million and one`);
    },
  };
  return { ...jobOf(options), work: 'crawl', held: 'all', contenders: [contender] };
}

/** A sync of a million tags that the target has already. */
export function millionSync(options: JobOptions): Job {
  const { source, target } = options.stage.ends;
  const contender: Contender = {
    name: 'ours',
    tags: MILLION.tags,
    floor: { source: {}, target: { 'manifest HEAD': MILLION.tags } },
    async prepare(dir) {
      await writeMillionCsv(join(dir, 'tags.csv'));
      const ends = ['--source-registry', source, '--target-registry', target];
      const args = ['sync', ...ends, '--workdir', dir, '--quiet'];
      return { command: [process.execPath, MAIN, ...args], env: await homeIn(dir) };
    },
    check: async () => {}, // exit code 0: the target can't take anything
  };
  return { ...jobOf(options), work: 'unchanged', held: 'all', contenders: [contender] };
}

function jobOf({ stage, shape, rounds }: JobOptions): JobOptions {
  return { stage, shape, rounds };
}

async function crawl(host: string, dir: string): ReturnType<Contender['prepare']> {
  const args = ['crawl', '--registry', host, '--workdir', dir, '--quiet'];
  return { command: [process.execPath, MAIN, ...args], env: await homeIn(dir) };
}

function crawlFloor(repositories: number, tags: number): Contender['floor'] {
  return { source: { catalog: 1, tags: repositories, 'manifest HEAD': tags }, target: {} };
}

/** Without the dates, and in one order. */
function sortedRows(csv: string): string {
  const rows = csv.split(/\r?\n/).map((line) => line.split(','));
  return rows
    .map(([namespace, repository, tag, , , digest]) => [namespace, repository, tag, digest].join())
    .toSorted((a, b) => (a < b ? -1 : 1))
    .join('\n');
}

async function linesOf(path: string): Promise<number> {
  let count = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (line !== '') count += 1;
  }
  return count;
}
