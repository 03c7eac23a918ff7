/**
 * Joins the workdirs of shards into one, which is as if one machine had done all of the work.
 *
 * The rows are in one order, whatever the order and the number of the shards: by repository, then by tag.
 */
import { realpath, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { RegistrySyncError } from '../base/errors.ts';
import { isAbsent, reading, writing } from '../files/file-failure.ts';
import { CsvFile } from '../sync/csv.ts';
import { readRecord, recordPath, writeRecord, type RunRecord } from '../sync/run-record.ts';
import {
  checkAgreement,
  JOINED_COMMANDS,
  mergeRecord,
  missingShards,
  type JoinedCommand,
  type PartRecords,
} from './merge-records.ts';
import { MergedRows } from './merge-rows.ts';
import { CSV_FILES, openCsv, readRows, type CsvName } from './row-files.ts';
import { readShownRecord } from './records.ts';

/** What one shard left. */
interface Part extends PartRecords {
  /** Where each file is, if there is one. */
  readonly pathOf: (name: CsvName) => string | undefined;
}

/** What belongs together is of one run: none of it is left from an earlier one. */
const GROUPS: Readonly<Record<JoinedCommand, readonly CsvName[]>> = {
  crawl: ['repositories.csv', 'tags.csv'],
  sync: ['results.csv'],
  repair: ['repair-results.csv'],
  verify: ['verify.csv'],
};
const JOINED_FILES = JOINED_COMMANDS.flatMap((command) => GROUPS[command]);

/**
 * Writes the joined files into `workdir`. Resolves to what is missing for them to be the whole: shards,
 * files, runs that did not end.
 *
 * @throws {RegistrySyncError} `USAGE` when a part is no workdir of a shard, when two parts have the same
 * repository, when they can't be parts of one run, or when `workdir` has files of a run that was no join.
 */
export async function mergeWorkdirs(
  names: readonly string[],
  workdir: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  await checkPlaces(names, workdir);
  await checkReplaced(workdir);
  const parts = await Promise.all(names.map(readPart));
  checkAgreement(parts);
  const gaps = missingShards(parts);
  await using made = new MadeFiles();
  for (const name of JOINED_FILES) {
    const file = await mergeFile(name, { parts, workdir, gaps, signal });
    if (file !== undefined) made.files.set(name, file);
  }
  if (made.files.size === 0) {
    const message = `--merge: none of ${names.join(', ')} has one of ${JOINED_FILES.join(', ')}`;
    throw new RegistrySyncError('USAGE', message);
  }
  const records = new Map(
    JOINED_COMMANDS.map((command) => [command, mergeRecord(command, parts, gaps)] as const),
  );
  await commit(workdir, made.files, records);
  return gaps;
}

/** Files that are whole, and not yet seen; they go away unless they are committed. */
class MadeFiles implements AsyncDisposable {
  readonly files = new Map<CsvName, CsvFile>();

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.files.values()) await file[Symbol.asyncDispose]();
  }
}

async function checkPlaces(names: readonly string[], workdir: string): Promise<void> {
  const own = await realpath(workdir).catch(() => resolve(workdir)); // it may have to be made
  const seen = new Map<string, string>();
  for (const name of names) {
    const real = await reading(name, () => realpath(name)).catch((error: unknown) => {
      const { message } = error as Error;
      throw new RegistrySyncError('USAGE', `--merge: ${message}`, { cause: error });
    });
    const same = seen.get(real);
    if (same !== undefined) throw usage(`${same} and ${name} are the same`);
    const place = (await stat(real)).isDirectory() ? real : dirname(real);
    if (place === own) {
      throw usage(`${name} is in --workdir, where the joined files are written: give another one`);
    }
    seen.set(real, name);
  }
}

/** @throws {RegistrySyncError} `USAGE` when files would be lost that no earlier join has made. */
async function checkReplaced(workdir: string): Promise<void> {
  let isJoined = false;
  for (const command of JOINED_COMMANDS) {
    const record = await readRecord(workdir, command);
    if (record === undefined) continue;
    if (record.joinedFrom === undefined) throw ofNoJoin(workdir, `${command}.json`);
    isJoined = true;
  }
  if (isJoined) return;
  for (const name of JOINED_FILES) {
    if (await isThere(join(workdir, name))) throw ofNoJoin(workdir, name);
  }
}

function ofNoJoin(workdir: string, name: string): RegistrySyncError {
  return usage(
    `--workdir ${workdir} has a ${name} that is of no join, and would be replaced: give another directory, or remove it there`,
  );
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

function usage(message: string): RegistrySyncError {
  return new RegistrySyncError('USAGE', `--merge: ${message}`);
}

/** A directory, or a results.csv alone: as from the log of a container that shows it. */
async function readPart(name: string): Promise<Part> {
  const found = await reading(name, () => stat(name));
  if (!found.isDirectory()) {
    return { name, records: {}, pathOf: (file) => (file === 'results.csv' ? name : undefined) };
  }
  const records: Partial<Record<JoinedCommand, RunRecord>> = {};
  for (const command of JOINED_COMMANDS) {
    const record = await readShownRecord(name, command, (text) => text);
    if (record !== undefined) records[command] = record;
  }
  return { name, records, pathOf: (file) => join(name, file) };
}

interface Merging {
  readonly parts: readonly Part[];
  readonly workdir: string;
  readonly gaps: string[];
  readonly signal: AbortSignal;
}

/** `undefined`: no part has such a file. */
async function mergeFile(name: CsvName, merging: Merging): Promise<CsvFile | undefined> {
  const { parts, workdir, gaps, signal } = merging;
  const rows = new MergedRows(name);
  const without: string[] = [];
  for (const part of parts) {
    const path = part.pathOf(name);
    const file = path === undefined ? undefined : await openCsv(path);
    if (path === undefined || file === undefined) {
      without.push(part.name);
      continue;
    }
    try {
      const read = readRows(file, { name, path }, (text) => gaps.push(`${part.name}: ${text}`));
      await rows.addAll(read, part.name, signal);
    } finally {
      await file.close();
    }
  }
  if (without.length === parts.length) return undefined;
  if (name !== 'repair-results.csv') gaps.push(...without.map((part) => `${part} has no ${name}`));
  const merged = await CsvFile.create(join(workdir, name), CSV_FILES[name]);
  try {
    for (const fields of rows.inOrder()) await merged.write(fields);
    await merged.finish();
    return merged;
  } catch (error) {
    await merged[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * A record says `running` before its files are replaced, and what it is when they are: none ever says of other rows
 * that they are whole, and a join that was killed can be done again. Nothing of an earlier join stays.
 */
async function commit(
  workdir: string,
  files: ReadonlyMap<CsvName, CsvFile>,
  records: ReadonlyMap<JoinedCommand, RunRecord | undefined>,
): Promise<void> {
  for (const [command, record] of records) {
    if (record === undefined) await remove(recordPath(workdir, command));
    else await writeRecord(workdir, { ...record, state: 'running' });
  }
  for (const command of JOINED_COMMANDS) {
    for (const name of GROUPS[command]) {
      const file = files.get(name);
      if (file === undefined) await remove(join(workdir, name));
      else await file.commit();
    }
    const record = records.get(command);
    if (record !== undefined) await writeRecord(workdir, record);
  }
}

function remove(path: string): Promise<void> {
  return writing(path, () => rm(path, { force: true }));
}
