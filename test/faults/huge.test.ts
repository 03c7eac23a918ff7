/**
 * A large blob whose tokens end while it is under way, at both ends. With REGISTRY_SYNC_TEST_HUGE=1 it
 * has 2 GiB, else 64 MiB.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Descriptor } from '../../src/image/descriptor.ts';
import { parseDigest } from '../../src/image/digest.ts';
import { Repository } from '../../src/registry/repository.ts';
import { NEVER } from '../support/client.ts';
import { digestOfHuge, MIB, startHuge, type HugeOptions } from './huge-blob.ts';
import { createNet } from './net.ts';

const IS_HUGE = process.env['REGISTRY_SYNC_TEST_HUGE'] === '1';
const SIZE = (IS_HUGE ? 2048 : 64) * MIB + 7;
const DIGEST = digestOfHuge(SIZE);
const BLOB: Descriptor = {
  mediaType: 'application/octet-stream',
  digest: parseDigest(DIGEST),
  size: SIZE,
};
const TIMEOUT_MS = IS_HUGE ? 300_000 : 20_000;
/** More than buffers and what is not yet collected; a test of 64 MiB could not tell. */
const MAX_GROWTH = IS_HUGE ? 400 * MIB : Infinity;

/** Copies the blob from a registry of these ways to another of those. */
async function copyHuge(from: Partial<HugeOptions>, to: Partial<HugeOptions>) {
  await using source = await startHuge({ size: SIZE, digest: DIGEST, ...from });
  await using target = await startHuge({ size: SIZE, digest: DIGEST, ...to });
  const net = createNet();
  const read = new Repository(net.client(source.host), 'a').source('1');
  await using sink = new Repository(net.client(target.host), 'a').sink('1');
  const before = process.memoryUsage().rss;
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 50);
  try {
    const outcome = await sink.putBlob(BLOB, () => read.blob(BLOB, NEVER), NEVER);
    equal(outcome, 'copied');
  } finally {
    clearInterval(watch);
  }
  ok(target.isThere, 'with the right digest');
  ok(most - before < MAX_GROWTH, `${Math.round((most - before) / MIB)} MiB more memory`);
  return { source, target };
}

describe('a large blob', () => {
  it(
    'is copied though the source’s tokens end again and again',
    { timeout: TIMEOUT_MS },
    async () => {
      const bytesPerToken = SIZE / 8;

      const { source, target } = await copyHuge({ bytesPerToken }, {});

      equal(source.tokens, 8);
      equal(source.requests.filter((one) => one === 'GET broken').length, 7);
      ok(source.bytes < SIZE + 8 * 2 * MIB, 'hardly anything is read twice');
      equal(target.bytes, SIZE);
    },
  );

  it('is sent anew when the target refuses the token midway', { timeout: TIMEOUT_MS }, async () => {
    const refuseUploadAfter = Math.floor(SIZE / 2);

    const { source, target } = await copyHuge({}, { refuseUploadAfter });

    deepEqual(target.requests, ['HEAD 404', 'POST 202', 'PATCH 401', 'PATCH 202', 'PUT 201']);
    equal(target.tokens, 2);
    ok(target.bytes < 2 * SIZE);
    ok(source.bytes < 2 * SIZE);
  });

  it(
    'is closed with a new token when the first ended with its last byte',
    { timeout: TIMEOUT_MS },
    async () => {
      const { target } = await copyHuge({}, { bytesPerToken: SIZE });

      deepEqual(target.requests, ['HEAD 404', 'POST 202', 'PATCH 202', 'PUT 401', 'PUT 201']);
      equal(target.bytes, SIZE);
    },
  );
});
