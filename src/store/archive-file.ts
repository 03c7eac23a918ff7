/**
 * Archives as files: opened once and read by position, packed ones unpacked into a nameless file;
 * written under another name and shown when they are whole.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { RegistrySyncError, throwIfAborted, withName } from '../base/errors.ts';
import { syncDirectory } from '../files/directory.ts';
import { cannotWrite, hasCode, reading, writing } from '../files/file-failure.ts';
import { HEAD_BYTES, inflated, packingOf } from '../tar/inflate.ts';
import { bytesOf, type TarBytes } from '../tar/read.ts';

/** What an archive may become when it is unpacked: this much, and so many times its size. Bytes. */
const UNPACKED_FREE = 4 * 1024 ** 3;
const UNPACKED_RATIO = 250;

export interface OpenArchive extends TarBytes, AsyncDisposable {}

/** Where something is written that is to be an archive. */
export interface NewArchive extends AsyncDisposable {
  readonly file: FileHandle;
  /** For people: which file can't be written when the disk is full. */
  readonly place: string;
  /** Brings the first `size` bytes to where they belong. */
  commit(size: number, signal: AbortSignal): Promise<void>;
}

/**
 * Opens an archive for reading. What is packed, or no regular file, goes to `tmpdir` first.
 *
 * @throws {RegistrySyncError} `NOT_FOUND` when there is none; `UNSUPPORTED` when it is packed with
 * bzip2 or xz.
 */
export async function openArchive(
  path: string,
  tmpdir: string,
  signal: AbortSignal,
): Promise<OpenArchive> {
  throwIfAborted(signal);
  const archive = await asRegularFile(path, tmpdir, signal);
  try {
    const head = await headOf(archive);
    const packing = packingOf(head);
    if (packing === undefined) return archive;
    const { file, size } = archive;
    const bytes = bytesOf(file, { offset: 0, size }, signal);
    const limit = UNPACKED_FREE + UNPACKED_RATIO * size;
    const plain = await spooled(inflated(bytes, packing, limit), tmpdir, signal);
    await archive[Symbol.asyncDispose]();
    return plain;
  } catch (error) {
    await archive[Symbol.asyncDispose]();
    throw withName(error, path);
  }
}

/** The first bytes of a file, by which it can be told how it is packed. */
export async function headOf({ file, size }: TarBytes, offset = 0): Promise<Uint8Array> {
  const length = Math.min(HEAD_BYTES, size);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
  return buffer.subarray(0, bytesRead);
}

/** Brings a stream to a file without a name, which is gone with its handle, whatever happens. */
export async function spooled(
  bytes: AsyncIterable<Uint8Array>,
  tmpdir: string,
  signal: AbortSignal,
): Promise<OpenArchive> {
  const file = await nameless(tmpdir);
  let size = 0;
  try {
    for await (const chunk of bytes) {
      throwIfAborted(signal);
      await writing(`${tmpdir} (--tmpdir names another place)`, () => file.appendFile(chunk));
      size += chunk.byteLength;
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  return disposing(file, size);
}

/** Begins a file without a name. */
export async function nameless(tmpdir: string): Promise<FileHandle> {
  return writing(tmpdir, async () => {
    const path = join(tmpdir, `registry-sync-${randomBytes(8).toString('hex')}.tmp`);
    const file = await open(path, 'wx+', 0o600);
    await rm(path);
    return file;
  });
}

/**
 * Begins an archive at `path`, where nothing may be but an empty file, or what is written through:
 * a pipe or a device, which gets it when it is whole.
 *
 * @throws {RegistrySyncError} `UNSUPPORTED` when there is one already; `USAGE` when there can be none.
 */
export async function createArchive(path: string, tmpdir: string): Promise<NewArchive> {
  if (await isWrittenThrough(path)) {
    const file = await nameless(tmpdir);
    return {
      file,
      place: tmpdir,
      commit: (size, signal) => writing(path, () => writeThrough(file, size, { path, signal })),
      [Symbol.asyncDispose]: () => file.close(),
    };
  }
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.tmp`);
  const file = await writing(path, () => open(temporary, 'wx+', 0o644));
  let isOpen = true;
  return {
    file,
    place: path,
    commit: async () => {
      await writing(path, () => file.sync());
      await isWrittenThrough(path); // by now somebody else may have written it
      await writing(path, () => rename(temporary, path));
      await writing(path, () => syncDirectory(dirname(path)));
    },
    async [Symbol.asyncDispose]() {
      if (isOpen) await file.close();
      isOpen = false;
      await rm(temporary, { force: true });
    },
  };
}

async function isWrittenThrough(path: string): Promise<boolean> {
  const status = await stat(path).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw cannotWrite(path, error);
  });
  if (status === undefined) return false;
  if (status.isDirectory()) {
    throw new RegistrySyncError('USAGE', `can't write ${path}: it is a directory`);
  }
  if (!status.isFile()) return true;
  if (status.size === 0) return false;
  const message = `${path} is there already, and nothing is added to archives: remove it or choose another name`;
  throw new RegistrySyncError('UNSUPPORTED', message);
}

async function writeThrough(
  file: FileHandle,
  size: number,
  { path, signal }: { readonly path: string; readonly signal: AbortSignal },
): Promise<void> {
  const target = await open(path, constants.O_WRONLY);
  try {
    for await (const chunk of bytesOf(file, { offset: 0, size }, signal)) {
      await target.appendFile(chunk);
    }
  } finally {
    await target.close();
  }
}

async function asRegularFile(
  path: string,
  tmpdir: string,
  signal: AbortSignal,
): Promise<OpenArchive> {
  const file = await reading(path, () => open(path, 'r'));
  try {
    const status = await file.stat();
    if (status.isDirectory()) {
      throw new RegistrySyncError('USAGE', `${path} is a directory, not an archive`);
    }
    if (status.isFile()) return disposing(file, status.size);
    const whole = await spooled(file.createReadStream({ autoClose: false }), tmpdir, signal);
    await file.close();
    return whole;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function disposing(file: FileHandle, size: number): OpenArchive {
  return { file, size, [Symbol.asyncDispose]: () => file.close() };
}
