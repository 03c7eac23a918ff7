import { deepEqual, equal, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { Fingerprints } from '../../../src/sync/fingerprints.ts';

describe('Fingerprints', () => {
  it('tells new names, repeated ones, and those with another value', () => {
    const seen = new Fingerprints();

    deepEqual(
      [seen.add('a', '1'), seen.add('a', '1'), seen.add('a', '2'), seen.add('b', '2')],
      ['new', 'same', 'other', 'new'],
    );
  });

  it('keeps the first value of a name', () => {
    const seen = new Fingerprints();
    seen.add('a', '1');
    seen.add('a', '2');

    deepEqual([seen.add('a', '2'), seen.add('a', '1')], ['other', 'same']);
  });

  it('forgets and confuses none of 100,000 names, however often it grows', () => {
    const seen = new Fingerprints();
    const names = Array.from({ length: 100_000 }, (_, n) => `r.test/acme/web-${n % 317}:v${n}`);
    const answers = { new: 0, same: 0, other: 0 };

    for (const name of names) answers[seen.add(name, `of ${name}`)] += 1;
    deepEqual(answers, { new: 100_000, same: 0, other: 0 });
    for (const name of names) answers[seen.add(name, `of ${name}`)] += 1;
    deepEqual(answers, { new: 100_000, same: 100_000, other: 0 });
    equal(seen.add(names[99_999] ?? '', 'something else'), 'other');
  });

  it('needs less than 64 bytes a name', () => {
    const before = process.memoryUsage().arrayBuffers;
    const seen = new Fingerprints();

    for (let n = 0; n < 60_000; n += 1) seen.add(`a name that is longer than sixty-four ${n}`, 'x');

    ok(process.memoryUsage().arrayBuffers - before < 60_000 * 64 + 1_000_000);
    equal(seen.add('a name that is longer than sixty-four 1', 'x'), 'same');
  });

  it('knows what was entered, also after it has grown', () => {
    const seen = new Fingerprints();
    for (let n = 0; n < 5000; n += 1) seen.add(`name ${n}`, '');

    equal(seen.has('name 0'), true);
    equal(seen.has('name 4999'), true);
    equal(seen.has('name 5000'), false);
    equal(new Fingerprints().has('name 0'), false);
  });
});
