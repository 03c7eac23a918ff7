import { equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { readDuration } from '../../../../src/cli/options/duration.ts';

describe('readDuration', () => {
  for (const [text, ms] of [
    ['5s', 5000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['.5s', 500],
    ['250ms', 250],
    ['+2m', 120_000],
    ['0', 0],
    ['0s', 0],
  ] as const) {
    it(`reads ${text}`, () => equal(readDuration('retry-delay', text), ms));
  }

  for (const text of ['5', 's', '-5s', '5 s', '5d', '1h x', '']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      const message = /^--retry-delay: ".*" is no length of time/;
      throws(() => readDuration('retry-delay', text), { code: 'USAGE', message });
    });
  }
});
