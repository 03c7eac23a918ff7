import { deepEqual, equal, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { digestOf } from '../../../src/image/digest.ts';
import { verified } from '../../../src/image/verified.ts';
import { collect } from '../../support/collect.ts';

const BYTES = Buffer.from('abcdefghij');
const EXPECTED = { digest: digestOf(BYTES), size: BYTES.length };

/** Chunks of `size` bytes that note how many were given, and whether the reader closed them. */
function chunked(bytes: Buffer, size: number) {
  const state = { given: 0, isClosed: false };
  async function* give(): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (let at = 0; at < bytes.length; at += size) {
        state.given += 1;
        yield bytes.subarray(at, at + size);
      }
    } finally {
      state.isClosed = true;
    }
  }
  return { state, bytes: give() };
}

/** What was handed on before the failure, and its code. */
async function handedOn(bytes: Buffer, size: number): Promise<[string, unknown]> {
  let received = '';
  try {
    for await (const chunk of verified(chunked(bytes, size).bytes, EXPECTED)) {
      received += String(chunk);
    }
  } catch (error) {
    return [received, (error as { code?: unknown }).code];
  }
  return [received, undefined];
}

/** What it shows, the bytes that come, all that may be handed on of them in chunks of 3. */
const WRONG: [string, string, string][] = [
  ['a damaged first byte', 'Xbcdefghij', 'Xbcdefghi'],
  ['a damaged last byte', 'abcdefghiX', 'abcdefghi'],
  ['a byte too few', 'abcdefghi', 'abcdef'],
  ['a byte too many', 'abcdefghijk', 'abcdef'],
  ['nothing at all', '', ''],
];

describe('verified', () => {
  for (const size of [1, 3, 10, 100]) {
    it(`passes true bytes on, in chunks of ${size}`, async () => {
      deepEqual(await handedOn(BYTES, size), ['abcdefghij', undefined]);
    });
  }

  for (const [shown, bytes, allowed] of WRONG) {
    it(`refuses ${shown} before the last chunk is handed on`, async () => {
      deepEqual(await handedOn(Buffer.from(bytes), 3), [allowed, 'CONTENT_MISMATCH']);
      deepEqual(await handedOn(Buffer.from(bytes), 100), ['', 'CONTENT_MISMATCH']);
    });
  }

  it('passes empty content', async () => {
    const empty = { digest: digestOf(Buffer.alloc(0)), size: 0 };

    deepEqual(await collect(verified(chunked(Buffer.alloc(0), 1).bytes, empty)), []);
  });

  it('does not take an empty chunk for the last one', async () => {
    async function* withEmpty(): AsyncGenerator<Uint8Array, void, void> {
      yield Buffer.from('abcdefghiX');
      yield Buffer.alloc(0);
    }
    const received: Uint8Array[] = [];

    await rejects(
      async () => {
        for await (const chunk of verified(withEmpty(), EXPECTED)) received.push(chunk);
      },
      { code: 'CONTENT_MISMATCH' },
    );

    deepEqual(received, []);
  });

  it('says how many bytes there were', async () => {
    const short = chunked(BYTES.subarray(1), 3).bytes;

    await rejects(collect(verified(short, EXPECTED)), { message: /has 9 bytes instead of 10$/ });
  });

  it('reads no further than the first byte too many', async () => {
    const endless = chunked(Buffer.alloc(1000), 3);

    await rejects(collect(verified(endless.bytes, EXPECTED)), { code: 'CONTENT_MISMATCH' });

    deepEqual(endless.state, { given: 4, isClosed: true });
  });

  it('closes its source when the reader stops early', async () => {
    const source = chunked(BYTES, 3);

    for await (const _ of verified(source.bytes, EXPECTED)) break;

    equal(source.state.isClosed, true);
  });

  for (const algorithm of ['sha384', 'sha512']) {
    it(`checks ${algorithm}`, async () => {
      const good = { digest: digestOf(BYTES, algorithm), size: BYTES.length };
      const bad = { digest: digestOf(Buffer.from('other'), algorithm), size: BYTES.length };

      equal(Buffer.concat(await collect(verified(chunked(BYTES, 4).bytes, good))).length, 10);
      await rejects(collect(verified(chunked(BYTES, 4).bytes, bad)), { code: 'CONTENT_MISMATCH' });
    });
  }
});
