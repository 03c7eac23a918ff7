/** The run before: which directory it is, and what has changed since. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { isError } from '../base/errors.ts';
import { hasCode, isAbsent, reading } from '../files/file-failure.ts';
import { readRecord } from '../sync/run-record.ts';
import { CHANGES } from './payload.ts';
import type { ReportRows } from './report-rows.ts';
import { checkDirectory, type Workdir } from './workdir.ts';

/** Digests of so many moved tags are kept; the rest is counted. */
const MAX_MOVED_DIGESTS = 200_000;

/** The directory of the previous run. */
export interface Found {
  readonly path: string;
  /** It was named itself, and not looked for. */
  readonly isGiven: boolean;
}

export interface ChangeCounts {
  readonly new: number;
  readonly moved: number;
  readonly gone: number;
}

/**
 * The directory of the previous run: `directory` itself if it has a tags.csv, else the newest of those in
 * it that have one, other than `workdir` and not newer than it. `undefined`: there is none yet.
 *
 * @throws {RegistrySyncError} `USAGE` when there is no such directory.
 */
export async function findPrevious(directory: string, workdir: string): Promise<Found | undefined> {
  await checkDirectory(directory);
  const own = await identityOf(workdir);
  const ownTime = await crawledAt(workdir);
  if ((await identityOf(directory)) !== own && (await crawledAt(directory)) !== undefined) {
    return { path: directory, isGiven: true };
  }
  let newest: { readonly path: string; readonly time: number } | undefined;
  const entries = await reading(directory, () => readdir(directory, { withFileTypes: true }));
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.isFile()) continue;
    const path = join(directory, entry.name);
    const time = await crawledAt(path);
    if (time === undefined || time > (ownTime ?? Infinity)) continue;
    if ((await identityOf(path)) === own) continue;
    if (newest === undefined || time >= newest.time) newest = { path, time };
  }
  return newest && { path: newest.path, isGiven: false };
}

/** Of a volume the same directory may be mounted at two places: its path does not tell. */
async function identityOf(directory: string): Promise<string> {
  const { dev, ino } = await stat(directory, { bigint: true });
  return `${dev} ${ino}`;
}

/** When the tags.csv of a directory was made; `undefined`: it has none. Milliseconds. */
async function crawledAt(directory: string): Promise<number | undefined> {
  const made = await stat(join(directory, 'tags.csv')).catch((error: unknown) => {
    if (isAbsent(error) || hasCode(error, 'EACCES')) return undefined; // as lost+found of a volume
    throw error;
  });
  if (made === undefined) return undefined;
  // A record that can't be read is told where it matters: when its directory is read.
  const record = await readRecord(directory, 'crawl').catch((error: unknown) => {
    if (isError(error, 'USAGE')) return undefined;
    throw error;
  });
  return record === undefined ? made.mtimeMs : Date.parse(record.startedAt);
}

/** Marks in `now` what has changed since `before`, and adds to it what has gone. */
export function markChanges(now: Workdir, before: Workdir): ChangeCounts {
  const counts = { new: 0, moved: 0, gone: 0 };
  if (!now.files.has('tags.csv') || !before.files.has('tags.csv')) return counts;
  const { rows } = now;
  const isOld = new Uint8Array(rows.count);
  for (let old = 0; old < before.rows.count; old += 1) {
    if (before.rows.columns.isInTags[old] === 0) continue;
    const row = rows.find(before.rows.pathOf(old), before.rows.nameOf(old));
    if (row === undefined || rows.columns.isInTags[row] === 0) {
      counts.gone += 1;
      enterGone(rows, before.rows, old);
    } else {
      isOld[row] = 1;
      if (hasMoved(rows, row, before.rows.digests.at(old))) counts.moved += 1;
    }
  }
  for (let row = 0; row < isOld.length; row += 1) {
    if (isOld[row] === 1 || rows.columns.isInTags[row] === 0) continue;
    counts.new += 1;
    mark(rows, row, 'new');
  }
  return counts;
}

function hasMoved(rows: ReportRows, row: number, from: string): boolean {
  const to = rows.digests.at(row);
  if (from === '' || to === '' || from === to) return false;
  mark(rows, row, 'moved');
  const { previousDigest } = rows.rare;
  if (previousDigest.size < MAX_MOVED_DIGESTS) previousDigest.set(row, from);
  return true;
}

function enterGone(rows: ReportRows, before: ReportRows, old: number): void {
  const row = rows.add(before.pathOf(old), before.nameOf(old));
  rows.columns.updated[row] = before.columns.updated[old] ?? 0;
  rows.digests.set(row, before.digests.at(old));
  mark(rows, row, 'gone');
}

function mark(rows: ReportRows, row: number, change: (typeof CHANGES)[number]): void {
  rows.columns.change[row] = CHANGES.indexOf(change);
}
