/** The records of shards: whether they belong together, which are missing, and one record of all. */
import { counted } from '../base/counted.ts';
import { RegistrySyncError } from '../base/errors.ts';
import { parseShard, type Shard } from '../sync/shard.ts';
import type { RunRecord } from '../sync/run-record.ts';
import { nameOf, runsApart } from './merge-runs.ts';
import { isMissed, type Records } from './records.ts';

/** What is joined. What prune did is not: its files are about the target, which the shards share. */
export const JOINED_COMMANDS = ['crawl', 'sync', 'repair', 'verify'] as const;
export type JoinedCommand = (typeof JOINED_COMMANDS)[number];

export interface PartRecords {
  /** As it was given. */
  readonly name: string;
  readonly records: Records;
}

/** What all parts of one run have in common. */
const COMMON = ['source', 'target', 'deep'] as const;

/** @throws {RegistrySyncError} `USAGE` when these are no parts of one run. */
export function checkAgreement(parts: readonly PartRecords[]): void {
  const shards = new Map<string, string>();
  let of: { readonly count: number | undefined; readonly name: string } | undefined;
  for (const part of parts) {
    if (Object.keys(part.records).length === 0) continue;
    const shard = shardOf(part);
    if (of !== undefined && of.count !== shard?.of) {
      throw usage(`${of.name} is ${shareOf(of.count)}, and ${part.name} ${shareOf(shard?.of)}`);
    }
    of ??= { count: shard?.of, name: part.name };
    if (shard === undefined) continue;
    const text = `${shard.index}/${shard.of}`;
    const other = shards.get(text);
    if (other !== undefined) throw usage(`${other} and ${part.name} are both shard ${text}`);
    shards.set(text, part.name);
  }
  for (const command of JOINED_COMMANDS) checkCommon(command, parts);
}

function shareOf(count: number | undefined): string {
  return count === undefined ? 'no shard' : `one of ${count} shards`;
}

/** @throws {RegistrySyncError} `USAGE` when the records of one part are of several shards. */
function shardOf({ name, records }: PartRecords): Shard | undefined {
  const texts = new Set(Object.values(records).map(({ shard }) => shard));
  if (texts.size > 1) {
    const found = [...texts].map((text) => text ?? 'none').join(' and ');
    throw usage(`the records in ${name} are of different shards: ${found}`);
  }
  const [text] = texts;
  if (text === undefined) return undefined;
  try {
    return parseShard(text);
  } catch (cause) {
    const message = `--merge: a record in ${name} names the shard ${JSON.stringify(text)}: I/N is expected`;
    throw new RegistrySyncError('USAGE', message, { cause });
  }
}

function checkCommon(command: JoinedCommand, parts: readonly PartRecords[]): void {
  for (const key of COMMON) {
    let first: { readonly value: unknown; readonly name: string } | undefined;
    for (const { name, records } of parts) {
      const record = records[command];
      if (record === undefined) continue;
      const value = record[key];
      if (first !== undefined && first.value !== value) {
        const what = `${command}.json of ${first.name} has ${key} ${String(first.value)}, and of ${name} ${String(value)}`;
        throw usage(`${what}: these are no shards of one run`);
      }
      first ??= { value, name };
    }
  }
}

function usage(message: string): RegistrySyncError {
  return new RegistrySyncError('USAGE', `--merge: ${message}`);
}

/** Which shards of all there are, in words; also what can't be known. */
export function missingShards(parts: readonly PartRecords[]): string[] {
  const known = parts.flatMap((part) => shardOf(part) ?? []);
  const [{ of } = { of: 0 }] = known;
  if (of === 0) return [];
  const present = new Set(known.map(({ index }) => index));
  const missing = Array.from({ length: of }, (_, index) => index).filter((at) => !present.has(at));
  const unknown = parts.filter((part) => shardOf(part) === undefined);
  return [
    ...(missing.length === 0
      ? []
      : [`missing: ${missing.map((at) => `shard ${at}/${of}`).join(', ')}`]),
    ...unknown.map(({ name }) => `${name} has no record of a run: which shard it is is not known`),
  ];
}

/**
 * One record of all; `undefined`: no part has one. What keeps it from being whole is added to `gaps`,
 * which has what is missing of the files already.
 */
export function mergeRecord(
  command: JoinedCommand,
  parts: readonly PartRecords[],
  gaps: string[],
): RunRecord | undefined {
  const found = inOrder(parts.flatMap(({ records }) => records[command] ?? []));
  const [first] = found;
  if (first === undefined) return undefined;
  const own = isMissed(command)
    ? [
        ...parts
          .filter(({ records }) => records[command] === undefined)
          .map(({ name }) => `${name} has no ${command}.json`),
        ...found.flatMap(gapOf),
        ...runsApart(command, found),
      ]
    : [];
  const isWhole = gaps.length === 0 && own.length === 0;
  const isComplete = isWhole && found.every(({ state }) => state === 'complete');
  const said = [
    ...gaps,
    ...own,
    ...found.filter(({ state }) => state === 'partial').flatMap(saidBy),
  ];
  gaps.push(...own);
  const ended = byTime(found.flatMap(({ endedAt }) => endedAt ?? []));
  // A list is as old as its oldest part for those who ask for its age; work has ended when the last has.
  const endedAt = command === 'crawl' ? ended[0] : ended.at(-1);
  return {
    command,
    run: listOf(found.map(({ run }) => run)),
    version: listOf(found.map(({ version }) => version)),
    state: isComplete ? 'complete' : 'partial',
    startedAt: byTime(found.map(({ startedAt }) => startedAt))[0] ?? first.startedAt,
    ...(endedAt === undefined ? {} : { endedAt }),
    ...common(first),
    ...filtersOf(found),
    joinedFrom: found.length,
    message: [`joined from ${partsOf(found)}`, ...new Set(said)].join('; '),
    counts: sum(found.map(({ counts = {} }) => counts)),
  };
}

/** Whatever the order in which they were given. */
function inOrder(records: readonly RunRecord[]): RunRecord[] {
  const indexOf = ({ shard }: RunRecord): number => Number(shard?.split('/')[0] ?? 0);
  return records.toSorted((a, b) => indexOf(a) - indexOf(b) || (a.run < b.run ? -1 : 1));
}

/** A crawl in part lacks rows; a sync in part has said what it left out. */
function gapOf(record: RunRecord): string[] {
  const { command, state, message } = record;
  if (state === 'complete' || (state === 'partial' && command !== 'crawl')) return [];
  const words = { running: 'has not ended', failed: 'failed', partial: 'is incomplete' }[state];
  return [
    `the ${command} of ${nameOf(record)} ${words}${message === undefined ? '' : `: ${message}`}`,
  ];
}

function saidBy(record: RunRecord): string[] {
  return record.message === undefined ? [] : [`${nameOf(record)}: ${record.message}`];
}

/** So many are named. */
const MAX_LISTED = 3;

function listOf(values: readonly string[]): string {
  const unique = [...new Set(values)];
  const rest = unique.length - MAX_LISTED;
  return unique.slice(0, MAX_LISTED).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

function partsOf(found: readonly RunRecord[]): string {
  return counted(found.length, found[0]?.shard === undefined ? 'directory' : 'shard');
}

function byTime(times: readonly string[]): string[] {
  return times.toSorted((a, b) => Date.parse(a) - Date.parse(b));
}

function common({ source, target, deep }: RunRecord): Partial<RunRecord> {
  return {
    ...(source !== undefined && { source }),
    ...(target !== undefined && { target }),
    ...(deep !== undefined && { deep }),
  };
}

/** What one of them left out is left out of all. */
function filtersOf(found: readonly RunRecord[]): Partial<RunRecord> {
  const filters = [...new Set(found.flatMap((record) => record.filters ?? []))];
  return filters.length === 0 ? {} : { filters };
}

function sum(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const [name, value] of all.flatMap((counts) => Object.entries(counts))) {
    total[name] = (total[name] ?? 0) + value;
  }
  return total;
}
