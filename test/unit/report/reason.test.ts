import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { reasonOf, Reasons } from '../../../src/report/reason.ts';
import { digest } from '../../support/report-workdir.ts';

const NAMES = { path: 'acme/web', name: '1.2', target: 'r.test/mirror/web' };

describe('the reason in an error', () => {
  for (const [error, reason] of [
    ['target r.test/mirror/web:1.2: 429 TOOMANYREQUESTS', 'target r.test: 429 TOOMANYREQUESTS'],
    [
      `source s.test/acme/web:1.2: blob ${digest('x')}: connection reset after 123456 bytes`,
      'source s.test: blob DIGEST: connection reset after N bytes',
    ],
    ['PUT https://r.test:5000/v2/a/manifests/1: 401', 'PUT r.test:5000: 401'],
    ['no tag acme/web:1.2 in acme/web', 'no tag IMAGE in REPOSITORY'],
    ['request 0e8b9f6c-1111-2222-3333-444455556666 refused', 'request ID refused'],
  ] as const) {
    it(`of ${JSON.stringify(error.slice(0, 40))} has no names in it`, () => {
      equal(reasonOf(error, NAMES), reason);
    });
  }
});

describe('reasons', () => {
  it('are counted, the most frequent first, with a few rows of each', () => {
    const reasons = new Reasons();
    reasons.add('rare', 1);
    for (let row = 2; row < 102; row += 1) reasons.add('often', row);

    const [first, second] = reasons.list();

    deepEqual([first?.text, first?.count, first?.examples.length], ['often', 100, 20]);
    deepEqual(second, { text: 'rare', count: 1, examples: [1] });
  });

  it('do not grow without end', () => {
    const reasons = new Reasons();
    for (let row = 0; row < 2000; row += 1) reasons.add(`reason ${row}`, row);

    const list = reasons.list();

    equal(list.length, 501);
    deepEqual([list[0]?.text, list[0]?.count], ['other reasons', 1500]);
  });
});
