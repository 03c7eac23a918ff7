/** What a workdir has to tell: its CSV files come together row by row, its records beside them. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { isError, RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import { onOneLine } from '../base/shown.ts';
import { reading } from '../files/file-failure.ts';
import { RECORDED_COMMANDS, type RecordedCommand, type RunRecord } from '../sync/run-record.ts';
import { CHECKS, OUTCOMES } from './payload.ts';
import { Pruned, type Pruning } from './pruned.ts';
import { plain, readShownRecord, type Records } from './records.ts';
import { imageName, ReportRows, type ReportStrings } from './report-rows.ts';
import { CSV_FILES, openCsv, readRows, type CsvName, type FileRow } from './row-files.ts';

export interface Workdir {
  readonly path: string;
  readonly rows: ReportRows;
  /** Those that are there and could be read. */
  readonly files: ReadonlySet<CsvName>;
  /** Those that can't be understood, and are left out. */
  readonly damaged: ReadonlySet<CsvName>;
  readonly records: Records;
  /** Numbers of the repositories in repositories.csv. */
  readonly listed: ReadonlySet<number>;
  readonly pruned: Pruned;
  /** Rows of verify.csv that say nothing of the digest that tags.csv has. */
  readonly staleVerdicts: number;
  /** What is wrong with files that are used all the same, or were left out. */
  readonly remarks: readonly string[];
}

export interface ReadSettings {
  readonly strings: ReportStrings;
  /** Keeps secrets out of what is shown. */
  readonly hide: (text: string) => string;
  readonly signal: AbortSignal;
}

/** How many rows are read between two looks at the signal. */
const ROWS_PER_LOOK = 10_000;

/** What the report is about: without it nothing else has a meaning. */
const NEEDED: CsvName = 'tags.csv';

/**
 * Reads a directory. A file besides tags.csv that can't be understood is left out as a whole, and a remark.
 *
 * @throws {RegistrySyncError} `USAGE` when there is no such directory, when it has none of the files, or
 * when its tags.csv can't be understood: file, line and value are named.
 */
export async function readWorkdir(path: string, settings: ReadSettings): Promise<Workdir> {
  await checkDirectory(path);
  const damaged = new Map<CsvName, string>();
  for (;;) {
    const before = damaged.size;
    const workdir = await readFiles(path, settings, damaged);
    // What was read of a damaged file before its mistake is in the rows: they are read again without it.
    if (damaged.size === before) return workdir;
  }
}

async function readFiles(
  path: string,
  settings: ReadSettings,
  damaged: Map<CsvName, string>,
): Promise<Workdir> {
  const remarks = [...damaged.values()];
  const read: Reading = {
    ...settings,
    rows: new ReportRows(settings.strings),
    listed: new Set(),
    pruned: new Pruned(),
    staleVerdicts: 0,
    remark: (text) => remarks.push(onOneLine(text)),
  };
  const files = new Set<CsvName>();
  for (const name of Object.keys(CSV_FILES) as CsvName[]) {
    if (damaged.has(name)) continue;
    try {
      if (await readFileInto(read, { name, path: join(path, name) })) files.add(name);
    } catch (error) {
      if (name === NEEDED || !isError(error, 'USAGE')) throw error;
      damaged.set(name, `${onOneLine(error.message)}: ${name} is left out`);
      break;
    }
  }
  const records = await readRecords(path, read);
  if (files.size + damaged.size + remarks.length + Object.keys(records).length === 0) {
    const message = `${path}: has neither ${Object.keys(CSV_FILES).join(', ')} nor a record of a run: give the --workdir of crawl and sync`;
    throw new RegistrySyncError('USAGE', message);
  }
  const { rows, listed, pruned, staleVerdicts } = read;
  const isDamaged = new Set(damaged.keys());
  return { path, rows, files, damaged: isDamaged, records, listed, pruned, staleVerdicts, remarks };
}

interface Reading extends ReadSettings {
  readonly rows: ReportRows;
  readonly listed: Set<number>;
  readonly pruned: Pruned;
  staleVerdicts: number;
  readonly remark: (text: string) => void;
}

/** @throws {RegistrySyncError} `USAGE` */
export async function checkDirectory(path: string): Promise<void> {
  const found = await reading(path, () => stat(path)).catch((error: unknown) => {
    if (isError(error, 'NOT_FOUND')) throw new RegistrySyncError('USAGE', error.message);
    throw error;
  });
  if (!found.isDirectory()) throw new RegistrySyncError('USAGE', `${path}: is no directory`);
}

async function readFileInto(
  into: Reading,
  file: { readonly name: CsvName; readonly path: string },
): Promise<boolean> {
  const handle = await openCsv(file.path);
  if (handle === undefined) return false;
  const enter = ENTER[file.name];
  let until = ROWS_PER_LOOK;
  try {
    for await (const row of readRows(handle, file, into.remark)) {
      enter(into, row);
      until -= 1;
      if (until > 0) continue;
      throwIfAborted(into.signal);
      until = ROWS_PER_LOOK;
    }
  } finally {
    await handle.close();
  }
  return true;
}

const ENTER: Readonly<Record<CsvName, (into: Reading, row: FileRow) => void>> = {
  'repositories.csv': ({ rows, listed }, { path }) => void listed.add(rows.paths.add(path)),
  'tags.csv': enterTag,
  'results.csv': enterResult,
  'verify.csv': enterVerdict,
  'repair-results.csv': enterRepair,
  'prune-results.csv': enterPruning,
};

function enterTag({ rows }: Reading, { path, name, fields }: FileRow): void {
  const [, , , created = '', updated = '', digest = ''] = fields;
  const row = rows.add(path, name);
  const { columns } = rows;
  columns.isInTags[row] = 1;
  columns.updated[row] = secondsOf(updated === '' ? created : updated);
  rows.digests.set(row, digestOf(name, digest));
}

/** Of a row without a tag the name is the digest. */
function digestOf(name: string, digest: string): string {
  return digest === '' && name.startsWith('@') ? name.slice(1) : digest;
}

/** 0 for what is no date: these columns are for people. */
function secondsOf(text: string): number {
  const ms = text === '' ? Number.NaN : Date.parse(text);
  return ms > 0 && ms < 2 ** 32 * 1000 ? Math.floor(ms / 1000) : 0;
}

function enterResult(into: Reading, { path, name, fields }: FileRow): void {
  const [, , , digest = '', target = '', status = '', bytes, elapsedMs, error = ''] = fields;
  const { rows } = into;
  const row = rows.add(path, name);
  const { columns } = rows;
  columns.outcome[row] = OUTCOMES.indexOf(status as (typeof OUTCOMES)[number]);
  columns.bytes[row] = Number(bytes);
  columns.elapsedMs[row] = Math.min(Number(elapsedMs), 0xffff_ffff);
  columns.error[row] = textId(into, error);
  enterTarget(rows, row, target);
  if (digest === '') return;
  const known = rows.digests.at(row);
  if (known === '') rows.digests.set(row, digest);
  else if (known !== digest) rows.rare.syncedDigest.set(row, digest);
}

function enterVerdict(into: Reading, { path, name, fields }: FileRow): void {
  const [, , , digest = ''] = fields;
  const row = into.rows.add(path, name);
  if (into.rows.columns.isInTags[row] === 1 && isOther(digest, into.rows.digests.at(row))) {
    into.staleVerdicts += 1; // the tag has moved since
  } else {
    enterCheck(into, row, fields);
  }
}

function enterCheck(into: Reading, row: number, fields: readonly string[]): void {
  const [, , , digest = '', target = '', status = '', found = '', size = '', detail = ''] = fields;
  const { rows } = into;
  const { columns } = rows;
  columns.check[row] = CHECKS.indexOf(status as (typeof CHECKS)[number]);
  columns.size[row] = size === '' ? -1 : Number(size);
  columns.detail[row] = textId(into, detail);
  enterTarget(rows, row, target);
  if (rows.digests.at(row) === '') rows.digests.set(row, digest);
  if (found !== '' && found !== rows.digests.at(row)) {
    rows.rare.foundDigest.set(row, plain(found));
  }
}

function isOther(digest: string, known: string): boolean {
  return digest !== '' && known !== '' && digest !== known;
}

/** Of images that verify had found to be wrong. */
function enterRepair(into: Reading, { path, name, fields }: FileRow): void {
  const [, , , digest = '', target = '', status = '', , , error = ''] = fields;
  const { rows } = into;
  const row = rows.add(path, name);
  if (isOther(digest, rows.digests.at(row))) return;
  rows.columns.repair[row] = OUTCOMES.indexOf(status as (typeof OUTCOMES)[number]);
  rows.columns.repairError[row] = textId(into, error);
  enterTarget(rows, row, target);
}

function enterPruning({ pruned, hide }: Reading, { path, name, fields }: FileRow): void {
  const [, , digest = '', status = '', error = ''] = fields;
  const image = imageName(path, name === '' ? `@${digest}` : name);
  pruned.add(status as Pruning, { image: plain(image), error: plain(hide(error)) });
}

/** 0 is none. */
function textId({ rows, hide }: Reading, text: string): number {
  return text === '' ? 0 : rows.texts.add(plain(hide(text)));
}

/** Without the tag, if it is that of the row: then all rows of a repository have the same text. */
function enterTarget(rows: ReportRows, row: number, target: string): void {
  if (target === '') return;
  const end = `:${rows.nameOf(row)}`;
  const short = target.endsWith(end) ? target.slice(0, -end.length) : target;
  rows.columns.target[row] = short === '' ? 0 : rows.texts.add(plain(short));
}

async function readRecords(path: string, { hide, remark }: Reading): Promise<Records> {
  const records: Partial<Record<RecordedCommand, RunRecord>> = {};
  for (const command of RECORDED_COMMANDS) {
    try {
      const record = await readShownRecord(path, command, hide);
      if (record !== undefined) records[command] = record;
    } catch (error) {
      if (!(error instanceof RegistrySyncError)) throw error;
      remark(error.message);
    }
  }
  return records;
}
