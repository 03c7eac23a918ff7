import { deepEqual } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { readMachine } from '../../../../src/cli/options/machine.ts';

const NOTHING = {
  'override-os': undefined,
  'override-arch': undefined,
  'override-variant': undefined,
};

describe('readMachine', () => {
  for (const [platform, arch, expected] of [
    ['linux', 'x64', { os: 'linux', architecture: 'amd64' }],
    ['linux', 'arm64', { os: 'linux', architecture: 'arm64' }],
    ['linux', 'ppc64', { os: 'linux', architecture: 'ppc64le' }],
    ['win32', 'ia32', { os: 'windows', architecture: '386' }],
    ['darwin', 'arm64', { os: 'darwin', architecture: 'arm64' }],
  ] as const) {
    it(`names ${platform} ${arch} as Go does`, () => {
      deepEqual(readMachine(NOTHING, { platform, arch }), expected);
    });
  }

  it('obeys options', () => {
    const options = { 'override-os': 'linux', 'override-arch': 'arm', 'override-variant': 'v7' };
    deepEqual(readMachine(options, { platform: 'darwin', arch: 'x64' }), {
      os: 'linux',
      architecture: 'arm',
      variant: 'v7',
    });
  });
});
