/**
 * The bytes of layers, inflated and compressed as they pass: never more of them in memory than a few
 * pieces.
 *
 * Sources: RFC 1952; RFC 8878.
 */
import { Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import type { Transform } from 'node:stream';

import { Decompress } from 'fzstd';

import { RegistrySyncError } from '../base/errors.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { LayerFormat } from '../image/layer-types.ts';
import type { BlobBytes } from '../image/source-and-sink.ts';

export type Bytes = AsyncIterable<Uint8Array>;

const CHUNK_BYTES = 64 * 1024;

/** Of so many bytes zstd can make some 16 MiB, which are held at once. */
const ZSTD_SLICE_BYTES = 512;

/** Zstandard's windows are held whole; larger ones need an option with zstd itself. Bytes. */
const MAX_ZSTD_WINDOW = 128 * 1024 * 1024;

/**
 * The tar in a layer. How it is compressed is seen from its first bytes: media types are wrong at
 * times.
 *
 * @throws {RegistrySyncError} `PROTOCOL` that names the layer when its compression is damaged.
 */
export async function* inflated(layer: Descriptor, blob: BlobBytes): AsyncGenerator<Uint8Array> {
  const bytes = blob instanceof Uint8Array ? Readable.from([blob]) : blob;
  const { format, all } = await detected(bytes);
  let failure: { readonly error: unknown } | undefined;
  const read = noting(all, (error) => (failure = { error }));
  try {
    yield* format === 'plain' ? read : (format === 'gzip' ? gunzipped : unzstded)(read);
  } catch (cause) {
    if (failure !== undefined) throw failure.error;
    const message = `layer ${layer.digest} is damaged: its ${format} can't be read (${(cause as Error).message})`;
    throw new RegistrySyncError('PROTOCOL', message, { cause });
  } finally {
    bytes.destroy();
  }
}

/** Tells a failure of the source from one of what is done with its bytes. */
async function* noting(bytes: Bytes, failed: (error: unknown) => void): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of bytes) yield chunk;
  } catch (error) {
    failed(error);
    throw error;
  }
}

async function detected(
  bytes: Readable,
): Promise<{ readonly format: LayerFormat; readonly all: Bytes }> {
  const chunks = bytes[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  const first: Uint8Array[] = [];
  let done = false;
  while (!done && first.reduce((sum, { length }) => sum + length, 0) < 4) {
    const next = await chunks.next();
    if (next.done === true) done = true;
    else first.push(next.value);
  }
  const head = Buffer.concat(first);
  async function* all(): AsyncGenerator<Uint8Array> {
    if (head.length > 0) yield head;
    for (;;) {
      const next = done ? undefined : await chunks.next();
      if (next === undefined || next.done === true) return;
      yield next.value;
    }
  }
  return { format: formatOf(head), all: all() };
}

function formatOf(head: Buffer): LayerFormat {
  if (head.length >= 2 && head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head.length < 4) return 'plain';
  const magic = head.readUInt32LE(0);
  const isSkippable = magic >>> 4 === 0x184d2a5;
  return magic === 0xfd2fb528 || isSkippable ? 'zstd' : 'plain';
}

/** Through a transform of Node's; a failure before it ends both. */
async function* through(bytes: Bytes, transform: Transform): AsyncGenerator<Uint8Array> {
  const source = Readable.from(bytes, { objectMode: false });
  source.once('error', (error) => transform.destroy(error));
  try {
    for await (const chunk of source.pipe(transform)) yield chunk as Uint8Array;
  } finally {
    source.destroy();
    transform.destroy();
  }
}

function gunzipped(bytes: Bytes): AsyncGenerator<Uint8Array> {
  return through(bytes, zlib.createGunzip({ chunkSize: CHUNK_BYTES }));
}

/**
 * Not by node:zlib, which ends after the first of several frames and says nothing
 * (https://github.com/nodejs/node/issues/64741); zstd:chunked layers have many.
 */
async function* unzstded(bytes: Bytes): AsyncGenerator<Uint8Array> {
  let ready: Uint8Array[] = [];
  const decompress = new Decompress((chunk) => {
    if (chunk.byteLength > 0) ready.push(chunk);
  });
  let isFirst = true;
  for await (const chunk of bytes) {
    if (isFirst) checkWindow(chunk);
    isFirst = false;
    for (let at = 0; at < chunk.byteLength; at += ZSTD_SLICE_BYTES) {
      decompress.push(chunk.slice(at, at + ZSTD_SLICE_BYTES));
      yield* ready;
      ready = [];
    }
  }
  decompress.push(new Uint8Array(0), true);
  yield* ready;
}

/** RFC 8878 §3.1.1.1.2. A frame in one segment has no window of its own. */
function checkWindow(head: Uint8Array): void {
  const [descriptor = 0, window = 0] = head.subarray(4, 6);
  if ((descriptor & 0x20) !== 0) return;
  const base = 2 ** (10 + (window >> 3));
  if (base + (base / 8) * (window & 7) > MAX_ZSTD_WINDOW) {
    throw new Error(`its window is larger than ${MAX_ZSTD_WINDOW} bytes`);
  }
}

/** How layers are to be compressed. */
export interface Compression {
  readonly format: LayerFormat;
  readonly level?: number;
}

type ZstdMaker = (options: object) => Transform;
const { createZstdCompress } = zlib as unknown as { readonly createZstdCompress?: ZstdMaker };
const ZSTD_LEVEL = 100; // zlib.constants.ZSTD_c_compressionLevel

/** @throws {RegistrySyncError} `USAGE` for a level that there is not, `UNSUPPORTED` for what this Node lacks. */
export function checkCompression({ format, level }: Compression): void {
  if (format === 'zstd' && createZstdCompress === undefined) {
    const message = `layers can't be compressed with zstd by Node ${process.versions.node}: use Node 22.15 or later, or gzip`;
    throw new RegistrySyncError('UNSUPPORTED', message);
  }
  const most = format === 'zstd' ? 22 : 9;
  if (level === undefined || (Number.isInteger(level) && level >= 1 && level <= most)) return;
  const message = `${level} is no level of ${format}: there are 1 to ${most}`;
  throw new RegistrySyncError('USAGE', message);
}

export function compressed(bytes: Bytes, { format, level }: Compression): Bytes {
  if (format === 'plain') return bytes;
  if (format === 'gzip')
    return through(
      bytes,
      zlib.createGzip({ chunkSize: CHUNK_BYTES, ...(level !== undefined && { level }) }),
    );
  const params = level === undefined ? {} : { [ZSTD_LEVEL]: level };
  return through(bytes, (createZstdCompress as ZstdMaker)({ chunkSize: CHUNK_BYTES, params }));
}
