import { deepEqual, equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { isInShard, parseShard } from '../../../src/sync/shard.ts';

const PATHS = Array.from({ length: 5000 }, (_, n) => `team-${n % 7}/app-${n}`);

describe('a shard', () => {
  it('is read from I/N', () => {
    deepEqual(parseShard('2/16'), { index: 2, of: 16 });
    deepEqual(parseShard('0/1'), { index: 0, of: 1 });
  });

  for (const text of ['', '1', '3/3', '1/0', '-1/3', 'a/b', '1/3/5', '0/10001']) {
    it(`is not read from ${JSON.stringify(text)}`, () => {
      throws(() => parseShard(text), { code: 'USAGE', message: /^--shard ".*": write I\/N/ });
    });
  }

  for (const of of [1, 3, 16]) {
    it(`has its own repositories, and all ${of} together have all`, () => {
      const counts = PATHS.map(
        (path) =>
          Array.from({ length: of }, (_, index) => isInShard(path, { index, of })).filter(Boolean)
            .length,
      );

      deepEqual(new Set(counts), new Set([1]));
    });

    it(`is about as large as the other ${of - 1}`, () => {
      for (let index = 0; index < of; index += 1) {
        const share = PATHS.filter((path) => isInShard(path, { index, of })).length;
        equal(Math.abs(share / (PATHS.length / of) - 1) < 0.25, true);
      }
    });
  }

  it('has the same repositories in every version', () => {
    const shards = ['acme/web', 'acme/api', 'library/redis', 'a'].map((path) =>
      Array.from({ length: 16 }, (_, index) => index).find((index) =>
        isInShard(path, { index, of: 16 }),
      ),
    );

    deepEqual(shards, [14, 12, 6, 2]);
  });
});
