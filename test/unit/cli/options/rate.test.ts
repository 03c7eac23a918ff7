import { equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { readRate } from '../../../../src/cli/options/rate.ts';

describe('a rate', () => {
  for (const [text, rate] of [
    ['1000', 1000],
    ['500kB', 500_000],
    ['20MB', 20_000_000],
    ['20mb/s', 20_000_000],
    ['1.5MiB', 1_572_864],
    ['2 G', 2_000_000_000],
  ] as const) {
    it(`is read from ${text}`, () => equal(readRate('bandwidth-limit', text), rate));
  }

  it('is none when it is not given', () =>
    equal(readRate('bandwidth-limit', undefined), undefined));

  for (const text of ['', 'fast', '-1', '0', '20 apples', '1e9']) {
    it(`is not read from ${JSON.stringify(text)}`, () => {
      throws(() => readRate('bandwidth-limit', text), {
        code: 'USAGE',
        message: /^--bandwidth-limit: ".*" is no number of bytes per second, as in 20MB$/,
      });
    });
  }
});
