/** Files that are seen under their name only when they are whole. */
import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { makeDirectory, syncDirectory } from './directory.ts';
import { writing } from './file-failure.ts';

/** What a killed run left behind is removed when it is older than any run. Milliseconds. */
const STALE_MS = 7 * 24 * 60 * 60 * 1000;

export class WholeFile implements AsyncDisposable {
  readonly path: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  #isOpen = true;

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.path = path;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  /**
   * Begins a file. Its directory is made if it is missing.
   *
   * @throws {RegistrySyncError} `USAGE` when there can be no file at `path`.
   */
  static async create(path: string): Promise<WholeFile> {
    const prefix = `.${basename(path)}.`;
    const temporary = join(dirname(path), `${prefix}${randomBytes(4).toString('hex')}.tmp`);
    return writing(path, async () => {
      await makeDirectory(dirname(path));
      await removeStale(dirname(path), prefix);
      return new WholeFile(path, temporary, await open(temporary, 'wx', 0o644));
    });
  }

  append(text: string): Promise<void> {
    return writing(this.path, () => this.#handle.appendFile(text));
  }

  /** Brings everything to the disk; the file keeps its temporary name. */
  finish(): Promise<void> {
    return writing(this.path, async () => {
      await this.#handle.sync();
      await this.#handle.close();
      this.#isOpen = false;
    });
  }

  /** Puts the finished file in the place of the old one. */
  commit(): Promise<void> {
    return writing(this.path, async () => {
      await rename(this.#temporary, this.path);
      await syncDirectory(dirname(this.path));
    });
  }

  /** Leaves no trace of a file that was not committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOpen) await this.#handle.close();
    this.#isOpen = false;
    await rm(this.#temporary, { force: true });
  }
}

/**
 * Puts a text in the place of a file, whole or not at all.
 *
 * @throws {RegistrySyncError} `USAGE` when it can't be written; then the old file is as it was.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  await using file = await WholeFile.create(path);
  await file.append(text);
  await file.finish();
  await file.commit();
}

async function removeStale(directory: string, prefix: string): Promise<void> {
  const names = await readdir(directory);
  const left = names.filter((name) => name.startsWith(prefix) && name.endsWith('.tmp'));
  for (const name of left) {
    const path = join(directory, name);
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > STALE_MS) await rm(path, { force: true });
  }
}
