/** A CSV that is written as rows are done, so that a run that is killed has said what it did. */
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { lstat, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

import { makeDirectory } from '../files/directory.ts';
import { cannotWrite, hasCode, isAbsent, writing } from '../files/file-failure.ts';
import { formatCsv } from './csv.ts';

/** Rows are gathered a moment before they are written: one by one they cost more than their requests. */
const ROWS_PER_WRITE = 100;
const GATHERED_MS = 100;

/** What stands in a file: a record of its columns for each item. */
export interface CsvShape<T> {
  readonly columns: readonly string[];
  readonly recordOf: (item: T) => readonly string[];
}

export class GrowingCsv<T> {
  readonly #path: string;
  readonly #stream: WriteStream;
  readonly #recordOf: (item: T) => readonly string[];
  #rows: (readonly string[])[] = [];
  #soon: NodeJS.Timeout | undefined;
  #failure: unknown;

  private constructor(path: string, stream: WriteStream, { columns, recordOf }: CsvShape<T>) {
    this.#path = path;
    this.#stream = stream;
    this.#recordOf = recordOf;
    stream.on('error', (error) => (this.#failure ??= error));
    stream.write(formatCsv([columns]));
  }

  /** @throws {RegistrySyncError} `USAGE` when there can be no file at `path`. */
  static async create<T>(path: string, shape: CsvShape<T>): Promise<GrowingCsv<T>> {
    return writing(path, async () => {
      await makeDirectory(dirname(path));
      return new GrowingCsv(path, await openNew(path), shape);
    });
  }

  /** Waits when rows finish faster than the disk takes them. */
  async write(item: T): Promise<void> {
    if (this.#failure !== undefined) return; // told at the end: the work goes on
    this.#rows.push(this.#recordOf(item));
    if (this.#rows.length >= ROWS_PER_WRITE) {
      if (!this.#flush()) await once(this.#stream, 'drain').catch(() => {}); // rejects on `error`
    } else {
      this.#soon ??= setTimeout(() => this.#flush(), GATHERED_MS);
    }
  }

  /** `false`: the disk is behind. */
  #flush(): boolean {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    const rows = this.#rows;
    this.#rows = [];
    return rows.length === 0 || this.#stream.destroyed || this.#stream.write(formatCsv(rows));
  }

  /** @throws {RegistrySyncError} when any of it could not be written. */
  async close(): Promise<void> {
    this.#flush();
    await new Promise<void>((resolve) => {
      // Not `destroyed`: a stream is that a while before it tells its error.
      if (this.#stream.closed) resolve();
      else this.#stream.once('close', resolve).end();
    });
    if (this.#failure !== undefined) throw cannotWrite(this.#path, this.#failure);
  }
}

const MAX_TRIES = 5;

/**
 * A file of our own: another run in the same directory goes on with its own, which has no name any more, and no
 * rows of the two get into one another. Where there is a link or a device in its place, it is meant to be.
 */
async function openNew(path: string): Promise<WriteStream> {
  for (let attempt = 1; ; attempt += 1) {
    const isOurs = await lstat(path).then(
      (found) => found.isFile(),
      (error: unknown) => isAbsent(error),
    );
    if (isOurs) await rm(path, { force: true });
    const stream = createWriteStream(path, { flags: isOurs ? 'wx' : 'w' });
    try {
      await once(stream, 'open');
      return stream;
    } catch (error) {
      if (!hasCode(error, 'EEXIST') || attempt >= MAX_TRIES) throw error;
    }
  }
}
