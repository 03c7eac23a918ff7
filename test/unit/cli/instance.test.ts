import { equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { instanceFor } from '../../../src/cli/instance.ts';
import { parsePlatform } from '../../../src/image/platform.ts';
import { readManifest, type StoredManifest } from '../../../src/image/manifest.ts';
import { image, index } from '../../support/images.ts';

function listOf(...platforms: string[]): StoredManifest {
  const entries = platforms.map((text) => ({
    image: image({ seed: text }),
    platform: parsePlatform(text),
  }));
  const { root } = index(entries, { attestations: true });
  return readManifest(root.bytes, root.mediaType);
}

/** What is offered, what is wanted, what is taken. */
const CHOSEN: [string, string, string][] = [
  ['linux/amd64 linux/arm64', 'linux/arm64', 'linux/arm64'],
  ['linux/arm64/v8 linux/amd64', 'linux/arm64', 'linux/arm64/v8'],
  ['linux/arm64/v8 linux/arm64', 'linux/arm64', 'linux/arm64'],
  ['linux/arm64', 'linux/arm64/v8', 'linux/arm64'],
  ['linux/arm/v5 linux/arm/v6', 'linux/arm/v7', 'linux/arm/v6'],
  ['linux/arm/v5 linux/arm/v7', 'linux/arm', 'linux/arm/v7'],
  ['linux/amd64 linux/amd64/v3', 'linux/amd64/v3', 'linux/amd64/v3'],
];

describe('instanceFor', () => {
  for (const [offered, wanted, taken] of CHOSEN) {
    it(`takes ${taken} of ${offered} for ${wanted}`, () => {
      const list = listOf(...offered.split(' '));
      const { digest } = instanceFor(list, parsePlatform(wanted), 'x');
      equal(digest, image({ seed: taken }).root.digest);
    });
  }

  it('says which platforms there are when there is none for this one', () => {
    const list = listOf('linux/arm/v7', 'windows/amd64');
    throws(() => instanceFor(list, parsePlatform('linux/arm/v6'), 'r/a:1'), {
      code: 'UNSUPPORTED',
      message: /^r\/a:1 has no image for linux\/arm\/v6, only for linux\/arm\/v7, windows\/amd64,/,
    });
  });
});
