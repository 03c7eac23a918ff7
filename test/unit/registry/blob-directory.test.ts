import { deepEqual, equal, ok } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import { LinkedAbort } from '../../../src/base/linked-abort.ts';
import type { Digest } from '../../../src/image/digest.ts';
import { readManifest } from '../../../src/image/manifest.ts';
import { OCI_INDEX } from '../../../src/image/media-types.ts';
import type { BlobOutcome } from '../../../src/image/source-and-sink.ts';
import { BlobDirectory } from '../../../src/registry/blob-directory.ts';
import type { RegistryClient } from '../../../src/registry/client.ts';
import { Repository } from '../../../src/registry/repository.ts';
import {
  blobDescriptor,
  connectTo,
  NEVER,
  opening,
  putInto,
  storedManifest,
} from '../../support/client.ts';
import { image, layer, type BuiltBlob, type BuiltImage } from '../../support/images.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../support/registry/registry.ts';

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

async function start(options: RegistryOptions = {}): Promise<Registry> {
  const registry = await startRegistry(options);
  closers.push(() => registry.close());
  return registry;
}

const SHARED = image({ seed: 'shared', layers: 3 });
const REPOSITORIES = ['a', 'b', 'c', 'd', 'e', 'f'];
const MAX_WAIT_MS = 5000;

/** Fails when `work` does not end: what waits in a circle waits for ever. */
async function ended<T>(work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = new Promise<never>((_, reject) => {
    const timeout = setTimeout(() => reject(new Error('waits for ever')), MAX_WAIT_MS);
    timer.signal.addEventListener('abort', () => clearTimeout(timeout));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}

/** Whether `work` is still under way after all that can be done without it. */
async function waits(work: Promise<unknown>): Promise<boolean> {
  const still = Symbol('still');
  const later = new Promise((resolve) => setTimeout(resolve, 50, still));
  return (await Promise.race([work, later])) === still;
}

const putAll = (client: RegistryClient, paths: readonly string[]): Promise<BlobOutcome[][]> =>
  ended(
    Promise.all(
      paths.map((path, at) => putInto(new Repository(client, path).sink(`${at}`), SHARED)),
    ),
  );
/** How many blobs were uploaded. */
const uploads = ({ requests }: Registry): number =>
  requests.filter(
    ({ method, status, path }) => method === 'PUT' && status === 201 && path.includes('digest='),
  ).length;
const count = (outcomes: readonly BlobOutcome[][], outcome: BlobOutcome): number =>
  outcomes.flat().filter((one) => one === outcome).length;

describe('a blob that many images need at the same time', () => {
  it('is brought once into one repository', async () => {
    const registry = await start();

    const outcomes = await putAll(connectTo(registry), Array<string>(8).fill('a'));

    equal(uploads(registry), SHARED.blobs.length);
    equal(count(outcomes, 'copied'), SHARED.blobs.length);
    equal(count(outcomes, 'present'), 7 * SHARED.blobs.length);
  });

  it('is brought once into one of many repositories, and mounted into the others', async () => {
    const registry = await start({ latencyMs: 2 });

    const outcomes = await putAll(connectTo(registry), REPOSITORIES);

    equal(uploads(registry), SHARED.blobs.length);
    equal(count(outcomes, 'mounted'), 5 * SHARED.blobs.length);
  });

  it('is mounted only when a manifest needs it where it is mounted from', async () => {
    const registry = await start({ latencyMs: 2 });

    await putAll(connectTo(registry), REPOSITORIES);

    const paths = registry.requests.map(({ method, path }) => `${method} ${path}`);
    const committed = paths.findIndex((path) => /^PUT .*\/manifests\//.test(path));
    const mounted = paths.findIndex((path) => {
      const [, to, from] = /^POST \/v2\/(.+)\/blobs\/uploads\/.*from=([^&]+)/.exec(path) ?? [];
      return to !== undefined && from !== undefined && to !== decodeURIComponent(from);
    });
    ok(committed >= 0 && mounted > committed);
  });
});

describe('a blob whose bringer fails', () => {
  it('is brought by the next', async () => {
    const registry = await start();
    const client = connectTo(registry);
    let opened = 0;
    const failing = (blob: BuiltBlob) => () => {
      opened += 1;
      if (opened === 1) throw new RegistrySyncError('NOT_FOUND', 'the source lost it');
      return opening(blob)();
    };
    const built = image({ layers: 0 });

    const put = ['a', 'b', 'c'].map((path) =>
      putInto(new Repository(client, path).sink('1'), built, failing),
    );
    const settled = await ended(Promise.allSettled(put));

    deepEqual(
      settled.map((one) => (one.status === 'fulfilled' ? one.value[0] : 'failed')),
      ['failed', 'copied', 'mounted'],
    );
  });

  it('with its manifest is brought by the next', async () => {
    const registry = await start();
    const client = connectTo(registry);
    const refusal = { match: { method: 'PUT', path: /\/a\/manifests/ }, effect: { status: 400 } };
    registry.setFaults([refusal]);

    const put = ['a', 'b'].map((path) => putInto(new Repository(client, path).sink('1'), SHARED));
    const [first, second] = await ended(Promise.allSettled(put));

    equal(first?.status, 'rejected');
    deepEqual(second, { status: 'fulfilled', value: SHARED.blobs.map(() => 'copied') });
  });

  it('is waited for no longer by who is stopped', async () => {
    const client = connectTo(await start());
    const [blob] = image({ layers: 0 }).blobs as [BuiltBlob];
    await using first = new Repository(client, 'a').sink('1');
    await using second = new Repository(client, 'b').sink('1');
    await first.putBlob(blobDescriptor(blob), opening(blob), NEVER);
    using stopped = new LinkedAbort(NEVER);
    const put = second.putBlob(blobDescriptor(blob), opening(blob), stopped.signal);

    const waited = await waits(put.catch(() => {}));
    stopped.abort(new RegistrySyncError('CANCELLED', 'enough'));

    equal(waited, true);
    await ended(put.catch((error: RegistrySyncError) => equal(error.code, 'CANCELLED')));
  });
});

describe('a registry that mounts nothing', () => {
  for (const mount of ['declined', 405] as const) {
    it(`(${mount}) is not waited for any more after three refusals`, async () => {
      const registry = await start({ mount });
      const client = connectTo(registry);
      const first = image({ seed: 'first', layers: 0 });
      for (const path of ['a', 'b', 'c', 'd']) {
        await putInto(new Repository(client, path).sink('1'), first);
      }
      registry.resetRequests();
      const [blob] = image({ seed: 'second', layers: 0 }).blobs as [BuiltBlob];

      // No manifest is put: who waited for one would wait for ever.
      const put = REPOSITORIES.map((path) =>
        new Repository(client, path).sink('2').putBlob(blobDescriptor(blob), opening(blob), NEVER),
      );

      deepEqual(
        await ended(Promise.all(put)),
        REPOSITORIES.map(() => 'copied'),
      );
      equal(registry.requests.filter(({ path }) => path.includes('mount=')).length, 0);
    });
  }

  it('is still brought each blob once per repository', async () => {
    const registry = await start({ mount: 'declined' });
    const client = connectTo(registry);
    for (let refusals = 0; refusals < 3; refusals += 1) client.blobs.noteMount(false);

    await putAll(client, ['a', 'a', 'a', 'b', 'b']);

    equal(uploads(registry), 2 * SHARED.blobs.length);
  });

  it('is not given up for single refusals', () => {
    const blobs = new BlobDirectory();

    for (const succeeded of [false, false, true, false, false, false, false]) {
      blobs.noteMount(succeeded);
    }

    equal(blobs.mounts, true);
  });
});

describe('claims', () => {
  const digest = `sha256:${'0'.repeat(64)}` as Digest;

  it('stand in the order in which they were made', () => {
    const blobs = new BlobDirectory();

    const claims = ['b', 'a', 'b'].map((path) => blobs.claim(digest, path));

    deepEqual(blobs.queueOf(digest), claims);
    deepEqual(
      claims.map(({ isFirst, isBroughtHere }) => [isFirst, isBroughtHere]),
      [
        [true, false],
        [false, false],
        [false, true],
      ],
    );
  });

  it('leave nothing behind', () => {
    const blobs = new BlobDirectory();
    const claims = ['a', 'b'].map((path) => blobs.claim(digest, path));

    for (const claim of [...claims, ...claims]) claim.release();

    deepEqual(blobs.queueOf(digest), []);
  });
});

describe('an index that lists blobs', () => {
  it('gives up its claims when it is put, and others link the blobs from there', async () => {
    const client = connectTo(await start());
    const [blob] = image({ layers: 0 }).blobs as [BuiltBlob];
    const { mediaType, digest, size } = blobDescriptor(blob);
    const mediaTypes = { schemaVersion: 2, mediaType: OCI_INDEX };
    const bytes = JSON.stringify({ ...mediaTypes, manifests: [{ mediaType, digest, size }] });
    await using sink = new Repository(client, 'a').sink('cache');
    await using other = new Repository(client, 'b').sink('1');
    await sink.putBlob(blobDescriptor(blob), opening(blob), NEVER);
    const put = other.putBlob(blobDescriptor(blob), opening(blob), NEVER);

    await sink.putManifest(readManifest(Buffer.from(bytes), OCI_INDEX), 'root', NEVER);

    equal(await ended(put), 'mounted');
    deepEqual(client.blobs.queueOf(digest), []);
  });
});

/** The same sequence of numbers below 1 for a seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Job {
  readonly path: string;
  readonly image: BuiltImage;
  readonly attached: BuiltImage | undefined;
  readonly fails: 'never' | 'blob' | 'manifest';
}

function randomJobs(seed: number, failing: number): Job[] {
  const random = randomFrom(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const pool = Array.from({ length: 12 }, (_, at) => layer({ seed: `pool ${at}`, layerBytes: 64 }));
  const build = (): BuiltImage =>
    image({ seed: `${below(10)}`, layers: pool.filter(() => random() < 0.4) });
  return Array.from({ length: 40 }, () => {
    const fails = random() < failing ? (random() < 0.5 ? 'blob' : 'manifest') : 'never';
    const attached = random() < 0.3 ? build() : undefined;
    return { path: `r${below(8)}`, image: build(), attached, fails };
  });
}

/** Does a job as the engine does: the first failure stops the other blobs, the root comes last. */
async function run(client: RegistryClient, job: Job, at: number): Promise<'done' | 'failed'> {
  await using sink = new Repository(client, job.path).sink(`v${at}`);
  using linked = new LinkedAbort(NEVER);
  const broken = job.image.blobs[at % job.image.blobs.length];
  const put = job.image.blobs.map(async (blob) => {
    const open = () => {
      if (job.fails !== 'blob' || blob !== broken) return opening(blob)();
      throw new RegistrySyncError('NOT_FOUND', 'planned');
    };
    try {
      await sink.putBlob(blobDescriptor(blob), open, linked.signal);
    } catch (error) {
      linked.abort(error);
    }
  });
  await Promise.all(put);
  if (linked.signal.aborted) return 'failed';
  // By its digest before anything else is asked for, as the sink demands.
  if (job.attached !== undefined) {
    await sink.putManifest(storedManifest(job.image.root), 'child', NEVER);
    await putInto(sink.sibling(`a${at}`), job.attached);
  }
  if (job.fails === 'manifest') return 'failed';
  await sink.putManifest(storedManifest(job.image.root), 'root', NEVER);
  return 'done';
}

describe('images that need each other’s blobs in every order', () => {
  for (const [mount, failing] of [
    ['works', 0],
    ['works', 0.3],
    ['declined', 0.3],
    [405, 0.3],
  ] as const) {
    for (const seed of [1, 2]) {
      it(`all end: mount ${mount}, ${failing * 100} % fail, seed ${seed}`, async () => {
        const registry = await start({ mount });
        const client = connectTo(registry);
        const jobs = randomJobs(seed, failing);

        const ends = await ended(Promise.all(jobs.map((job, at) => run(client, job, at))));

        for (const [at, { path, image: built, fails }] of jobs.entries()) {
          const tag = registry.store.repositories.get(path)?.tags.get(`v${at}`);
          equal(tag, ends[at] === 'done' ? built.root.digest : undefined);
          if (fails === 'never') equal(ends[at], 'done');
        }
        deepEqual(
          jobs
            .flatMap((job) => job.image.blobs)
            .flatMap(({ digest }) => client.blobs.queueOf(digest as Digest)),
          [],
        );
      });
    }
  }
});
