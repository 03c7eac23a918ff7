/**
 * Why nothing is planned or deleted: a list that may lack what the source has, more to delete than anybody expects, or
 * a plan that is not for here and now.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';

import { counted } from '../base/counted.ts';
import { RegistrySyncError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { readingGiven } from '../files/file-failure.ts';
import { mayBeOne } from '../http/same-place.ts';
import { parseDigest, type Digest } from '../image/digest.ts';
import { readCsv } from '../sync/csv.ts';
import type { RunRecord } from '../sync/run-record.ts';
import { formatShard, type Shard } from '../sync/shard.ts';
import type { Plan } from './prune-plan.ts';

/** A tags.csv as a file. */
export interface ListFile {
  readonly path: string;
  /** Of its bytes. */
  readonly digest: Digest;
  /** Rows of whatever namespace. */
  readonly rows: number;
  /** When it was written. Milliseconds since the epoch. */
  readonly writtenAt: number;
}

/**
 * @param absent what to do where there is none.
 * @throws {RegistrySyncError} `USAGE` when it can't be read.
 */
export function readListFile(path: string, absent: string): Promise<ListFile> {
  return readingGiven(path, absent, async () => {
    const { mtimeMs } = await stat(path);
    const digest = await digestOfFile(path);
    await using file = await open(path, 'r');
    let rows = -1; // the header
    for await (const _ of readCsv(file)) rows += 1;
    return { path, digest, rows: Math.max(rows, 0), writtenAt: mtimeMs };
  });
}

export async function digestOfFile(path: string): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return parseDigest(`sha256:${hash.digest('hex')}`);
}

export interface CrawlSettings {
  /** Where the record was looked for. */
  readonly path: string;
  readonly record: RunRecord | undefined;
  readonly list: ListFile;
  /** The registry that tags.csv is said to be of. */
  readonly source: string;
  /** Of this run. */
  readonly shard: Shard | undefined;
  readonly maxAgeMs: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** File systems and clocks are not exact. */
const SLACK_MS = 5000;

/**
 * Makes sure that tags.csv is all that the source has: what it lacks will be deleted.
 *
 * @throws {RegistrySyncError} `USAGE` that says why it may not be.
 */
export function checkCrawl(settings: CrawlSettings): void {
  const { path, record, list } = settings;
  const doubt =
    record === undefined
      ? `there is no ${path}, which says whether the crawl was whole`
      : (doubtOfEnd(record, path) ??
        doubtOfScope(record, settings) ??
        doubtOfFile(record, settings));
  if (doubt === undefined) return;
  const message = `nothing is planned, as ${list.path} may lack what the source has: ${doubt}. Run crawl again; for a list that is made by hand or otherwise known to be whole there is --trust-tags-file`;
  throw new RegistrySyncError('USAGE', message);
}

/** Why a crawl may have left something out; `undefined`: its record says that it is whole. */
export function doubtOfEnd(
  { state, message, counts = {} }: RunRecord,
  path: string,
): string | undefined {
  const said = message === undefined ? '' : ` (${message.split('\n')[0]})`;
  if (state === 'running') return `${path} says that a crawl is running, or was killed`;
  if (state !== 'complete') return `${path} says that the last crawl was ${state}${said}`;
  const { skipped = 0, locked = 0, vanished = 0 } = counts;
  if (vanished > 0) {
    return `the last crawl was told of ${counted(vanished, 'tag')} under which it found nothing`;
  }
  return skipped + locked === 0
    ? undefined
    : `the last crawl left out ${counted(skipped, 'repository')} and ${counted(locked, 'tag')} that it may not read (--skip-private)`;
}

function doubtOfScope(
  { shard: crawled, source: of }: RunRecord,
  { shard, source }: CrawlSettings,
): string | undefined {
  if (of !== undefined && of !== source) return `the last crawl was of ${of}, not of ${source}`;
  if (crawled === undefined || /^0\/1$/.test(crawled)) return undefined;
  const own = shard === undefined ? 'all repositories' : `shard ${formatShard(shard)}`;
  if (shard !== undefined && formatShard(shard) === crawled) return undefined;
  return `the last crawl was of shard ${crawled} only, and this is for ${own}`;
}

function doubtOfFile(
  { startedAt, counts = {} }: RunRecord,
  { list, maxAgeMs, now }: CrawlSettings,
): string | undefined {
  const started = Date.parse(startedAt);
  if (list.writtenAt < started - SLACK_MS) return 'the file is older than the last crawl';
  // What it read first is that old; of shards that were joined the first counts. A clock that is wrong says nothing.
  if (Math.abs(now - started) > maxAgeMs) {
    return `the last crawl began at ${startedAt}, longer ago than --max-crawl-age`;
  }
  const { tags } = counts;
  if (tags === undefined || list.rows >= tags) return undefined; // rows are added by hand, too
  return `the last crawl wrote ${counted(tags, 'row')}, and now there are ${list.rows}`;
}

/** Options of crawl that leave repositories out, within a namespace too. */
const REPOSITORY_FILTERS = ['repository', 'repository-regex', 'repositories-from'];

/** As `--repository`, those that narrowed a crawl; `undefined`: it looked at all, or at all of a namespace. */
export function repositoryFilters(filters: readonly string[] = []): string | undefined {
  const given = REPOSITORY_FILTERS.filter((name) => filters.includes(name));
  return given.length === 0 ? undefined : given.map((name) => `--${name}`).join(', ');
}

/**
 * Where repositories of several names at the source become one at the target, a crawl that left one out does not know
 * what it brings there.
 *
 * @throws {RegistrySyncError} `USAGE`
 */
export function checkMerge(record: RunRecord | undefined, isTrusted: boolean): void {
  const why = leftOut(record ?? {}, isTrusted);
  if (why === undefined) return;
  const message = `nothing is planned: ${why}, and by --target-path or --target-namespace others may become the same at the target: prune after a crawl of everything`;
  throw new RegistrySyncError('USAGE', message);
}

function leftOut(
  { shard = '0/1', filters, counts: { unknown = 0 } = {} }: Partial<RunRecord>,
  isTrusted: boolean,
): string | undefined {
  if (shard !== '0/1') return `tags.csv is of shard ${shard} only`;
  if (isTrusted) return undefined;
  const options = repositoryFilters(filters);
  if (options !== undefined) return `tags.csv is of some repositories only (${options})`;
  if (unknown === 0) return undefined;
  return `the crawl was told of ${counted(unknown, 'repository')} whose tags the registry denied`;
}

/** @throws {RegistrySyncError} `USAGE` where the target is the source, by whatever name. */
export async function checkEnds(source: string, target: string, log: Log): Promise<void> {
  const one = source === target ? 'is' : await mayBeOne(source, target);
  if (one === 'is') {
    const message = `nothing is planned: ${target} is both the source${source === target ? '' : `, ${source},`} and the target, so what tags.csv has not may be all that there is`;
    throw new RegistrySyncError('USAGE', message);
  }
  if (one === undefined) return;
  log.warn(
    { source, target },
    'source and target have the same address: make sure that they are two',
  );
}

/** What is planned of all repositories. */
export interface Planned {
  readonly seen: number;
  readonly rows: number;
  /** Repositories of which nothing would be left. */
  readonly emptied: readonly string[];
}

const SHOWN = 5;
/** Of the tags that are looked at, so many may go. */
export const MAX_PERCENT = 10;

export interface AmountLimits {
  readonly maxPercent: number;
  /** Whether repositories may be left without a tag. */
  readonly mayEmpty: boolean;
}

/**
 * @param phase what is not done then.
 * @throws {RegistrySyncError} `REJECTED` when more would go than `maxPercent`, or all of a repository.
 */
export function checkAmount(
  { seen, rows, emptied }: Planned,
  { maxPercent, mayEmpty }: AmountLimits,
  phase: 'planned' | 'deleted',
): void {
  if (rows === 0) return;
  if (!mayEmpty && emptied.length > 0) {
    const more = emptied.length > SHOWN ? ` and ${emptied.length - SHOWN} more` : '';
    const message = `nothing is ${phase}: no tag would be left in ${emptied.slice(0, SHOWN).join(', ')}${more}. Where that is meant, give --allow-empty-repositories`;
    throw new RegistrySyncError('REJECTED', message);
  }
  const percent = (rows * 100) / seen;
  if (percent <= maxPercent) return;
  const message = `nothing is ${phase}: ${rows} of ${counted(seen, 'tag')} would go (${percent.toFixed(1)} %), more than --max-percent ${maxPercent}. See whether tags.csv is whole and the options are those of sync; where so much is meant, give --max-percent ${Math.ceil(percent)}`;
  throw new RegistrySyncError('REJECTED', message);
}

/** Where and when a plan is to be applied. */
export interface PlanSettings {
  readonly path: string;
  /** Registries, `host[:port]`; the source only where rows are gone by. */
  readonly target: string;
  readonly source: string;
  /** Repositories, where they are named. */
  readonly named: readonly string[] | undefined;
  readonly maxAgeMs: number;
  readonly maxPercent: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * @throws {RegistrySyncError} `USAGE` when the plan is for another registry or too old, `REJECTED` when it is longer
 * than it was.
 */
export function checkPlan({ facts, rows }: Plan, settings: PlanSettings): void {
  const { path, target, source, named } = settings;
  const wrong = (what: string): never => {
    throw new RegistrySyncError('USAGE', `nothing is deleted: ${path} ${what}`);
  };
  if (facts.target !== target) wrong(`was made for ${facts.target}, not for ${target}`);
  if (facts.list !== undefined && facts.list.source !== source) {
    const given = named === undefined ? source : 'repositories that are named';
    wrong(`was made for images of ${facts.list.source}, not for ${given}`);
  }
  const other = rows.find(({ repository }) => named?.includes(repository) === false);
  if (other !== undefined) wrong(`has rows of ${other.repository}, which is not named`);
  const ageMs = Math.abs(settings.now - Date.parse(facts.made));
  if (ageMs > settings.maxAgeMs) {
    wrong(`was made at ${facts.made}, longer ago than --max-plan-age: plan again`);
  }
  if (rows.length <= facts.planned) return; // more were added by hand
  const { seen, mayEmpty } = facts;
  const { maxPercent } = settings;
  checkAmount({ seen, rows: rows.length, emptied: [] }, { maxPercent, mayEmpty }, 'deleted');
}

/**
 * What a sync brings may be what is deleted.
 *
 * @throws {RegistrySyncError} `USAGE` while one to the same registry is running.
 */
export function checkSync(record: RunRecord | undefined, target: string, path: string): void {
  if (record?.state !== 'running' || record.target !== target) return;
  const message = `nothing is deleted: ${path} says that a sync to ${target} is running, or was killed: run it to its end (where it will never run again, remove ${path})`;
  throw new RegistrySyncError('USAGE', message);
}
