/**
 * Reads tar archives by position: an index says what is where, and nothing is ever unpacked by name.
 *
 * Sources: POSIX.1-2017, «pax Interchange Format»; GNU tar, «Basic Tar Format». What goes wrong when
 * archives are believed: CVE-2021-21272, CVE-2026-23745 and their kin.
 */
import type { FileHandle } from 'node:fs/promises';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { extract, type Header } from 'tar-stream';

import { RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import { shown } from '../base/shown.ts';

/** More than an archive of images has by far; fewer than would fill the memory. */
const MAX_TAR_ENTRIES = 100_000;

/** As of Linux's PATH_MAX. */
const MAX_NAME_LENGTH = 4096;

/** A link to a link to a link: archives of images have one. */
const MAX_LINKS = 8;

const CHUNK_BYTES = 256 * 1024;
const ZEROS = new Uint8Array(4 * CHUNK_BYTES);

/** Where the bytes of a regular file are. */
export interface TarFile {
  readonly name: string;
  /** From the beginning of the archive. Bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** What stands for another entry; `target` is a name of the archive. */
interface TarLink {
  readonly target: string;
}

/** The entries of an archive by name, without a leading `./`. */
export class TarIndex {
  readonly #entries = new Map<string, TarFile | TarLink>();
  readonly #repeated = new Set<string>();

  add(name: string, entry: TarFile | TarLink): void {
    if (this.#entries.has(name)) this.#repeated.add(name);
    this.#entries.set(name, entry);
  }

  /**
   * The regular file of that name.
   *
   * @throws {RegistrySyncError} `PROTOCOL` when it is a link, or there more than once.
   */
  file(name: string): TarFile | undefined {
    const entry = this.#one(name);
    if (entry === undefined || 'offset' in entry) return entry;
    throw new RegistrySyncError('PROTOCOL', `${quoted(name)} is a link, where a file belongs`);
  }

  /**
   * The same, or what a link of that name leads to.
   *
   * @throws {RegistrySyncError} `PROTOCOL` when links lead nowhere, or in a circle.
   */
  linked(name: string): TarFile | undefined {
    let entry = this.#one(name);
    for (let links = 0; entry !== undefined && 'target' in entry; links += 1) {
      if (links === MAX_LINKS) throw unusable(name, `is a link that leads in a circle or too far`);
      const { target } = entry;
      entry = this.#one(target);
      if (entry === undefined)
        throw unusable(name, `is a link to ${quoted(target)}, which is absent`);
    }
    return entry;
  }

  #one(name: string): TarFile | TarLink | undefined {
    const plain = nameIn(name);
    if (this.#repeated.has(plain)) throw unusable(plain, 'is there more than once');
    return this.#entries.get(plain);
  }
}

/** What is read: a file of `size` bytes, of which `name` is told to people elsewhere. */
export interface TarBytes {
  readonly file: FileHandle;
  /** Bytes. */
  readonly size: number;
}

/**
 * Looks through an archive that is not compressed. The contents of its files are passed over.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when it is no tar, or has what an archive of images never has:
 * devices, names that lead elsewhere, more than `maxEntries`.
 */
export async function indexTar(
  { file, size }: TarBytes,
  signal: AbortSignal,
  maxEntries = MAX_TAR_ENTRIES,
): Promise<TarIndex> {
  const index = new TarIndex();
  const extraction = extract();
  let entries = 0;
  let dataEnd = 0;
  extraction.on('entry', (entry, content, next) => {
    const header = entry as Header & Position;
    content.on('error', () => {}); // the pipeline tells it too
    try {
      entries += 1;
      if (entries > maxEntries) throw invalid(`it has more than ${maxEntries} entries`);
      const found = readEntry(header);
      if (found !== undefined) index.add(found.name, found.entry);
      dataEnd = header.byteOffset + header.size;
      content.resume();
      next();
    } catch (error) {
      next(error as Error);
    }
  });
  try {
    const bytes = headersOf({ file, size }, () => dataEnd, signal);
    await pipeline(Readable.from(bytes, { objectMode: false, highWaterMark: 1 }), extraction);
  } catch (error) {
    if (error instanceof RegistrySyncError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== undefined && code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    throw new RegistrySyncError('PROTOCOL', `is no tar archive: ${shown(message)}`, {
      cause: error,
    });
  }
  return index;
}

/** Known to tar-stream, but not to its types. */
interface Position {
  readonly byteOffset: number;
}

/** The bytes of an archive, where what was said to be content may be zeros that were not read. */
async function* headersOf(
  { file, size }: TarBytes,
  dataEnd: () => number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  let at = 0;
  while (at < size) {
    throwIfAborted(signal);
    const passed = Math.min(dataEnd(), size) - at;
    if (passed > CHUNK_BYTES) {
      const zeros = ZEROS.subarray(0, passed);
      at += zeros.length;
      yield zeros;
      continue;
    }
    const chunk = await readAt(file, at, Math.min(CHUNK_BYTES, size - at));
    at += chunk.length;
    yield chunk;
  }
}

/** The bytes of one file of an archive. */
export async function* bytesOf(
  file: FileHandle,
  { offset, size }: Pick<TarFile, 'offset' | 'size'>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const end = offset + size;
  for (let at = offset; at < end;) {
    throwIfAborted(signal);
    const chunk = await readAt(file, at, Math.min(CHUNK_BYTES, end - at));
    at += chunk.length;
    yield chunk;
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, position);
  if (bytesRead === 0) throw invalid('it ends too early');
  return buffer.subarray(0, bytesRead);
}

/** What an entry is; `undefined`: nothing to be read. */
function readEntry(
  header: Header & Position,
): { readonly name: string; readonly entry: TarFile | TarLink } | undefined {
  const { type, size, linkname, byteOffset, pax } = header;
  const name = nameIn(header.name);
  if (Object.keys(pax ?? {}).some((key) => key.startsWith('GNU.sparse.'))) {
    throw unusable(name, 'is a sparse file: pack the archive without --sparse');
  }
  switch (type) {
    case 'directory':
      return undefined;
    case 'file':
    case 'contiguous-file':
      if (name === '') throw invalid('it has a file without a name');
      return { name, entry: { name, offset: byteOffset, size } };
    case 'link':
      return { name, entry: { target: nameIn(String(linkname)) } };
    case 'symlink':
      return { name, entry: { target: linkTarget(name, String(linkname)) } };
    default:
      throw unusable(name, `is neither a file, a directory nor a link (${String(type)})`);
  }
}

/** `a/../b` is only followed as far as it stays inside. */
function linkTarget(name: string, to: string): string {
  if (to.startsWith('/'))
    throw unusable(name, `is a link to ${quoted(to)}, outside of the archive`);
  const target = posix.join(posix.dirname(name), to);
  if (target === '..' || target.startsWith('../')) {
    throw unusable(name, `is a link to ${quoted(to)}, outside of the archive`);
  }
  return nameIn(target);
}

/** A name as the index has it. */
function nameIn(text: string): string {
  const isLong = text.length > MAX_NAME_LENGTH;
  const parts = isLong ? [] : text.split('/').filter((part) => part !== '.' && part !== '');
  const leadsOut = text.startsWith('/') || /^[A-Za-z]:[\\/]/.test(text) || parts.includes('..');
  if (isLong || leadsOut || /[\\\0]/.test(text)) {
    throw invalid(`it has an entry named ${quoted(text)}`);
  }
  return parts.join('/');
}

function quoted(name: string): string {
  return JSON.stringify(shown(name, 100));
}

function unusable(name: string, what: string): RegistrySyncError {
  return invalid(`its entry ${quoted(name)} ${what}`);
}

function invalid(what: string): RegistrySyncError {
  return new RegistrySyncError('PROTOCOL', `can't be used: ${what}`);
}
