/**
 * Reads a tar of an OCI layout, strictly: regular files of the layout's own names. Nothing here
 * writes a file; whoever does gets no name that could lead anywhere.
 *
 * Sources: POSIX pax; OCI Image Specification 1.1, «Image Layout».
 */
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

import { extract, type Extract, type Header } from 'tar-stream';

import { RegistrySyncError } from '../base/errors.ts';
import { shown } from '../base/shown.ts';
import { isObject } from '../image/descriptor.ts';
import { tryParseDigest, type Digest } from '../image/digest.ts';

export type LayoutName =
  | { readonly kind: 'oci-layout' | 'index.json' }
  | { readonly kind: 'blob'; readonly digest: Digest };

export interface LayoutEntry {
  readonly name: LayoutName;
  /** Bytes. */
  readonly size: number;
  /** Is to be read to its end before the next entry. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** More than the blobs of any real archive; fewer than fill a file system's table. */
const MAX_ENTRIES = 50_000;
/** What may stand before an entry, after the last, or in a pax header. Bytes. */
const MAX_BETWEEN_ENTRIES = 2 * 1024 * 1024;
/** Layers are compressed already: an archive that grows more is a bomb. */
const MAX_GROWTH = 200;
const FREE_GROWTH_BYTES = 64 * 1024 * 1024;

/**
 * The entries of an archive, gzip'ed or not, in its own order. What is harmless and no part of a
 * layout is left out.
 *
 * @throws {RegistrySyncError} `PROTOCOL` for what is no tar, for names that lead outside, for links,
 * devices and sparse files, for a name that is there twice, for too many entries.
 */
export async function* layoutEntries(
  path: string,
  signal: AbortSignal,
): AsyncGenerator<LayoutEntry, void, void> {
  const progress = { between: true, read: 0, mark: 0 };
  const extractor = extract();
  const feeding = feed(path, extractor, progress, signal);
  feeding.catch(() => {}); // thrown below
  const seen = new Set<string>();
  let entries = 0;
  try {
    for await (const entry of extractor) {
      progress.between = false;
      const name = checkedName(entry.header, seen, path);
      if ((entries += 1) > MAX_ENTRIES) throw refused(path, `has more than ${MAX_ENTRIES} entries`);
      if (name === undefined) await drain(entry);
      else yield { name, size: entry.header.size, body: explained(entry, feeding, path) };
      progress.between = true;
      progress.mark = progress.read;
    }
    await feeding;
  } catch (error) {
    extractor.destroy();
    throw await reasonOf(error, feeding, path);
  } finally {
    extractor.destroy();
    await feeding.catch(() => {});
  }
}

interface Progress {
  /** No entry is being read. */
  between: boolean;
  /** Bytes of the tar. */
  read: number;
  /** Where the last entry ended. */
  mark: number;
}

async function feed(
  path: string,
  extractor: Extract,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  try {
    const handle = await open(path, 'r');
    try {
      const isGzip = await isGzipped(handle, path);
      const file = handle.createReadStream({ start: 0, autoClose: false });
      const counted = (bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> =>
        bounded(bytes, progress, file, path);
      if (isGzip) await pipeline(file, createGunzip(), counted, extractor, { signal });
      else await pipeline(file, counted, extractor, { signal });
    } finally {
      await handle.close();
    }
  } catch (error) {
    extractor.destroy(error as Error); // whoever waits for an entry waits no longer
    throw error;
  }
}

async function* bounded(
  bytes: AsyncIterable<Buffer>,
  progress: Progress,
  file: { readonly bytesRead: number },
  path: string,
): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    progress.read += chunk.byteLength;
    if (progress.between && progress.read - progress.mark > MAX_BETWEEN_ENTRIES) {
      throw refused(path, `has more than ${MAX_BETWEEN_ENTRIES} bytes that are no entry`);
    }
    if (progress.read > MAX_GROWTH * file.bytesRead + FREE_GROWTH_BYTES) {
      throw refused(path, `grows more than ${MAX_GROWTH} times as it is uncompressed`);
    }
    yield chunk;
  }
}

async function isGzipped(handle: FileHandle, path: string): Promise<boolean> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(6), 0, 6, 0);
  const magic = buffer.subarray(0, bytesRead).toString('hex');
  for (const [start, name] of OTHER_COMPRESSIONS) {
    if (magic.startsWith(start)) throw unsupported(path, name);
  }
  return magic.startsWith('1f8b');
}

const OTHER_COMPRESSIONS = [
  ['28b52ffd', 'zstd'],
  ['425a68', 'bzip2'],
  ['fd377a585a00', 'xz'],
] as const;

function checkedName(header: Header, seen: Set<string>, path: string): LayoutName | undefined {
  const { name: raw, type } = header;
  const name = raw.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '');
  const quoted = JSON.stringify(shown(raw, 100));
  if (leadsOutside(name)) throw refused(path, `has the entry ${quoted}, which leads outside of it`);
  if (type !== 'file' && type !== 'directory') {
    throw refused(
      path,
      `has the entry ${quoted}, which is no file but a ${type ?? 'thing unknown'}`,
    );
  }
  if (isSparse(header)) throw refused(path, `has the entry ${quoted}, which is a sparse file`);
  if (type === 'directory') {
    if (layoutName(name) === undefined) return undefined;
    throw refused(path, `has a directory ${quoted} where a file belongs`);
  }
  if (seen.has(name)) throw refused(path, `has the entry ${quoted} twice`);
  seen.add(name);
  return layoutName(name);
}

function leadsOutside(name: string): boolean {
  return (
    name.startsWith('/') ||
    name.includes('\\') ||
    name.includes('\0') ||
    /^[A-Za-z]:/.test(name) ||
    name.split('/').includes('..')
  );
}

function isSparse({ pax }: Header): boolean {
  return isObject(pax) && Object.keys(pax).some((key) => key.startsWith('GNU.sparse'));
}

function layoutName(name: string): LayoutName | undefined {
  if (name === 'oci-layout' || name === 'index.json') return { kind: name };
  const [blobs, algorithm = '', hex = '', ...more] = name.split('/');
  if (blobs !== 'blobs' || more.length > 0) return undefined;
  const digest = tryParseDigest(`${algorithm}:${hex}`);
  return digest === undefined ? undefined : { kind: 'blob', digest };
}

/** The bytes of an entry; what ends them too early is said in our words. */
async function* explained(
  entry: AsyncIterable<unknown>,
  feeding: Promise<void>,
  path: string,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for await (const chunk of entry) yield chunk as Uint8Array;
  } catch (error) {
    throw await reasonOf(error, feeding, path);
  }
}

async function drain(entry: AsyncIterable<unknown>): Promise<void> {
  const chunks = entry[Symbol.asyncIterator]();
  while (!(await chunks.next()).done);
}

/** Of the two ends of a pipe the first that failed knows why. */
async function reasonOf(error: unknown, feeding: Promise<void>, path: string): Promise<unknown> {
  if (error instanceof RegistrySyncError) return error;
  let first = error;
  try {
    await feeding;
  } catch (reason) {
    first = reason;
  }
  if (first instanceof RegistrySyncError) return first;
  const { code, message, name } = first as NodeJS.ErrnoException;
  if (name === 'AbortError') return new RegistrySyncError('CANCELLED', 'stopped', { cause: first });
  if (code !== undefined && /^E[A-Z]+$/.test(code)) return first; // of the file system
  const what = `is no readable tar archive: ${shown(message, 100)}`;
  return new RegistrySyncError('PROTOCOL', `${path} ${what}`, { cause: first });
}

function refused(path: string, what: string): RegistrySyncError {
  return new RegistrySyncError('PROTOCOL', `${path} ${what}: it is not used`);
}

function unsupported(path: string, name: string): RegistrySyncError {
  const message = `${path} is compressed with ${name}: unpack it first (only gzip is read)`;
  return new RegistrySyncError('UNSUPPORTED', message);
}
