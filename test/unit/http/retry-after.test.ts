import { equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { parseRetryAfter } from '../../../src/http/retry-after.ts';

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);

/** The value, milliseconds. */
const VALUES: [string | undefined, number | undefined][] = [
  ['0', 0],
  ['7', 7000],
  [' 7 ', 7000],
  ['999999999', 999_999_999_000],
  ['Thu, 01 Jan 2026 12:00:30 GMT', 30_000],
  ['Thursday, 01-Jan-26 12:00:30 GMT', 30_000],
  ['Thu Jan  1 12:00:30 2026', 30_000],
  ['Thu, 01 Jan 2026 11:00:00 GMT', 0],
  [undefined, undefined],
  ['', undefined],
  ['-1', undefined],
  ['1.5', undefined],
  ['1e3', undefined],
  ['7s', undefined],
  ['0x10', undefined],
  ['9999999999', undefined],
  ['2026-01-01', undefined],
  ['soon', undefined],
  ['Soon, or later', undefined],
  ['1, 2', undefined],
];

describe('parseRetryAfter', () => {
  for (const [value, expected] of VALUES) {
    it(`reads ${JSON.stringify(value)} as ${expected}`, () => {
      equal(parseRetryAfter(value, NOW), expected);
    });
  }

  it('knows that dates without a zone are GMT, wherever it runs', (t) => {
    const { TZ } = process.env;
    t.after(() => (TZ === undefined ? delete process.env.TZ : (process.env.TZ = TZ)));
    process.env.TZ = 'Asia/Tokyo';

    equal(parseRetryAfter('Thu Jan  1 12:00:30 2026', NOW), 30_000);
  });
});
