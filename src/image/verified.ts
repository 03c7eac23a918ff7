/** Bytes that are what their descriptor says, or an error before the last of them is handed on. */
import { RegistrySyncError } from '../base/errors.ts';
import type { Descriptor } from './descriptor.ts';
import { hashLike } from './digest.ts';

/**
 * Passes `bytes` on, counting and hashing, and holds the last chunk back until size and digest
 * agree. A receiver that was told the size can therefore never hold a whole, wrong blob.
 *
 * @throws {RegistrySyncError} `CONTENT_MISMATCH` as soon as there are too many bytes, else at the end.
 */
export async function* verified(
  bytes: AsyncIterable<Uint8Array>,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
): AsyncGenerator<Uint8Array, void, void> {
  const hash = hashLike(digest);
  let received = 0;
  let held: Uint8Array | undefined;
  for await (const chunk of bytes) {
    if (chunk.byteLength === 0) continue;
    received += chunk.byteLength;
    if (received > size) throw mismatch(digest, `is longer than ${size} bytes`);
    hash.update(chunk);
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (received !== size) throw mismatch(digest, `has ${received} bytes instead of ${size}`);
  const actual = hash.digest('hex');
  if (!digest.endsWith(`:${actual}`)) throw mismatch(digest, `hashes to ${actual}`);
  if (held !== undefined) yield held;
}

function mismatch(digest: string, what: string): RegistrySyncError {
  const message = `content of ${digest} ${what}`;
  return new RegistrySyncError('CONTENT_MISMATCH', message, { details: { mismatch: what } });
}
