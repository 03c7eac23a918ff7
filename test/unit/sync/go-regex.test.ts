import { equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { compileGoRegex } from '../../../src/sync/go-regex.ts';

/** A pattern, what it matches, what it doesn't. */
const PATTERNS: [string, string[], string[]][] = [
  ['1\\.2', ['1.2', 'x1.2y'], ['112']],
  ['.*-release$', ['1.0-release', '-release'], ['1.0-release2', '1.0-RELEASE']],
  ['^1\\.13\\.[12]-alpine-perl$', ['1.13.1-alpine-perl'], ['1.13.3-alpine-perl', 'x1.13.1-alpine']],
  ['(?i)^RC', ['rc1', 'RC1'], ['1-rc']],
  ['^(?:a|b[1-3])$', ['a', 'b2'], ['ab2', 'c']],
  ['^(?P<major>\\d+)$', ['12'], ['1a']],
  ['^(?<major>\\d+)$', ['12'], ['1a']],
  ['\\Av\\d\\z', ['v1'], ['xv1', 'v1x']],
  ['^\\Q1.0+x\\E$', ['1.0+x'], ['1.0x', '100+x']],
  ['^\\Q1.0', ['1.0'], ['1x0']],
  ['^[[:alpha:]_]+$', ['ab_'], ['a1', ':']],
  ['^[[:digit:].]+$', ['1.0'], ['1-0']],
  ['^[:a]+$', [':a'], ['b']],
  ['^[]a]+$', [']a'], ['b']],
  ['^[^]a]+$', ['bc'], ['a', ']']],
  ['^[a[]+$', ['a['], ['b']],
  ['^[a[]b$', ['[b', 'ab'], ['b']],
  ['^\\pL+$', ['aZ'], ['a1']],
  ['^\\p{Lu}\\P{Lu}$', ['Ab'], ['AB', 'ab']],
  ['^[\\pN.]+$', ['1.2'], ['a']],
  ['^\\x61\\x{62}$', ['ab'], ['ba']],
  ['^a]$', ['a]'], ['a']],
  ['^\\w+\\-\\w+$', ['a-b'], ['a.b']],
];

const WRONG: [string, RegExp][] = [
  ['(', /^--filter "\(" is no regular expression/],
  ['a(?=b)', /\(\?= looks around, which Go can't$/],
  ['a(?<!b)', /looks around/],
  ['(a)\\1', /\\1 has no meaning/],
  ['1.0\\Z', /\\Z has no meaning/],
  ['a(?i)b', /flags as \(\?i\) may stand only at its beginning/],
  ['[[:word-like:]]x(', /is no regular expression/],
  ['[[:letters:]]', /there is no class \[:letters:\]/],
  ['[[:^alpha:]]', /is not supported/],
  ['\\p{Greek}', /\\p\{Greek\} is not supported: write the characters/],
  ['a**', /is no regular expression/],
];

describe('compileGoRegex', () => {
  for (const [pattern, yes, no] of PATTERNS) {
    it(`matches as Go does: ${pattern}`, () => {
      const matches = compileGoRegex('--filter', pattern);
      for (const text of yes) equal(matches(text), true, text);
      for (const text of no) equal(matches(text), false, text);
    });
  }

  for (const [pattern, message] of WRONG) {
    it(`refuses ${pattern}`, () => {
      throws(() => compileGoRegex('--filter', pattern), { code: 'USAGE', message });
    });
  }
});

it('gives up what JavaScript would take years for', () => {
  const matches = compileGoRegex('--filter', '^([a-z]+-?)+$');
  throws(() => matches(`${'a'.repeat(60)}_`), { code: 'USAGE', message: /takes too long/ });
  equal(matches('abc-d'), true);
});
