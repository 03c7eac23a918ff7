import { equal, throws } from 'node:assert/strict';
import { it } from 'node:test';

import { readAge, readDays } from '../../../../src/cli/options/age.ts';

const HOUR = 3_600_000;

it('an age has days too', () => {
  equal(readAge('x', '36h'), 36 * HOUR);
  equal(readAge('x', '3d'), 72 * HOUR);
  equal(readAge('x', '1d12h'), 36 * HOUR);
  equal(readAge('x', '0'), 0);
});

it('an age without a unit may be meant as anything', () => {
  for (const text of ['36', 'd', '3 d', '3d4', '']) {
    throws(() => readAge('max-age', text), {
      code: 'USAGE',
      message: `--max-age: ${JSON.stringify(text)} is no age: write for example 36h or 3d`,
    });
  }
});

it('days are a number, or say that they are days', () => {
  equal(readDays('x', '30'), 30);
  equal(readDays('x', '30d'), 30);
  for (const text of ['36h', '1.5', '-1', '']) {
    throws(() => readDays('min-age', text), {
      code: 'USAGE',
      message: /write for example 30 or 30d/,
    });
  }
});
