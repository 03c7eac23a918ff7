/** The CSV files of a workdir, row by row. */
import { open, type FileHandle } from 'node:fs/promises';

import { isError, RegistrySyncError } from '../base/errors.ts';
import { reading } from '../files/file-failure.ts';
import { isRepositoryPath } from '../image/reference.ts';
import {
  PRUNE_RESULT_COLUMNS,
  REPOSITORY_COLUMNS,
  RESULT_COLUMNS,
  TAG_COLUMNS,
  VERIFY_COLUMNS,
} from '../sync/columns.ts';
import { EMPTY_FILE, readCsv, type CsvRecord } from '../sync/csv.ts';
import { pathOf, splitPath, tagRowReader, versionOf } from '../sync/tag-row.ts';
import { CHECKS, OUTCOMES } from './payload.ts';
import { PRUNINGS } from './pruned.ts';

/** The CSV files, with their columns, in the order in which they are read. */
export const CSV_FILES = {
  'repositories.csv': REPOSITORY_COLUMNS,
  'tags.csv': TAG_COLUMNS,
  'results.csv': RESULT_COLUMNS,
  'verify.csv': VERIFY_COLUMNS,
  'repair-results.csv': RESULT_COLUMNS,
  'prune-results.csv': PRUNE_RESULT_COLUMNS,
} as const;
export type CsvName = keyof typeof CSV_FILES;

/** A row of any of the files. */
export interface FileRow {
  readonly line: number;
  /** Of the repository: `namespace/repository`; in prune-results.csv as at the target, else as at the source. */
  readonly path: string;
  /** `tag` or `@digest`; empty in repositories.csv. */
  readonly name: string;
  /** All columns, in the order of `CSV_FILES`; a column that the file has not is empty. */
  readonly fields: readonly string[];
}

/** Written as a run goes on. */
const GROWING: ReadonlySet<CsvName> = new Set([
  'results.csv',
  'verify.csv',
  'repair-results.csv',
  'prune-results.csv',
]);

/** What was found wrong with a file that is used all the same. */
export type Remark = (text: string) => void;

/** `undefined`: there is no such file. */
export async function openCsv(path: string): Promise<FileHandle | undefined> {
  try {
    return await reading(path, () => open(path, 'r'));
  } catch (error) {
    if (isError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

/**
 * The rows of a file. Some are written as a run goes on: where they end in the middle of a row, the run was
 * killed, and that is a remark.
 *
 * @throws {RegistrySyncError} `USAGE` that names file, line and value.
 */
export async function* readRows(
  file: FileHandle,
  { name, path }: { readonly name: CsvName; readonly path: string },
  remark: Remark,
): AsyncGenerator<FileRow, void, void> {
  let mayBeCut = GROWING.has(name) && !(await endsInLine(file));
  let mistake: RegistrySyncError | undefined;
  try {
    for await (const row of attemptAll(file, READERS[name])) {
      if (mistake !== undefined) {
        mayBeCut = false; // the mistake was not in the last row
        break;
      }
      if (row instanceof RegistrySyncError) mistake = row;
      else yield row;
    }
  } catch (error) {
    if (!(error instanceof RegistrySyncError)) throw error;
    mistake = error;
  }
  if (mistake === undefined) return;
  if (!mayBeCut) throw new RegistrySyncError('USAGE', `${path}: ${mistake.message}`);
  remark(`${name} ends in the middle of a row (${mistake.message}): its run was killed`);
}

/** Each row, or the mistake in it. */
async function* attemptAll(
  file: FileHandle,
  reader: Reader,
): AsyncGenerator<FileRow | RegistrySyncError, void, void> {
  let read: ((record: CsvRecord) => FileRow) | undefined;
  for await (const record of readCsv(file)) {
    if (read === undefined) read = reader(record);
    else yield attempt(read, record);
  }
  if (read === undefined) throw new RegistrySyncError('USAGE', EMPTY_FILE);
}

/** An empty file ends in no line. */
async function endsInLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return false;
  const { buffer } = await file.read(Buffer.alloc(1), { position: size - 1 });
  return buffer[0] === 0x0a || buffer[0] === 0x0d;
}

function attempt(
  read: (record: CsvRecord) => FileRow,
  record: CsvRecord,
): FileRow | RegistrySyncError {
  try {
    return read(record);
  } catch (error) {
    if (error instanceof RegistrySyncError) return error;
    throw error;
  }
}

type Reader = (header: CsvRecord) => (record: CsvRecord) => FileRow;

const READERS: Readonly<Record<CsvName, Reader>> = {
  'repositories.csv': repositoryReader,
  'tags.csv': (header) => keyedReader(header, TAG_COLUMNS, () => {}),
  'results.csv': (header) => keyedReader(header, RESULT_COLUMNS, checkResult),
  'verify.csv': (header) => keyedReader(header, VERIFY_COLUMNS, checkVerdict),
  'repair-results.csv': (header) => keyedReader(header, RESULT_COLUMNS, checkResult),
  'prune-results.csv': pruningReader,
};

type Check = (line: number, field: (name: string) => string) => void;

/** Files whose rows are named as those of tags.csv. */
function keyedReader(
  header: CsvRecord,
  columns: readonly string[],
  check: Check,
): (record: CsvRecord) => FileRow {
  const readKey = tagRowReader(header);
  const positions = positionsOf(header, columns);
  const byName = new Map(columns.map((name, at) => [name, positions[at] ?? -1]));
  if (columns.includes('status') && byName.get('status') === -1) throw noColumn(header, 'status');
  return (record) => {
    const row = readKey(record);
    check(row.line, (name) => record.fields[byName.get(name) ?? -1] ?? '');
    const fields = positions.map((at) => record.fields[at] ?? '');
    return { line: row.line, path: pathOf(row), name: versionOf(row), fields };
  };
}

function checkResult(line: number, field: (name: string) => string): void {
  checkOneOf(line, field('status'), OUTCOMES);
  checkCount(line, field('bytes'));
  checkCount(line, field('elapsed_ms'));
}

function checkVerdict(line: number, field: (name: string) => string): void {
  checkOneOf(line, field('status'), CHECKS);
  checkCount(line, field('size'));
}

/** The first of `known` stands for no status. */
function checkOneOf(line: number, value: string, known: readonly string[]): void {
  if (known.indexOf(value) > 0) return;
  throw wrong(line, value, `is no status: ${known.slice(1).join(', ')} are`);
}

function checkCount(line: number, value: string): void {
  if (value === '' || (/^\d{1,16}$/.test(value) && Number.isSafeInteger(Number(value)))) return;
  throw wrong(line, value, 'is no whole number');
}

function repositoryReader(header: CsvRecord): (record: CsvRecord) => FileRow {
  const positions = positionsOf(header, REPOSITORY_COLUMNS);
  const absent = REPOSITORY_COLUMNS.find((_name, at) => positions[at] === -1);
  if (absent !== undefined) throw noColumn(header, absent);
  return ({ line, fields }) => {
    const [namespace = '', repository = ''] = positions.map((at) => fields[at] ?? '');
    const path = pathOf({ namespace, repository });
    if (!isRepositoryPath(path)) throw wrong(line, path, 'is no name of a repository');
    const split = splitPath(path);
    return { line, path, name: '', fields: [split.namespace, split.repository] };
  };
}

function pruningReader(header: CsvRecord): (record: CsvRecord) => FileRow {
  const positions = positionsOf(header, PRUNE_RESULT_COLUMNS);
  const absent = PRUNE_RESULT_COLUMNS.find((_name, at) => positions[at] === -1);
  if (absent !== undefined) throw noColumn(header, absent);
  return ({ line, fields: all }) => {
    const fields = positions.map((at) => all[at] ?? '');
    const [path = '', name = '', , status = ''] = fields;
    if (!isRepositoryPath(path)) throw wrong(line, path, 'is no name of a repository');
    checkOneOf(line, status, PRUNINGS);
    return { line, path, name, fields };
  };
}

function positionsOf(header: CsvRecord, columns: readonly string[]): number[] {
  const names = header.fields.map((name) => name.toLowerCase());
  return columns.map((name) => names.indexOf(name));
}

function noColumn({ line, fields }: CsvRecord, name: string): RegistrySyncError {
  const found = JSON.stringify(fields.join(',').slice(0, 200));
  return new RegistrySyncError('USAGE', `line ${line}: no column ${name} in the header ${found}`);
}

function wrong(line: number, value: string, what: string): RegistrySyncError {
  return new RegistrySyncError(
    'USAGE',
    `line ${line}: ${JSON.stringify(value.slice(0, 200))} ${what}`,
  );
}
