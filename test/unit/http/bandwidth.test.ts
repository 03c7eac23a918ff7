import { deepEqual, equal, rejects } from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';

import { Bandwidth, withBandwidth } from '../../../src/http/bandwidth.ts';
import { compose, type Send } from '../../../src/http/send.ts';
import { NEVER } from '../../support/client.ts';
import { collect } from '../../support/collect.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const CHUNK = Buffer.alloc(1000);
const CHUNKS: Send = async () => ({
  status: 200,
  headers: {},
  body: Readable.from(Array.from({ length: 20 }, () => CHUNK)),
});
const URL_OF_BLOB = new URL('https://r.test/v2/a/blobs/x');

function slowed(bytesPerSecond: number) {
  const clock = new FakeClock();
  const send = compose(CHUNKS, withBandwidth(new Bandwidth(bytesPerSecond, clock)));
  const read = async (signal = NEVER): Promise<number> => {
    const { body } = await send({ method: 'GET', url: URL_OF_BLOB, signal });
    return Buffer.concat(await collect<Buffer>(body as AsyncIterable<Buffer>)).length;
  };
  return { clock, send, read };
}

describe('withBandwidth', () => {
  it('lets a body come as fast as it may', async () => {
    const { clock, read } = slowed(10_000);
    const started = clock.now();

    equal(await read(), 20_000);

    equal(Math.round((clock.now() - started) / 100), 19); // of 2 s a tenth may come at once
  });

  it('holds for all bodies together', async () => {
    const { clock, read } = slowed(10_000);
    const started = clock.now();

    deepEqual(await Promise.all([read(), read()]), [20_000, 20_000]);

    equal(Math.round((clock.now() - started) / 100), 39);
  });

  it('ends the wait of who is stopped', async () => {
    const { read } = slowed(1);
    const stopped = AbortSignal.abort();

    await rejects(read(stopped), { code: 'CANCELLED' });
  });
});
