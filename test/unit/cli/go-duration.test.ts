import { equal, throws } from 'node:assert/strict';
import { it } from 'node:test';

import { readDuration } from '../../../src/cli/go-duration.ts';

it('reads lengths of time as Go writes them', () => {
  const read: [string, number][] = [
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['1m0.5s', 60_500],
    ['100ms', 100],
    ['1000us', 1],
    ['1000µs', 1],
    ['5000000ns', 5],
    ['0', 0],
    ['+1s', 1000],
  ];
  for (const [text, ms] of read) equal(readDuration('x', text), ms, text);
});

it('refuses all else, and names the option', () => {
  for (const text of ['', '90', 's', '1 s', '-1s', '1d', '1h30', 'abc', '1s x']) {
    const message = `--x: ${JSON.stringify(text)} is no length of time, as in 90s or 1h30m`;
    throws(() => readDuration('x', text), { code: 'USAGE', message });
  }
});
