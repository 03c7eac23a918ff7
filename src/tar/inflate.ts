/**
 * Tells how a file is packed, and unpacks it as a stream that has an end.
 *
 * Sources: RFC 1952 (gzip); RFC 8878 (zstd), «Frame Header»; the magic numbers of bzip2 and xz.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

import { RegistrySyncError } from '../base/errors.ts';
import { shown } from '../base/shown.ts';

export type Packing = 'gzip' | 'zstd' | 'bzip2' | 'xz';

/** How many bytes `packingOf` and `inflated` want to see of the beginning of a file. */
export const HEAD_BYTES = 18;

const MAGIC: readonly (readonly [Packing, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b, 0x08]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

/** What zstd itself accepts unless it is told otherwise. Bytes. */
const MAX_ZSTD_WINDOW = 128 * 1024 * 1024;

/** How a file that begins with `head` is packed; `undefined`: in none of the known ways. */
export function packingOf(head: Uint8Array): Packing | undefined {
  return MAGIC.find(([, magic]) => magic.every((byte, at) => head[at] === byte))?.[0];
}

/**
 * Unpacks. `maxBytes` ends what would fill the disk.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when the bytes are damaged or too many come out of them;
 * `UNSUPPORTED` for bzip2 and xz.
 */
export async function* inflated(
  bytes: AsyncIterable<Uint8Array>,
  packing: Packing,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  let total = 0;
  for await (const chunk of inflate(bytes, packing)) {
    total += chunk.byteLength;
    if (total > maxBytes) {
      const message = `grows to more than ${maxBytes} bytes when it is unpacked`;
      throw new RegistrySyncError('PROTOCOL', message);
    }
    yield chunk;
  }
}

function inflate(bytes: AsyncIterable<Uint8Array>, packing: Packing): AsyncIterable<Uint8Array> {
  if (packing === 'gzip') return gunzipped(bytes);
  if (packing === 'zstd') return unzstd(bytes);
  const [tool, ending] = packing === 'bzip2' ? ['bunzip2', 'bz2'] : ['unxz', 'xz'];
  const message = `is packed with ${packing}, which is not read here: unpack it first, as with «${tool} -k FILE.${ending}»`;
  throw new RegistrySyncError('UNSUPPORTED', message);
}

async function* gunzipped(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  const feeding = pipeline(Readable.from(bytes, { objectMode: false }), gunzip);
  feeding.catch(() => {}); // the same error comes out of the other end
  try {
    yield* gunzip as AsyncIterable<Uint8Array>;
  } catch (error) {
    const { code = '' } = error as { code?: string };
    throw code.startsWith('Z_') ? damaged('gzip', error) : error;
  } finally {
    gunzip.destroy();
  }
}

/** Node 20 has no zstd of its own. */
async function* unzstd(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import('fzstd');
  const out: Uint8Array[] = [];
  const decompress = new Decompress((chunk) => void out.push(Uint8Array.from(chunk)));
  const push = (chunk: Uint8Array, isLast: boolean): void => {
    try {
      decompress.push(chunk, isLast);
    } catch (error) {
      throw damaged('zstd', error);
    }
  };
  let isFirst = true;
  for await (const chunk of bytes) {
    if (isFirst) checkWindow(chunk);
    isFirst = false;
    push(chunk, false);
    yield* out.splice(0);
  }
  push(new Uint8Array(), true);
  yield* out.splice(0);
}

/** How much memory the file asks for: RFC 8878, 3.1.1.1. */
function checkWindow(head: Uint8Array): void {
  const { 4: descriptor = 0, 5: window = 0 } = head;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const base = 2 ** (10 + (window >> 3));
  if (isSingleSegment || base + (base / 8) * (window & 7) <= MAX_ZSTD_WINDOW) return;
  const message = `needs more than ${MAX_ZSTD_WINDOW} bytes of memory to be unpacked`;
  throw new RegistrySyncError('UNSUPPORTED', message);
}

function damaged(packing: Packing, cause: unknown): RegistrySyncError {
  const { message } = cause as Error;
  return new RegistrySyncError('PROTOCOL', `is damaged ${packing}: ${shown(message)}`, { cause });
}
