import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { silentLog } from '../../../src/base/log.ts';
import type { Digest } from '../../../src/image/digest.ts';
import { readManifest } from '../../../src/image/manifest.ts';
import { OCI_INDEX } from '../../../src/image/media-types.ts';
import type { Attachments } from '../../../src/image/source-and-sink.ts';
import { Inventory } from '../../../src/registry/inventory.ts';
import { Repository } from '../../../src/registry/repository.ts';
import { clientOver, connectTo, NEVER, putInto, storedManifest } from '../../support/client.ts';
import {
  artifact,
  cosignSignature,
  cosignTag,
  descriptorOf,
  image,
  index,
  type BuiltImage,
} from '../../support/images.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../support/registry/registry.ts';
import { putImage, repositoryOf } from '../../support/registry/store.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { createWire } from '../../support/wire.ts';

const SUBJECT = image();
const DIGEST = SUBJECT.root.digest as Digest;
const TAG = DIGEST.replace(':', '-');
const [SBOM, REPORT] = ['sbom', 'report'].map((seed) =>
  artifact({ seed, artifactType: `application/${seed}`, subject: SUBJECT.root }),
) as [BuiltImage, BuiltImage];

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

/** A registry with the subject in `a`. */
async function start(options: RegistryOptions = {}): Promise<Registry> {
  const registry = await startRegistry(options);
  closers.push(() => registry.close());
  putImage(registry.store, 'a', '1', SUBJECT);
  return registry;
}

/** One that keeps the list of referrers under a tag. */
async function startWithTag(...referrers: BuiltImage[]): Promise<Registry> {
  const registry = await start({ referrersApi: false });
  for (const referrer of referrers) putImage(registry.store, 'a', undefined, referrer);
  putImage(registry.store, 'a', TAG, listOf(...referrers));
  return registry;
}

const listOf = (...referrers: BuiltImage[]): BuiltImage =>
  index(referrers.map((referrer) => ({ image: referrer })));
const find = (registry: Registry, digest: Digest = DIGEST): Promise<Attachments> =>
  new Repository(connectTo(registry), 'a').source('1').attachments(digest, NEVER);
const digests = ({ referrers }: Attachments): string[] =>
  referrers.map(({ digest }) => String(digest)).toSorted();
const both = [SBOM, REPORT].map(({ root }) => root.digest).toSorted();
const told = ({ requests }: Registry): string[] =>
  requests.map(
    ({ method, path }) => `${method} ${path.replace(/\?.*/, '').replace(/sha256.*/, '')}`,
  );

describe('attachments of a registry that keeps referrers', () => {
  it('are asked for with one request per image, and one list of tags', async () => {
    const registry = await start();
    for (const referrer of [SBOM, REPORT]) putImage(registry.store, 'a', undefined, referrer);
    const source = new Repository(connectTo(registry), 'a').source('1');

    const found = await source.attachments(DIGEST, NEVER);
    await source.sibling('2').attachments(SBOM.root.digest as Digest, NEVER);

    deepEqual(digests(found), both);
    equal(found.index, undefined);
    deepEqual(told(registry).toSorted(), [
      'GET /v2/',
      'GET /v2/a/referrers/',
      'GET /v2/a/referrers/',
      'GET /v2/a/tags/list',
    ]);
  });

  it('are cosign’s tags too', async () => {
    const registry = await start();
    const signature = cosignSignature(DIGEST);
    for (const suffix of ['sig', 'att', 'sbom'] as const) {
      putImage(registry.store, 'a', cosignTag(DIGEST, suffix), signature);
    }
    putImage(registry.store, 'a', cosignTag(SBOM.root.digest), signature); // of something else

    const { tags } = await find(registry);

    deepEqual(tags.toSorted(), [`${TAG}.att`, `${TAG}.sbom`, `${TAG}.sig`]);
  });

  it('may stand on several pages', async () => {
    const page = ({ root }: BuiltImage): string =>
      JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [descriptorOf(root)] });
    const wire = createWire(({ url }) => {
      if (url.pathname === '/v2/') return { status: 200 };
      if (!url.pathname.includes('/referrers/')) return undefined;
      const isLast = url.searchParams.has('last');
      const link = { link: `<${url.pathname}?last=x>; rel="next"` };
      const headers = { 'content-type': OCI_INDEX, ...(isLast ? {} : link) };
      return { status: 200, headers, body: page(isLast ? REPORT : SBOM) };
    });
    const source = new Repository(clientOver(wire.send, 'r.test'), 'a').source('1');

    deepEqual(digests(await source.attachments(DIGEST, NEVER)), both);
  });

  it('are not doubted for one answer that is strange', async () => {
    const registry = await start();
    putImage(registry.store, 'a', undefined, SBOM);
    const source = new Repository(connectTo(registry), 'a').source('1');
    await source.attachments(REPORT.root.digest as Digest, NEVER);
    registry.setFaults([{ match: { path: /referrers/ }, effect: { status: 404 } }]);

    await source.attachments(REPORT.root.digest as Digest, NEVER);

    deepEqual(digests(await source.attachments(DIGEST, NEVER)), [SBOM.root.digest]);
  });

  it('that fail are no absence', async () => {
    const registry = await start();
    const fault = { match: { path: /referrers/ }, times: Infinity };
    registry.setFaults([{ ...fault, effect: { status: 503 } }]);

    await rejects(find(registry), { code: 'UNAVAILABLE', message: /^referrers of / });
  });
});

describe('attachments of a registry without referrers', () => {
  it('are in the index under the digest’s tag', async () => {
    const registry = await startWithTag(SBOM, REPORT);

    const found = await find(registry);

    deepEqual(digests(found), both);
    deepEqual(Buffer.from(found.index?.bytes ?? []), listOf(SBOM, REPORT).root.bytes);
  });

  it('cost one list per repository where there are none', async () => {
    const registry = await start({ referrersApi: false });
    const source = new Repository(connectTo(registry), 'a').source('1');

    for (const { root } of [SUBJECT, SBOM, REPORT]) {
      deepEqual(await source.attachments(root.digest as Digest, NEVER), {
        referrers: [],
        tags: [],
      });
    }

    deepEqual(told(registry).toSorted(), [
      'GET /v2/',
      'GET /v2/a/referrers/',
      'GET /v2/a/tags/list',
    ]);
  });

  it('may stand behind a redirect to a web page (GHCR), which is not followed', async () => {
    for (const effect of [
      { status: 303, headers: { location: 'https://github.com/' } },
      { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' },
      { status: 400 },
      { status: 405 },
    ]) {
      const registry = await startWithTag(SBOM);
      registry.setFaults([{ match: { path: /referrers/ }, times: Infinity, effect }]);

      deepEqual(digests(await find(registry)), [SBOM.root.digest]);
    }
  });

  for (const [shown, effect] of [
    ['refuses to list them', { status: 403 }],
    ['knows no list', { status: 404 }],
  ] as const) {
    it(`are asked for tag by tag when it ${shown}`, async () => {
      const registry = await startWithTag(SBOM);
      putImage(registry.store, 'a', cosignTag(DIGEST), cosignSignature(DIGEST));
      registry.setFaults([{ match: { path: /tags/ }, times: Infinity, effect }]);

      const found = await find(registry);

      deepEqual(digests(found), [SBOM.root.digest]);
      deepEqual(found.tags, [`${TAG}.sig`]);
    });
  }

  it('are asked for tag by tag when there are very many tags', async () => {
    const registry = await startWithTag(SBOM);
    const { tags } = repositoryOf(registry.store, 'a');
    for (let at = 0; at < 20_001; at += 1) tags.set(`0${at}`, DIGEST);

    deepEqual(digests(await find(registry)), [SBOM.root.digest]);

    equal(registry.requests.filter(({ method }) => method === 'HEAD').length, 3);
  });
});

describe('a registry that does not list referrers', () => {
  /** A source in `a` where one request for referrers is answered with `status`. */
  async function failing(status: number, times = 1) {
    const registry = await start();
    putImage(registry.store, 'a', undefined, SBOM);
    registry.setFaults([{ match: { path: /referrers/ }, times, effect: { status } }]);
    const client = connectTo(registry);
    const lists = (): number =>
      registry.requests.filter(({ path }) => /referrers/.test(path)).length;
    return { client, source: new Repository(client, 'a').source('1'), lists };
  }

  for (const status of [400, 401, 403]) {
    it(`is warned about and asked again when it says ${status}`, async (t) => {
      const { client, source } = await failing(status);
      const warn = t.mock.method(client.log, 'warn');

      const [first, second] = [
        await source.attachments(DIGEST, NEVER),
        await source.attachments(DIGEST, NEVER),
      ];

      deepEqual([digests(first), digests(second)], [[], [SBOM.root.digest]]);
      equal(warn.mock.callCount(), 1);
    });
  }

  for (const status of [303, 404, 405]) {
    it(`has none when it says ${status}, and is not asked again`, async (t) => {
      const { client, source, lists } = await failing(status);
      const warn = t.mock.method(client.log, 'warn');

      for (const { root } of [SUBJECT, SUBJECT, SBOM]) {
        deepEqual(digests(await source.attachments(root.digest as Digest, NEVER)), []);
      }

      deepEqual([lists(), warn.mock.callCount()], [1, 0]);
    });
  }

  for (const [status, code] of [
    [429, 'RATE_LIMITED'],
    [503, 'UNAVAILABLE'],
  ] as const) {
    it(`fails when it says ${status}, and is asked again`, async () => {
      const { source } = await failing(status, 3); // once, and two times more

      await rejects(source.attachments(DIGEST, NEVER), { code });

      deepEqual(digests(await source.attachments(DIGEST, NEVER)), [SBOM.root.digest]);
    });
  }
});

describe('more referrers than an image can have', () => {
  const many = (count: number): BuiltImage =>
    index(
      Array.from({ length: count }, (_, at) => ({
        image: artifact({
          seed: `${at}`,
          payload: `${at}`,
          artifactType: 'a/b',
          subject: SUBJECT.root,
        }),
      })),
    );

  for (const referrersApi of [true, false]) {
    it(`are refused, by ${referrersApi ? 'list' : 'tag'}`, async () => {
      const registry = await start({ referrersApi });
      const [enough, tooMany] = [many(1000), many(1001)];
      const put = ({ root, manifests }: BuiltImage): void =>
        putImage(registry.store, 'a', TAG, { root, manifests, blobs: [] });

      put(enough);
      equal((await find(registry)).referrers.length, 1000);

      put(tooMany);
      await rejects(find(registry), { code: 'PROTOCOL', message: /more than 1000 referrers/ });
    });
  }
});

/** Puts referrers into a registry by one sink, and makes them known as such. */
async function attach(
  repository: Repository,
  found: Attachments,
  ...put: BuiltImage[]
): Promise<void> {
  const sink = repository.sink('1');
  for (const referrer of put) await putInto(sink.sibling(referrer.root.digest), referrer);
  await sink.attach(DIGEST, found, NEVER);
}

const known = (...referrers: BuiltImage[]): Attachments => ({
  referrers: referrers.map(({ root }) => storedManifest(root).descriptor),
  tags: [],
});
/** What the registry has under the digest's tag. */
function indexOf(registry: Registry): Buffer | undefined {
  const { tags, manifests } = repositoryOf(registry.store, 'a');
  return manifests.get(tags.get(TAG) ?? '')?.bytes;
}
const entriesOf = (registry: Registry): Record<string, unknown>[] =>
  (JSON.parse(String(indexOf(registry))) as { manifests: Record<string, unknown>[] }).manifests;

describe('attaching', () => {
  it('to a registry that keeps referrers is done by having put them', async () => {
    const registry = await start();

    await attach(new Repository(connectTo(registry), 'a'), known(SBOM), SBOM);

    equal(indexOf(registry), undefined);
    equal(told(registry).filter((line) => line.includes('referrers')).length, 0);
  });

  it('to a registry without puts the source’s index as it is where there is none', async () => {
    const registry = await start({ referrersApi: false });
    const { mediaType, bytes } = listOf(SBOM, REPORT).root;
    const theirs = Buffer.from(JSON.stringify(JSON.parse(String(bytes)), undefined, 3));
    const found = { ...known(SBOM, REPORT), index: readManifest(theirs, mediaType) };

    await attach(new Repository(connectTo(registry), 'a'), found, SBOM, REPORT);

    deepEqual(indexOf(registry), theirs);
  });

  it('to a registry without makes an index of what a source with referrers listed', async () => {
    const [from, to] = [await start(), await start({ referrersApi: false })];
    putImage(from.store, 'a', undefined, SBOM);
    const found = await find(from);

    await attach(new Repository(connectTo(to), 'a'), found, SBOM);

    const [entry, ...more] = entriesOf(to);
    deepEqual(more, []);
    deepEqual(entry, {
      mediaType: SBOM.root.mediaType,
      digest: SBOM.root.digest,
      size: SBOM.root.size,
      artifactType: 'application/sbom',
    });
    deepEqual(digests(await find(to)), [SBOM.root.digest]);
  });
});

describe('attaching where there is an index', () => {
  it('keeps the entries that are there, with what is not known of them', async () => {
    const registry = await startWithTag(REPORT);
    const entry = { ...descriptorOf(REPORT.root), 'x-unknown': [1] };
    const list = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry] };
    const stored = { mediaType: OCI_INDEX, bytes: Buffer.from(JSON.stringify(list)) };
    const { digest } = readManifest(stored.bytes, OCI_INDEX).descriptor;
    const { tags, manifests } = repositoryOf(registry.store, 'a');
    manifests.set(digest, stored);
    tags.set(TAG, digest);
    const found = { ...known(SBOM), index: storedManifest(listOf(SBOM).root) };

    await attach(new Repository(connectTo(registry), 'a'), found, SBOM);

    deepEqual(entriesOf(registry)[0], entry);
    deepEqual(
      entriesOf(registry).map((one) => one.digest),
      [REPORT.root.digest, SBOM.root.digest],
    );
  });

  it('puts nothing when all is known', async () => {
    const registry = await startWithTag(SBOM, REPORT);
    const before = indexOf(registry);
    const repository = new Repository(connectTo(registry), 'a');
    registry.resetRequests();

    await repository.sink('1').attach(DIGEST, known(REPORT), NEVER);

    equal(indexOf(registry), before);
    ok(told(registry).every((line) => line.startsWith('GET')));
  });
});

describe('attaching nothing or much', () => {
  it('puts nothing when nothing is attached', async () => {
    const registry = await start({ referrersApi: false });

    await new Repository(connectTo(registry), 'a').sink('1').attach(DIGEST, known(), NEVER);

    equal(registry.requests.length, 0);
  });

  it('loses no entry of two at once', async () => {
    const registry = await start({ referrersApi: false, latencyMs: 2 });
    const client = connectTo(registry);

    await Promise.all(
      [SBOM, REPORT].map((referrer) =>
        attach(new Repository(client, 'a'), known(referrer), referrer),
      ),
    );

    deepEqual(
      entriesOf(registry)
        .map(({ digest }) => digest)
        .toSorted(),
      both,
    );
  });

  it('goes on after one that failed', async () => {
    const registry = await start({ referrersApi: false });
    const repository = new Repository(connectTo(registry), 'a');
    const fault = {
      match: { method: 'PUT', path: new RegExp(`${TAG}$`) },
      effect: { status: 400 },
    };
    registry.setFaults([fault]);

    await rejects(attach(repository, known(SBOM), SBOM), { code: 'REJECTED' });
    await attach(repository, known(REPORT), REPORT);

    deepEqual(
      entriesOf(registry).map(({ digest }) => digest),
      [REPORT.root.digest],
    );
  });
});

describe('attaching under a tag that a list knows', () => {
  it('strikes the tag from the list', async () => {
    const registry = await startWithTag(SBOM);
    const before = repositoryOf(registry.store, 'a').tags.get(TAG) as Digest;
    const client = connectTo(registry);
    const inventory = new Inventory({
      registry: registry.host,
      async *pages() {
        yield { tags: [TAG, 'other'].map((name) => ({ name, digest: before })) };
      },
      wanted: () => 10,
      clock: new FakeClock(),
      log: silentLog(),
    });
    const says = (tag: string): Promise<boolean> => inventory.says('a', tag, before, NEVER);
    deepEqual([await says(TAG), await says('other')], [true, true]);

    await attach(new Repository(client, 'a', inventory), known(REPORT), REPORT);

    deepEqual([await says(TAG), await says('other')], [false, true]);
  });
});
