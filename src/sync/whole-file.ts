/** Files that are seen under their name only when they are whole. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { RegistrySyncError } from '../base/errors.ts';

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
      await makeDirectoryOf(path);
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
      const directory = await open(dirname(this.path), 'r');
      await directory.sync().finally(() => directory.close());
    });
  }

  /** Leaves no trace of a file that was not committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOpen) await this.#handle.close();
    this.#isOpen = false;
    await rm(this.#temporary, { force: true });
  }
}

/** Makes the directory of a file, and those above it. (Node's own way of it never ends below /proc.) */
export async function makeDirectoryOf(path: string): Promise<void> {
  const directory = dirname(path);
  try {
    await mkdir(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || directory === dirname(directory)) throw error;
    await makeDirectoryOf(directory);
    await mkdir(directory);
  }
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

/** @throws {RegistrySyncError} `USAGE` that names the file, when `work` on it fails. */
export async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** What a failure of the file system means to people. */
export function cannotWrite(path: string, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === undefined || cause instanceof RegistrySyncError) return cause;
  const hint = HINTS[code] ?? code;
  return new RegistrySyncError('USAGE', `can't write ${path}: ${hint}`, { cause });
}

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EFBIG: 'a file may not become so large here (ulimit -f)',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'there is no such directory',
  ENOTDIR: 'a part of the path is no directory',
  EEXIST: 'a part of the path is no directory',
  EISDIR: 'it is a directory',
};
