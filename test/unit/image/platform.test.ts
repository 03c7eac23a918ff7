import { deepEqual, equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { formatPlatform, matchesPlatform, parsePlatform } from '../../../src/image/platform.ts';

/** What is wanted, what is offered, whether that will do. */
const MATCHES: [string, string, boolean][] = [
  ['linux/amd64', 'linux/amd64', true],
  ['linux/amd64', 'linux/arm64', false],
  ['linux/amd64', 'windows/amd64', false],
  ['linux/arm64', 'linux/arm64/v8', true],
  ['linux/arm64/v8', 'linux/arm64', true],
  ['linux/arm64/v9', 'linux/arm64', false],
  ['linux/arm', 'linux/arm/v6', true],
  ['linux/arm/v7', 'linux/arm/v6', false],
  ['linux/arm/v7', 'linux/arm', false],
];

describe('matchesPlatform', () => {
  for (const [wanted, offered, expected] of MATCHES) {
    it(`takes ${offered} ${expected ? 'for' : 'not for'} ${wanted}`, () => {
      equal(matchesPlatform(parsePlatform(wanted), parsePlatform(offered)), expected);
    });
  }
});

describe('parsePlatform', () => {
  it('reads any case, and is written back', () => {
    deepEqual(parsePlatform('Linux/ARM/v7'), { os: 'linux', architecture: 'arm', variant: 'v7' });
    equal(formatPlatform(parsePlatform('linux/arm/v7')), 'linux/arm/v7');
    equal(formatPlatform(parsePlatform('linux/amd64')), 'linux/amd64');
  });

  for (const text of [
    '',
    'linux',
    'linux/',
    '/amd64',
    'linux/arm/',
    'linux/arm/v7/x',
    'linux/a md64',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      throws(() => parsePlatform(text), { code: 'USAGE' });
    });
  }
});
