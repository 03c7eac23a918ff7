/** Blobs as a source gives them: small ones whole, others as streams. */
import { Readable } from 'node:stream';

import type { BlobBytes } from '../../src/image/source-and-sink.ts';

/** A blob's bytes as a stream, whichever way they came. */
export function streamOf(bytes: BlobBytes): Readable {
  if (!(bytes instanceof Uint8Array)) return bytes;
  return Readable.from([Buffer.from(bytes)], { objectMode: false });
}
