/**
 * Content in files: written under another name and renamed when it is whole and on the disk; read
 * without following links.
 */
import { constants } from 'node:fs';
import { lstat, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';

import {
  cancelled,
  RegistrySyncError,
  throwIfAborted,
  withDetails,
  withName,
} from '../base/errors.ts';
import { onAbort } from '../base/on-abort.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { UNKNOWN_SIZE } from '../image/schema1.ts';
import { SMALL_BLOB_BYTES, type BlobBytes } from '../image/source-and-sink.ts';
import { verified } from '../image/verified.ts';
import { syncDirectory, temporaryIn } from '../files/directory.ts';
import { isAbsent, reading, unexpected, writing } from '../files/file-failure.ts';

const CHUNK_BYTES = 256 * 1024;

/** Whether a file of that size is there, or of any where it is not known. A link is none. */
export async function isBlobFile(path: string, size: number): Promise<boolean> {
  return reading(path, async () => {
    try {
      const found = await lstat(path);
      return found.isFile() && (size === UNKNOWN_SIZE || found.size === size);
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  });
}

/** @throws {RegistrySyncError} `NOT_FOUND` when there is no such file. */
export async function sizeOfBlobFile(path: string): Promise<number> {
  return reading(path, async () => (await lstat(path)).size);
}

/**
 * The bytes of a file that holds `target`: checked as they are read, small ones whole. `where` is
 * what the file is called in messages.
 *
 * @throws {RegistrySyncError} `NOT_FOUND`; `CONTENT_MISMATCH` when it has another size; `PROTOCOL`
 * when it is no file.
 */
export async function readBlobFile(
  path: string,
  target: Descriptor,
  signal: AbortSignal,
  where = path,
): Promise<BlobBytes> {
  try {
    throwIfAborted(signal);
    const handle = await openFile(path, where);
    try {
      return await bytesOf(handle, target, signal, where);
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (error) {
    throw withDetails(error, { side: 'source' }); // the sink asks for it
  }
}

async function bytesOf(
  handle: FileHandle,
  target: Descriptor,
  signal: AbortSignal,
  where: string,
): Promise<BlobBytes> {
  const { size } = await handle.stat();
  if (size !== target.size) {
    const message = `${where} has ${size} bytes instead of ${target.size}`;
    throw new RegistrySyncError('CONTENT_MISMATCH', message);
  }
  const bytes = named(verified(chunksOf(handle, signal), target), where);
  if (size > SMALL_BLOB_BYTES) return streamOf(bytes, handle);
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  await handle.close();
  return Buffer.concat(chunks);
}

/**
 * A whole file that should be small. `where` is what it is called in messages.
 *
 * @throws {RegistrySyncError} `NOT_FOUND`; `PROTOCOL` when it is no file or has more than `maxBytes`.
 */
export async function readSmallFile(
  path: string,
  maxBytes: number,
  where = path,
): Promise<Uint8Array> {
  const handle = await openFile(path, where);
  try {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of chunksOf(handle)) {
      size += chunk.byteLength;
      if (size > maxBytes) throw unexpected(where, `has more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } finally {
    await handle.close();
  }
}

/**
 * Writes bytes that are checked elsewhere, atomically. Right before they are seen `isWanted` is asked:
 * if they no longer are, all is as it was, and the answer is `false`.
 */
export async function writeWhole(
  path: string,
  bytes: Uint8Array,
  isWanted?: () => Promise<boolean>,
): Promise<boolean> {
  return writeThenRename(
    path,
    async (handle) => {
      await handle.writeFile(bytes);
    },
    isWanted,
  );
}

/**
 * Makes `path` hold `target`; what is written is checked once more.
 *
 * @throws {RegistrySyncError} `CONTENT_MISMATCH`, and then `path` is as it was.
 */
export async function writeBlobFile(
  path: string,
  target: Descriptor,
  bytes: BlobBytes,
  signal: AbortSignal,
): Promise<void> {
  const stream = bytes instanceof Uint8Array ? undefined : bytes;
  stream?.on('error', () => {}); // thrown below, by who reads it
  const leave = onAbort(signal, () => stream?.destroy(cancelled(signal)));
  try {
    await writeThenRename(path, async (handle) => {
      const chunks = stream ?? [bytes as Uint8Array];
      const checked = verified(chunks as AsyncIterable<Uint8Array>, target);
      for await (const chunk of checked) await writeAll(handle, chunk);
      throwIfAborted(signal);
    });
  } finally {
    leave();
    stream?.destroy();
  }
}

async function writeThenRename(
  path: string,
  write: (handle: FileHandle) => Promise<void>,
  isWanted: () => Promise<boolean> = async () => true,
): Promise<boolean> {
  const directory = dirname(path);
  const temporary = temporaryIn(directory);
  return writing(path, async () => {
    try {
      await writeSynced(temporary, write);
      if (!(await isWanted())) return false;
      await rename(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
    await syncDirectory(directory);
    return true;
  });
}

async function writeSynced(
  path: string,
  write: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const handle = await open(path, 'wx', 0o644);
  try {
    await write(handle);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes all of a chunk, however much the system takes at a time. */
export async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.byteLength;) {
    at += (await handle.write(chunk, at, chunk.byteLength - at)).bytesWritten;
  }
}

async function openFile(path: string, where: string): Promise<FileHandle> {
  return reading(where, async () => {
    // A pipe without a writer would be waited for.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const handle = await open(path, flags);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    throw unexpected(where, 'is no file');
  });
}

async function* chunksOf(
  handle: FileHandle,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  for (;;) {
    if (signal !== undefined) throwIfAborted(signal);
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK_BYTES));
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/** A failure is only seen by who reads: nobody may be listening yet when the signal is aborted. */
function streamOf(bytes: AsyncGenerator<Uint8Array, void, void>, handle: FileHandle): Readable {
  const stream = Readable.from(closing(bytes, handle), {
    objectMode: false,
    highWaterMark: CHUNK_BYTES,
  });
  stream.once('close', () => void handle.close().catch(() => {})); // when it was never read
  return stream;
}

async function* closing(
  bytes: AsyncGenerator<Uint8Array, void, void>,
  handle: FileHandle,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for await (const chunk of bytes) yield chunk;
  } finally {
    await handle.close();
  }
}

async function* named(
  bytes: AsyncIterable<Uint8Array>,
  where: string,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for await (const chunk of bytes) yield chunk;
  } catch (error) {
    throw withName(error, where, { side: 'source' });
  }
}
