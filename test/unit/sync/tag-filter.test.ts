import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { TagInfo } from '../../../src/registry/catalog.ts';
import {
  createTagFilter,
  matcher,
  Newest,
  newestFirst,
  type TagFilterOptions,
} from '../../../src/sync/tag-filter.ts';

const NOW = Date.parse('2024-06-30T00:00:00Z');
const DAY = 24 * 60 * 60 * 1000;

/** The tags of these that a filter keeps. */
function kept(options: TagFilterOptions, names: readonly string[]): string[] {
  const filter = createTagFilter(options, NOW);
  return names.filter((name) => filter({ name }) === undefined);
}

/** A pattern, texts it matches, texts it does not: as Python 3.11's re.match says. */
const PATTERNS: [string, string[], string[]][] = [
  ['v1', ['v1', 'v1.2', 'v10'], ['xv1', 'V1', '']],
  ['v1$', ['v1'], ['v1.2', 'v11']],
  ['a|b', ['a', 'b1', 'ax'], ['xb']],
  ['^v1', ['v1.0'], ['xv1']],
  ['.*-rc', ['1-rc', '-rc.1'], ['1-r']],
  ['(?i)V1', ['v1', 'V1.2'], ['x']],
  ['(?P<major>\\d+)\\.(?P=major)$', ['1.1', '22.22'], ['1.2']],
  ['(\\d)\\1$', ['11'], ['12']],
  ['\\Av\\d+\\Z', ['v1', 'v22'], ['v1Z', 'Av1Z', 'v1.0']],
  ['\\\\Z', ['\\Z'], ['']],
  ['(?!latest)', ['1.0', ''], ['latest', 'latest-1']],
  ['', ['anything', ''], []],
  ['[0-9]{1,2}\\.\\d', ['1.0', '12.3'], ['123.4']],
];

describe('matcher', () => {
  for (const [pattern, matching, others] of PATTERNS) {
    it(`matches ${JSON.stringify(pattern)} at the start, as Python does`, () => {
      const matches = matcher('--x', pattern) ?? (() => false);

      deepEqual([...matching, ...others].filter(matches), matching);
    });
  }

  it('is none without a pattern', () => {
    equal(matcher('--x', undefined), undefined);
  });

  for (const pattern of ['(', '[a', '*', 'a**', '(?x) v1 ', '(?L)a', '(?P<1>a)', '(?Q)']) {
    it(`refuses ${pattern}, naming option and pattern`, () => {
      throws(
        () => matcher('--tag-regex', pattern),
        (error: Error & { code: string }) => {
          ok(error.message.startsWith(`--tag-regex ${JSON.stringify(pattern)} is no regular`));
          return error.code === 'USAGE';
        },
      );
    });
  }
});

const VERSIONS = ['v1.2.3', '1.2', 'v2', '2.0.0-rc.1', '2.1.0', '1.2-alpine', 'latest', '01.2.3'];

/** Options, and which of VERSIONS they keep. */
const KEPT: [TagFilterOptions, string[]][] = [
  [{}, VERSIONS],
  [{ tagRegex: 'v' }, ['v1.2.3', 'v2']],
  [{ excludeTagRegex: 'v|l' }, ['1.2', '2.0.0-rc.1', '2.1.0', '1.2-alpine', '01.2.3']],
  [{ tagRegex: 'v', excludeTagRegex: '.*2$' }, ['v1.2.3']],
  [{ semver: '>=1.2 <2' }, ['v1.2.3', '1.2', '01.2.3']],
  [{ semver: '^2' }, ['v2', '2.1.0']],
  [{ semver: '>=2.0.0-0' }, ['v2', '2.0.0-rc.1', '2.1.0']],
  [{ semver: '*' }, ['v1.2.3', '1.2', 'v2', '2.1.0', '01.2.3']],
  [{ semver: '~1.2 || 2.1.x', tagRegex: 'v|2' }, ['v1.2.3', '2.1.0']],
];

describe('createTagFilter', () => {
  for (const [options, expected] of KEPT) {
    it(`keeps ${expected.join(' ')} for ${JSON.stringify(options)}`, () => {
      deepEqual(kept(options, VERSIONS), expected);
    });
  }

  it('gives the reason why a tag is dropped', () => {
    const reason = (options: TagFilterOptions, name: string): string | undefined =>
      createTagFilter(options, NOW)({ name });

    equal(reason({ tagRegex: 'v' }, '1'), 'does not match v');
    equal(reason({ excludeTagRegex: '1' }, '1'), 'matches 1, which excludes it');
    equal(reason({ semver: '>1' }, 'x'), 'is no semantic version');
    equal(reason({ semver: '>1' }, '0.1'), 'is not in the range >1');
  });

  it('refuses a range that is none', () => {
    throws(() => createTagFilter({ semver: 'newest' }, NOW), {
      code: 'USAGE',
      message: /^--semver "newest" is no range of versions/,
    });
  });
});

describe('ages', () => {
  const days = (age: number): TagInfo => ({
    name: `${age}`,
    lastUpdatedOn: new Date(NOW - age * DAY).toISOString(),
  });
  const ages = [0, 1, 6.9, 7, 7.1, 30, 31];
  const keptAges = (options: TagFilterOptions): number[] =>
    ages.filter((age) => createTagFilter(options, NOW)(days(age)) === undefined);

  it('are days since the last update, both ends included', () => {
    deepEqual(keptAges({ tagMinAge: 7 }), [7, 7.1, 30, 31]);
    deepEqual(keptAges({ tagMaxAge: 7 }), [0, 1, 6.9, 7]);
    deepEqual(keptAges({ tagMinAge: 7, tagMaxAge: 30 }), [7, 7.1, 30]);
    deepEqual(keptAges({ tagMinAge: 0 }), ages);
    deepEqual(keptAges({ tagMaxAge: 0 }), [0]);
  });

  it('read dates as Azure writes them', () => {
    const filter = createTagFilter({ tagMinAge: 1 }, NOW);

    equal(filter({ name: 'a', lastUpdatedOn: '2024-06-01T08:00:00.1234567Z' }), undefined);
  });

  it('are refused where the registry gives no date, with what to use instead', () => {
    const filter = createTagFilter({ tagMinAge: 1 }, NOW);

    for (const tag of [{ name: 'a' }, { name: 'a', lastUpdatedOn: 'yesterday' }]) {
      throws(() => filter(tag), { code: 'USAGE', message: /tag a, so --tag-min-age .* --semver/ });
    }
  });

  it('are not looked at for tags that other filters drop', () => {
    const filter = createTagFilter({ tagMinAge: 1, tagRegex: 'v' }, NOW);

    equal(filter({ name: 'x' }), 'does not match v');
  });
});

/** The newest of these tags, and in which order the others fell out. */
function newest(count: number, tags: readonly TagInfo[]): { kept: string[]; dropped: string[] } {
  const newestTags = new Newest(count);
  const dropped: string[] = [];
  for (const tag of tags) {
    newestTags.add(tag);
    dropped.push(...newestTags.takeDropped().map(({ name }) => name));
  }
  const keptTags = newestTags.take().map(({ name }) => name);
  return { kept: keptTags, dropped: [...dropped, ...newestTags.takeDropped().map((t) => t.name)] };
}

const named = (...names: string[]): TagInfo[] => names.map((name) => ({ name }));

describe('Newest', () => {
  it('goes by date where there is one, whatever the version says', () => {
    const tags = [
      { name: '9.0.0', lastUpdatedOn: '2024-01-01T00:00:00Z' },
      { name: '1.0.0', lastUpdatedOn: '2024-03-01T00:00:00Z' },
      { name: 'main', lastUpdatedOn: '2024-02-01T00:00:00+02:00' },
    ];

    deepEqual(newest(2, tags).kept, ['1.0.0', 'main']);
  });

  it('goes by version without dates, prereleases before their release, other tags last', () => {
    const tags = named('latest', '1.9.0', 'v1.10.0', '2.0.0-rc.1', '2.0.0', '1.2', 'v3');

    deepEqual(newest(7, tags).kept, [
      'v3',
      '2.0.0',
      '2.0.0-rc.1',
      'v1.10.0',
      '1.9.0',
      '1.2',
      'latest',
    ]);
  });

  it('goes by name where there is neither, numbers in it by their value', () => {
    deepEqual(newest(3, named('build-9', 'build-100', 'build-20', 'a')).kept, [
      'build-100',
      'build-20',
      'build-9',
    ]);
  });

  it('finds the newest of many more than twice as many, in any order, and drops all the others', () => {
    const names = Array.from({ length: 1000 }, (_, n) => `1.${(n * 617) % 1000}.0`);

    const found = newest(5, named(...names));

    deepEqual(found.kept, ['1.999.0', '1.998.0', '1.997.0', '1.996.0', '1.995.0']);
    deepEqual([...found.kept, ...found.dropped].toSorted(), names.toSorted());
  });

  it('keeps all when there are fewer', () => {
    deepEqual(newest(5, named('1.0.0', '2.0.0')), { kept: ['2.0.0', '1.0.0'], dropped: [] });
  });

  it('orders totally: dated tags before those without a date', () => {
    const tags = [
      { name: '1.0.0' },
      { name: 'a', lastUpdatedOn: '2020-01-01T00:00:00Z' },
      { name: '2.0.0' },
    ];

    deepEqual(
      tags.toSorted(newestFirst).map(({ name }) => name),
      ['a', '2.0.0', '1.0.0'],
    );
  });
});
