import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { naturalKey, Strings } from '../../../src/report/strings.ts';

describe('strings', () => {
  it('are numbered in the order in which they come, each once', () => {
    const strings = new Strings();

    const ids = ['b', 'a', 'b', '', 'ü/é'].map((text) => strings.add(text));

    deepEqual(ids, [0, 1, 0, 2, 3]);
    deepEqual(
      [0, 1, 2, 3, 4].map((id) => strings.at(id)),
      ['b', 'a', '', 'ü/é', ''],
    );
    equal(strings.find('a'), 1);
    equal(strings.find('c'), undefined);
    equal(strings.count, 4);
  });

  it('are found again when there are many', () => {
    const strings = new Strings();
    const texts = Array.from({ length: 50_000 }, (_, n) => `team-${n % 7}/app-${n}`);

    const ids = texts.map((text) => strings.add(text));

    deepEqual(ids, [...texts.keys()]);
    deepEqual(
      texts.map((text) => strings.add(text)),
      ids,
    );
    deepEqual(
      texts.map((text) => strings.find(text)),
      ids,
    );
    deepEqual(
      ids.map((id) => strings.at(id)),
      texts,
    );
  });

  it('are compared as plain text', () => {
    const strings = new Strings();
    const [b, a, ab] = ['b', 'a', 'ab'].map((text) => strings.add(text));

    equal(strings.compare(a ?? -1, b ?? -1), -1);
    equal(strings.compare(ab ?? -1, a ?? -1), 1);
    equal(strings.compare(b ?? -1, b ?? -1), 0);
  });
});

describe('naturalKey', () => {
  it('sorts numbers in names by their value', () => {
    const names = [
      'v10',
      'v9',
      'v1.10',
      'v1.9',
      'v1.09',
      'latest',
      '2',
      '10',
      'v1.9-rc2',
      'v1.9-rc10',
    ];

    const sorted = names.toSorted((a, b) => (naturalKey(a) < naturalKey(b) ? -1 : 1));

    deepEqual(sorted.slice(0, 3), ['2', '10', 'latest']);
    deepEqual(
      sorted.filter((name) => /rc|v\d+$|v1\.10/.test(name)),
      ['v1.9-rc2', 'v1.9-rc10', 'v1.10', 'v9', 'v10'],
    );
  });
});
