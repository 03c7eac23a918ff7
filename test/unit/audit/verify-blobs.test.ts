import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import {
  BlobChecks,
  type BlobQuestion,
  type CheckedImage,
} from '../../../src/audit/verify-blobs.ts';
import { RegistrySyncError } from '../../../src/base/errors.ts';
import { createTransfers } from '../../../src/copy/run.ts';
import { UNKNOWN_SIZE } from '../../../src/image/schema1.ts';
import { blobDescriptor, NEVER } from '../../support/client.ts';
import { image, layer } from '../../support/images.ts';
import { MemoryRepository } from '../../support/memory-image.ts';

const LAYER = layer({ seed: 'shared' });
const IMAGE = image({ layers: [LAYER] });
const BLOB = blobDescriptor(LAYER);

function repository(name = 'memory.test/a'): MemoryRepository {
  return new MemoryRepository(name).hold('v1', IMAGE);
}

function about(of: MemoryRepository, hashes = false): BlobQuestion {
  return { image: of.source('v1') as CheckedImage, repository: of.name, hashes };
}

const checks = (): BlobChecks => new BlobChecks(createTransfers());
const corrupt = ({ blobs }: MemoryRepository): unknown =>
  blobs.set(BLOB.digest, new Uint8Array(BLOB.size));

describe('a check of blobs', () => {
  it('asks for each once per repository, however many ask at a time', async () => {
    const [a, b] = [repository(), repository('memory.test/b')];
    const all = checks();

    const answers = await Promise.all([
      all.check(about(a), BLOB, NEVER),
      all.check(about(a), BLOB, NEVER),
      all.check(about(b), BLOB, NEVER),
    ]);
    await all.check(about(a), BLOB, NEVER);

    deepEqual(
      answers,
      [1, 2, 3].map(() => ({ size: BLOB.size })),
    );
    deepEqual([a.calls, b.calls], [[`size ${BLOB.digest}`], [`size ${BLOB.digest}`]]);
  });

  it('says that one is missing, until it is told to forget that', async () => {
    const a = repository();
    a.blobs.delete(BLOB.digest);
    const all = checks();

    deepEqual(await all.check(about(a), BLOB, NEVER), { problem: 'is missing' });
    a.blobs.set(BLOB.digest, LAYER.bytes);
    deepEqual(await all.check(about(a), BLOB, NEVER), { problem: 'is missing' });
    all.forget(a.name, BLOB.digest);
    deepEqual(await all.check(about(a), BLOB, NEVER), { size: BLOB.size });
  });

  it('compares sizes with each manifest that names it', async () => {
    const a = repository();
    const all = checks();
    const other = { ...BLOB, size: BLOB.size + 1 };

    const { problem } = await all.check(about(a), other, NEVER);

    equal(problem, `has ${BLOB.size} bytes instead of ${other.size}`);
    deepEqual(await all.check(about(a), BLOB, NEVER), { size: BLOB.size });
  });

  it('takes the size of the registry where the manifest says none', async () => {
    const blob = { ...BLOB, size: UNKNOWN_SIZE };

    deepEqual(await checks().check(about(repository(), true), blob, NEVER), { size: BLOB.size });
  });

  it('does not keep that a repository could not be asked', async () => {
    const a = repository();
    const all = checks();
    a.trouble = () => {
      throw new RegistrySyncError('UNAVAILABLE', 'is away');
    };
    await rejects(all.check(about(a), BLOB, NEVER), { code: 'UNAVAILABLE' });
    a.trouble = () => {};

    deepEqual(await all.check(about(a), BLOB, NEVER), { size: BLOB.size });
  });
});

describe('a check of bytes', () => {
  it('reads each blob once, and still asks each repository for it', async () => {
    const [a, b] = [repository(), repository('memory.test/b')];
    const all = checks();

    await Promise.all([a, b, a].map((one) => all.check(about(one, true), BLOB, NEVER)));

    const read = [...a.calls, ...b.calls].filter((call) => call.startsWith('blob'));
    deepEqual(read, [`blob ${BLOB.digest}`]);
    ok(b.calls.includes(`size ${BLOB.digest}`));
  });

  it('reads twice before it says that they are wrong, once per repository', async () => {
    const [a, b] = [repository(), repository('memory.test/b')];
    corrupt(a);
    const all = checks();

    const [first, other] = await Promise.all(
      [a, b].map((one) => all.check(about(one, true), BLOB, NEVER)),
    );
    const again = await all.check(about(a, true), BLOB, NEVER);

    ok(first?.problem?.startsWith('hashes to '), first?.problem);
    equal(again.problem, first?.problem);
    deepEqual(other, { size: BLOB.size });
    equal(a.calls.filter((call) => call.startsWith('blob')).length, 2);
  });

  it('is not failed by another repository that could not be read', async () => {
    const [a, b] = [repository(), repository('memory.test/b')];
    a.trouble = (call) => {
      if (call.startsWith('blob')) throw new RegistrySyncError('UNAUTHORIZED', 'is denied');
    };
    const all = checks();

    const [first, second] = await Promise.allSettled(
      [a, b].map((one) => all.check(about(one, true), BLOB, NEVER)),
    );

    equal(first?.status, 'rejected');
    deepEqual(second, { status: 'fulfilled', value: { size: BLOB.size } });
  });

  it('has only so many streams open at a time', async () => {
    const layers = Array.from({ length: 12 }, (_, n) =>
      layer({ seed: `large ${n}`, layerBytes: 200_000 }),
    );
    const a = new MemoryRepository().hold('v1', image({ layers }));
    const all = new BlobChecks(createTransfers(2, 3));

    await Promise.all(layers.map((one) => all.check(about(a, true), blobDescriptor(one), NEVER)));

    ok(a.mostStreams <= 3, `${a.mostStreams}`);
    equal(a.openStreams, 0);
  });
});
