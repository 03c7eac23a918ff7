import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { BlobChecks, type CheckedImage } from '../../../src/audit/verify-blobs.ts';
import { checkImage, type ImageState } from '../../../src/audit/verify-image.ts';
import { RegistrySyncError } from '../../../src/base/errors.ts';
import { createTransfers } from '../../../src/copy/run.ts';
import { parseDigest } from '../../../src/image/digest.ts';
import { NEVER } from '../../support/client.ts';
import { foreignLayer, image, index, layer, type BuiltImage } from '../../support/images.ts';
import { MemoryRepository } from '../../support/memory-image.ts';

const PLATFORMS = ['amd64', 'arm64'].map((architecture) => ({
  image: image({ seed: architecture, platform: { os: 'linux', architecture } }),
  platform: { os: 'linux', architecture },
}));
const INDEX = index(PLATFORMS);

function check(repository: MemoryRepository, { root }: BuiltImage): Promise<ImageState> {
  const asked = repository.source('v1') as CheckedImage;
  const question = { image: asked, repository: repository.name, hashes: false };
  const checks = new BlobChecks(createTransfers());
  return checkImage(question, parseDigest(root.digest), checks, NEVER);
}

/** The bytes of all that an image is made of. */
function sizeOf({ root, manifests, blobs }: BuiltImage): number {
  return [root, ...manifests, ...blobs].reduce((sum, { bytes }) => sum + bytes.length, 0);
}

describe('a check of an image', () => {
  it('says how large it is, each of its parts once', async () => {
    const shared = layer({ seed: 'twice' });
    for (const built of [image(), INDEX, image({ layers: [shared, shared] })]) {
      const repository = new MemoryRepository().hold('v1', built);

      deepEqual(await check(repository, built), { damage: [], size: sizeOf(built) });
    }
  });

  it('names each manifest and blob that is not there', async () => {
    const repository = new MemoryRepository().hold('v1', INDEX);
    const [child] = INDEX.manifests;
    const blob = PLATFORMS[1]?.image.blobs[1];
    repository.manifests.delete(child?.digest ?? '');
    repository.blobs.delete(blob?.digest ?? '');

    const { damage, size } = await check(repository, INDEX);

    deepEqual(
      damage.map(({ what }) => what),
      [`manifest ${child?.digest} is missing`, `blob ${blob?.digest} is missing`],
    );
    equal(size, undefined); // nobody knows what is below
  });

  it('ends at a root that is not there', async () => {
    const built = image();

    const { damage } = await check(new MemoryRepository(), built);

    deepEqual(damage, [
      { digest: built.root.digest, what: `manifest ${built.root.digest} is missing` },
    ]);
  });

  it('does not ask for layers that are kept elsewhere', async () => {
    const foreign = foreignLayer();
    const built = image({ layers: [layer(), foreign] });
    const repository = new MemoryRepository().hold('v1', built);

    deepEqual((await check(repository, built)).damage, []);
    equal(repository.calls.includes(`size ${foreign.digest}`), false);
  });

  it('goes no deeper than a copy would', async () => {
    let nested = image();
    for (let depth = 0; depth < 8; depth += 1) nested = index([{ image: nested }]);
    const repository = new MemoryRepository().hold('v1', nested);

    const { damage } = await check(repository, nested);

    match(damage[0]?.what ?? '', /index is nested deeper than 6 levels/);
  });

  it('fails when it could not ask', async () => {
    const repository = new MemoryRepository().hold('v1', INDEX);
    repository.trouble = (call) => {
      if (call.startsWith('size')) throw new RegistrySyncError('UNAVAILABLE', 'is away');
    };

    await rejects(check(repository, INDEX), { code: 'UNAVAILABLE' });
  });
});
