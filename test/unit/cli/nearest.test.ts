import { equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { nearestTo } from '../../../src/cli/nearest.ts';

const KNOWN = ['registry', 'registry-name', 'workdir', 'jobs', 'semver'];

describe('nearestTo', () => {
  for (const [word, expected] of [
    ['registri', 'registry'],
    ['regstry', 'registry'],
    ['registryname', 'registry-name'],
    ['work-dir', 'workdir'],
    ['job', 'jobs'],
    ['sem-ver', 'semver'],
    ['jobs', 'jobs'],
    ['j', undefined],
    ['password', undefined],
    ['', undefined],
  ] as const) {
    it(`takes ${JSON.stringify(word)} for ${expected ?? 'nothing'}`, () => {
      equal(nearestTo(word, KNOWN), expected);
    });
  }

  it('knows nothing among nothing', () => {
    equal(nearestTo('x', []), undefined);
  });
});
