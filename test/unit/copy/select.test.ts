import { deepEqual, equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { ALL, selectFrom, type Selection } from '../../../src/copy/select.ts';
import { childrenOf, readManifest, type StoredManifest } from '../../../src/image/manifest.ts';
import { parsePlatform } from '../../../src/image/platform.ts';
import { image, index, type BuiltImage } from '../../support/images.ts';

const PLATFORMS = ['linux/amd64', 'linux/arm64', 'linux/arm/v7', 'windows/amd64'].map(
  parsePlatform,
);
const ENTRIES = PLATFORMS.map((platform) => ({
  image: image({ seed: JSON.stringify(platform), platform }),
  platform,
}));

function stored({ root }: BuiltImage): StoredManifest {
  return readManifest(root.bytes, root.mediaType);
}

function platforms(...texts: string[]): Selection {
  return { kind: 'platforms', platforms: texts.map(parsePlatform) };
}

/** The places in `root`'s list of what is kept of it. */
function keptOf(root: StoredManifest, selection: Selection): number[] {
  const all = childrenOf(root.manifest).map(({ digest }) => digest);
  return childrenOf(selectFrom(root, selection).manifest).map(({ digest }) => all.indexOf(digest));
}

describe('selectFrom', () => {
  const attested = stored(index(ENTRIES, { attestations: true })); // 4 images, their 4 attestations

  it('takes all as it is', () => {
    equal(selectFrom(attested, ALL), attested);
  });

  it('takes an image as it is, whatever it is for', () => {
    const single = stored(image());

    equal(selectFrom(single, platforms('linux/s390x')), single);
  });

  it('keeps the images of the platforms, and the attestations of just these', () => {
    deepEqual(keptOf(attested, platforms('linux/amd64')), [0, 4]);
    deepEqual(keptOf(attested, platforms('windows/amd64', 'linux/arm/v7')), [2, 3, 6, 7]);
  });

  it('takes arm64 and arm64/v8 for the same', () => {
    deepEqual(keptOf(attested, platforms('linux/arm64/v8')), [1, 5]);
    deepEqual(keptOf(attested, platforms('linux/arm')), [2, 6]);
  });

  it('gives the same bytes when all is kept', () => {
    const all = platforms('linux/amd64', 'linux/arm64', 'linux/arm', 'windows/amd64');

    equal(selectFrom(attested, all), attested);
  });

  it('is content with some of the platforms', () => {
    deepEqual(keptOf(attested, platforms('linux/s390x', 'linux/amd64')), [0, 4]);
  });

  it('refuses an index that has none of them, and says which it has', () => {
    throws(() => selectFrom(attested, platforms('linux/s390x')), {
      code: 'NOT_FOUND',
      message:
        'is not for linux/s390x, only for linux/amd64, linux/arm64, linux/arm/v7, windows/amd64',
    });
  });

  it('keeps what is for no platform', () => {
    const mixed = stored(index([...ENTRIES.slice(0, 2), { image: image({ seed: 'any' }) }]));

    deepEqual(keptOf(mixed, platforms('linux/amd64')), [0, 2]);
  });

  it('takes an index of things for no platform as it is', () => {
    const artifacts = stored(index([{ image: image() }]));

    equal(selectFrom(artifacts, platforms('linux/amd64')), artifacts);
  });
});
