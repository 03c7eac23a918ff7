/**
 * The rows of a tags.csv, checked as a whole before the first is used.
 *
 * The file is read twice from one handle: once to check every row and find those that would
 * overwrite each other, once to sync. So nothing is copied from a file with a mistake in it, and
 * memory does not grow with the rows.
 */
import { open, type FileHandle } from 'node:fs/promises';

import { RegistrySyncError } from '../base/errors.ts';
import { readingGiven } from '../files/file-failure.ts';
import { formatReference } from '../image/reference.ts';
import { EMPTY_FILE, readCsv, type CsvRecord } from './csv.ts';
import { Fingerprints } from './fingerprints.ts';
import type { MapRow, RowTargets } from './mapping.ts';
import { isInShard, type Shard } from './shard.ts';
import { pathOf, tagRowReader, type TagRow } from './tag-row.ts';

/** A row and where it goes. */
export interface MappedRow extends RowTargets {
  readonly row: TagRow;
}

export interface RowFile extends AsyncDisposable {
  /** How many rows the file has, those that are left out or repeated too. */
  readonly total: number;
  /** How many rows there are to sync. */
  readonly count: number;
  /** How many rows say the same as an earlier one. */
  readonly duplicates: number;
  /** How many rows go to a repository of the target. */
  readonly countAt: (path: string) => number;
  rows(): AsyncGenerator<MappedRow, void, void>;
}

export interface RowSettings {
  readonly path: string;
  readonly map: MapRow;
  /** Rows of other namespaces are left out. */
  readonly namespace?: string | undefined;
  /** Rows of repositories of other shards are left out. */
  readonly shard?: Shard | undefined;
  /** Rows of other statuses are left out; in a file that has no statuses all are taken. */
  readonly statuses?: StatusChoice | undefined;
}

export interface StatusChoice {
  readonly wanted: readonly string[];
  /** What else a row can be. */
  readonly others: readonly string[];
}

/** So many mistakes are shown; the rest is counted. */
const MAX_SHOWN = 10;
/** So many rows are kept from the first reading, which spares small files the second. */
const MAX_KEPT = 10_000;
/** Names of the target that are looked at when rows collide: enough to show what is wrong. */
const MAX_SUSPECTS = 1000;

/**
 * Opens and checks a file.
 *
 * @throws {RegistrySyncError} `USAGE` that names the file and each mistake in it by line and value.
 */
export async function openRows(settings: RowSettings): Promise<RowFile> {
  const file = await openFile(settings.path);
  try {
    const checked = await checkRows(file, settings);
    return {
      total: checked.total,
      count: checked.count,
      duplicates: checked.repeated.size,
      countAt: (path) => checked.perTarget.get(path) ?? 0,
      async *rows() {
        for await (const mapped of checked.kept ?? readRows(file, settings)) {
          if (mapped instanceof RegistrySyncError) throw inFile(settings.path, [mapped.message], 1);
          if (!checked.repeated.has(mapped.row.line)) yield mapped;
        }
      },
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function openFile(path: string): Promise<FileHandle> {
  return readingGiven(path, 'run crawl first', () => open(path, 'r'));
}

interface Checked {
  readonly total: number;
  readonly count: number;
  /** Lines that say the same as an earlier one. */
  readonly repeated: ReadonlySet<number>;
  /** Rows by the path of the repository that they go to. */
  readonly perTarget: ReadonlyMap<string, number>;
  /** All rows, unless they are many. */
  readonly kept: readonly MappedRow[] | undefined;
}

async function checkRows(file: FileHandle, settings: RowSettings): Promise<Checked> {
  const seen = new Fingerprints();
  const repeated = new Set<number>();
  const perTarget = new Map<string, number>();
  const suspects = new Set<string>();
  const mistakes: string[] = [];
  const kept: MappedRow[] = [];
  let wrong = 0;
  let count = 0;
  let total = 0;
  const countRecord = (): unknown => (total += 1);
  for await (const mapped of readRows(file, settings, countRecord)) {
    if (mapped instanceof RegistrySyncError) {
      wrong += 1;
      if (mistakes.length < MAX_SHOWN) mistakes.push(mapped.message);
      continue;
    }
    count += 1;
    if (kept.push(mapped) > MAX_KEPT) kept.length = 0;
    addOne(perTarget, mapped.target.path);
    const target = formatReference(mapped.target);
    const before = seen.add(target, formatReference(mapped.source));
    if (before === 'same') repeated.add(mapped.row.line);
    if (before === 'other' && suspects.size < MAX_SUSPECTS) suspects.add(target);
  }
  if (suspects.size > 0) {
    const collisions = await findCollisions(file, settings, suspects);
    wrong += collisions.length;
    mistakes.push(...collisions.slice(0, MAX_SHOWN));
  }
  if (wrong > 0) throw inFile(settings.path, mistakes, wrong);
  if (count === 0) checkEmpty(settings);
  return {
    total,
    count: count - repeated.size,
    repeated,
    perTarget,
    kept: kept.length === count ? kept : undefined,
  };
}

function addOne(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Every row that is taken as it maps, or the mistake in it. `onRecord` is told of all. */
async function* readRows(
  file: FileHandle,
  settings: RowSettings,
  onRecord: () => unknown = () => {},
): AsyncGenerator<MappedRow | RegistrySyncError, void, void> {
  let read: ((record: CsvRecord) => TagRow) | undefined;
  try {
    for await (const record of readCsv(file)) {
      if (read === undefined) {
        read = tagRowReader(record);
        continue;
      }
      onRecord();
      const mapped = mapRecord(record, read, settings);
      if (mapped !== undefined) yield mapped;
    }
    if (read === undefined) throw new RegistrySyncError('USAGE', EMPTY_FILE);
  } catch (error) {
    throw error instanceof RegistrySyncError ? inFile(settings.path, [error.message], 1) : error;
  }
}

function mapRecord(
  record: CsvRecord,
  read: (record: CsvRecord) => TagRow,
  { map, namespace, shard, statuses }: RowSettings,
): MappedRow | RegistrySyncError | undefined {
  try {
    const row = read(record);
    if (statuses !== undefined && !isWanted(row, statuses)) return undefined;
    if (namespace !== undefined && row.namespace !== namespace) return undefined;
    if (shard !== undefined && !isInShard(pathOf(row), shard)) return undefined;
    return { row, ...map(row) };
  } catch (error) {
    if (error instanceof RegistrySyncError) return error;
    throw error;
  }
}

function isWanted({ line, status }: TagRow, { wanted, others }: StatusChoice): boolean {
  if (status === undefined || wanted.includes(status)) return true;
  if (others.includes(status)) return false;
  const all = [...others, ...wanted].join(', ');
  const message = `line ${line}: the status ${JSON.stringify(status.slice(0, 200))} is none of ${all}`;
  throw new RegistrySyncError('USAGE', message);
}

/** The rows that meet at one name of the target: some of them, and how many there are. */
interface Meeting {
  readonly sources: Map<string, number>;
  rows: number;
}

/** Of a collision so many rows are named. */
const MAX_NAMED = 3;

/** Reads once more to say which rows meet at one name of the target. */
async function findCollisions(
  file: FileHandle,
  settings: RowSettings,
  suspects: ReadonlySet<string>,
): Promise<string[]> {
  const meetings = new Map<string, Meeting>();
  for await (const mapped of readRows(file, settings)) {
    if (mapped instanceof RegistrySyncError) continue;
    const target = formatReference(mapped.target);
    if (!suspects.has(target)) continue;
    const meeting = meetings.get(target) ?? { sources: new Map<string, number>(), rows: 0 };
    const source = formatReference(mapped.source);
    meeting.rows += 1;
    if (meeting.sources.size < MAX_NAMED && !meeting.sources.has(source)) {
      meeting.sources.set(source, mapped.row.line);
    }
    meetings.set(target, meeting);
  }
  return [...meetings]
    .filter(([, { sources }]) => sources.size > 1)
    .map(([target, { sources, rows }]) => {
      const named = [...sources].map(([source, line]) => `line ${line} (${source})`);
      const more = rows > named.length ? [`${rows - named.length} more`] : [];
      return `${[...named, ...more].join(' and ')} would all become ${target}`;
    });
}

/** A shard may be empty, as with few repositories some are; and so may be what has a status. */
function checkEmpty({ path, namespace, shard, statuses }: RowSettings): void {
  if (shard !== undefined || statuses !== undefined) return;
  const what = namespace === undefined ? '' : ` of the namespace ${JSON.stringify(namespace)}`;
  throw inFile(path, [`no rows${what}`], 1);
}

function inFile(path: string, mistakes: readonly string[], count: number): RegistrySyncError {
  const more = count > mistakes.length ? [`and ${count - mistakes.length} more`] : [];
  const lines = [...mistakes, ...more];
  const text = lines.length === 1 ? ` ${lines[0]}` : lines.map((line) => `\n  ${line}`).join('');
  return new RegistrySyncError('USAGE', `${path}:${text}`);
}
