/** CSV files: read as a stream, written as a stream that becomes a file all at once or not at all. */
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';

import { parse } from 'csv-parse';
import { stringify } from 'csv-stringify/sync';

import { RegistrySyncError } from '../base/errors.ts';
import { onOneLine } from '../base/shown.ts';
import { WholeFile } from '../files/whole-file.ts';

export interface CsvRecord {
  /** Of the file, from 1: the line on which the record ends. */
  readonly line: number;
  /** Without quotes and spaces around them. */
  readonly fields: readonly string[];
}

/** What is wrong with a file that has not one record. */
export const EMPTY_FILE = 'no rows, not even a header';

/** Longer lines are no CSV that people made. Characters. */
const MAX_RECORD = 64 * 1024;

/**
 * Reads what people and spreadsheets make of a CSV: byte order mark, CRLF, quotes, spaces, blank
 * lines, lines of comment.
 *
 * @throws {RegistrySyncError} `USAGE` when it can't be parsed, naming the line.
 */
export async function* readCsv(file: FileHandle): AsyncGenerator<CsvRecord, void, void> {
  let lastLine = 0; // on which the last good record ended
  const parser = parse({
    bom: true,
    record_delimiter: ['\r\n', '\n', '\r'], // also mixed: rows are appended by hand
    comment: '#',
    comment_no_infix: true,
    skip_empty_lines: true,
    skip_records_with_empty_values: true,
    trim: true,
    relax_column_count: true,
    max_record_size: MAX_RECORD,
    // Half as dear as the option `info`. The types want records to stay lists.
    on_record(fields, { lines }) {
      lastLine = lines;
      return { line: lines, fields } satisfies CsvRecord as unknown as string[];
    },
  });
  const input = Readable.from(bytesOf(file));
  input.on('error', (error) => parser.destroy(error));
  try {
    yield* input.pipe(parser) as AsyncIterable<CsvRecord>;
  } catch (error) {
    throw unreadable(error, lastLine);
  } finally {
    input.destroy();
  }
}

function unreadable(error: unknown, lastLine: number): unknown {
  const { code, lines } = error as Error & { code?: string; lines?: number };
  if (code === undefined || error instanceof RegistrySyncError) return error;
  const what = describeMistake(error as Error, code, lastLine + 1);
  const where = lines === undefined || what.startsWith('from line') ? '' : `line ${lines}: `;
  return new RegistrySyncError('USAGE', `${where}${what}`, { cause: error });
}

/** `line` is the first that can't be read as a whole: the parser itself only says where it gave up. */
function describeMistake({ message }: Error, code: string, line: number): string {
  switch (code) {
    case 'CSV_QUOTE_NOT_CLOSED':
      return `from line ${line} on: a quote is opened and never closed`;
    case 'CSV_MAX_RECORD_SIZE':
      return `from line ${line} on: a row is longer than ${MAX_RECORD} characters: a quote is not closed, or this is no CSV`;
    case 'INVALID_OPENING_QUOTE':
    case 'CSV_INVALID_CLOSING_QUOTE':
      return 'a quote in the middle of a value: quote the whole value, and double the quotes inside';
    default:
      return message.split('\n')[0] ?? '';
  }
}

/** The whole file, whatever was read of it before. A read stream would close the handle. */
async function* bytesOf(file: FileHandle): AsyncGenerator<Buffer, void, void> {
  for (let position = 0; ;) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK_BYTES), { position });
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

const CHUNK_BYTES = 64 * 1024;

/** Rows as CSV text, as Python's `csv.writer` writes them: CRLF, quotes only where needed. */
export function formatCsv(rows: readonly (readonly string[])[]): string {
  return stringify(rows as string[][], { record_delimiter: '\r\n', quoted_match: /[\r\n]/ });
}

/** What others said, on one line of a CSV. */
export function inCell(text: string): string {
  return onOneLine(text).replaceAll(/\s+/g, ' ');
}

/** Rows are gathered before they are formatted and written: a call per row costs more than the row. */
const ROWS_PER_WRITE = 500;

/** A CSV file that is seen under its name only when it is whole. */
export class CsvFile implements AsyncDisposable {
  readonly #file: WholeFile;
  #rows: (readonly string[])[];

  private constructor(file: WholeFile, columns: readonly string[]) {
    this.#file = file;
    this.#rows = [columns];
  }

  /** @throws {RegistrySyncError} `USAGE` when there can be no file at `path`. */
  static async create(path: string, columns: readonly string[]): Promise<CsvFile> {
    return new CsvFile(await WholeFile.create(path), columns);
  }

  async write(row: readonly string[]): Promise<void> {
    this.#rows.push(row);
    if (this.#rows.length >= ROWS_PER_WRITE) await this.#flush();
  }

  /** Writes and syncs everything, but the file keeps its temporary name. */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#file.finish();
  }

  /** Puts the finished file in the place of the old one. */
  commit(): Promise<void> {
    return this.#file.commit();
  }

  /** Leaves no trace of a file that was not committed. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#file[Symbol.asyncDispose]();
  }

  async #flush(): Promise<void> {
    const rows = this.#rows;
    this.#rows = [];
    if (rows.length > 0) await this.#file.append(formatCsv(rows));
  }
}
