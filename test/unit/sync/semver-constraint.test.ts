import { deepEqual, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { compileConstraint } from '../../../src/sync/semver-constraint.ts';

const TAGS = [
  '1',
  '1.2',
  '1.2.3',
  'v1.2.9',
  '1.3.0',
  '1.3.0-rc.1',
  '2.0.0',
  '2.0.0-alpine',
  '3.12',
  '03.1.0',
  'latest',
  '1.2.3.4',
];

/** A constraint and which of the tags it lets pass. Source: the README of Masterminds/semver. */
const CONSTRAINTS: [string, string[]][] = [
  ['>= 1.3', ['1.3.0', '2.0.0', '3.12', '03.1.0']],
  ['>= 3.1.0', ['3.12', '03.1.0']],
  ['>1.2', ['1.3.0', '2.0.0', '3.12', '03.1.0']],
  ['<=1.2', ['1', '1.2', '1.2.3', 'v1.2.9']],
  ['=> 2, =< 2', ['2.0.0']],
  ['>= 1.2, < 1.3', ['1.2', '1.2.3', 'v1.2.9']],
  ['>= 1.2 < 1.3', ['1.2', '1.2.3', 'v1.2.9']],
  ['>=1.2 <1.3 || = 2.0.0', ['1.2', '1.2.3', 'v1.2.9', '2.0.0']],
  ['1.2 - 1.3.0', ['1.2', '1.2.3', 'v1.2.9', '1.3.0']],
  ['1.2.x', ['1.2', '1.2.3', 'v1.2.9']],
  ['1.2', ['1.2', '1.2.3', 'v1.2.9']],
  ['~1.2.3', ['1.2.3', 'v1.2.9']],
  ['~>1.2.3', ['1.2.3', 'v1.2.9']],
  ['^1.2.3', ['1.2.3', 'v1.2.9', '1.3.0']],
  ['*', ['1', '1.2', '1.2.3', 'v1.2.9', '1.3.0', '2.0.0', '3.12', '03.1.0']],
  ['^1, != 1.2.3', ['1', '1.2', 'v1.2.9', '1.3.0']],
  ['!= 1.2, < 2', ['1', '1.3.0']],
  ['>= 1.3.0-0, < 2', ['1.3.0']],
  ['>= 1.3.0-0 <= 2.0.0-z', ['1.3.0', '1.3.0-rc.1', '2.0.0-alpine']],
];

describe('compileConstraint', () => {
  for (const [constraint, expected] of CONSTRAINTS) {
    it(`lets pass what is ${constraint}`, () => {
      deepEqual(TAGS.filter(compileConstraint('x', constraint)), expected);
    });
  }

  for (const wrong of ['', 'latest', '>=', '>= 1.2 and more', '1.2 ||', '1.2.3.4']) {
    it(`refuses ${JSON.stringify(wrong)}`, () => {
      throws(() => compileConstraint('f.yml:3:', wrong), {
        code: 'USAGE',
        message: /^f\.yml:3: ".*" is no constraint of versions: write for example/,
      });
    });
  }
});
