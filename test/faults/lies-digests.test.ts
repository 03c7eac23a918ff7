/**
 * Registries that lie about digests: bytes are truth, headers are hints. What can be healed is, all
 * else fails its own row.
 */
import { equal } from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';

import { image, index, type BuiltImage } from '../support/images.ts';
import type { Fault } from '../support/registry/faults.ts';
import { putImage, repositoryOf } from '../support/registry/store.ts';
import { BAD, failsAlone, GOOD, healed, startStage, substitute, type Stage } from './lies-stage.ts';

const WRONG = `sha256:${'0'.repeat(64)}`;
const SAYS_WRONG = { 'docker-content-digest': WRONG };
const MANIFEST = /acme\/bad\/manifests/;

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
});
afterEach(() => stage.close());

/** Says the wrong digest in answers to `method`, always. */
function saysWrong(method: string, path = MANIFEST): Fault {
  return { match: { method, path }, times: Infinity, effect: { digestHeader: WRONG } };
}

/** How often the source was asked for the bytes of `bad`'s manifest. */
const gets = (digest: string): number =>
  stage.source.requests.filter(({ method, path }) => method === 'GET' && path.endsWith(digest))
    .length;

describe('a wrong Docker-Content-Digest', () => {
  it('from the source’s HEAD of a tag is replaced by what the bytes are', async () => {
    stage.source.setFaults([saysWrong('HEAD')]);

    await healed(stage, await stage.syncBoth(undefined));
  });

  it('from the source’s GET of a tag fails the row: tag and bytes are not of one image', async () => {
    stage.source.setFaults([saysWrong('GET')]);

    const outcome = await stage.syncBoth(undefined);

    await failsAlone(stage, outcome, { code: 'CONTENT_MISMATCH', says: /hashes to sha256:/ });
  });

  it('from the source’s GET by digest is not believed', async () => {
    stage.source.setFaults([saysWrong('GET')]);

    await healed(stage, await stage.syncBoth(BAD.root.digest));
  });

  it('from the source’s GET of a blob is not believed', async () => {
    stage.source.setFaults([saysWrong('GET', /acme\/bad\/blobs/)]);

    await healed(stage, await stage.syncBoth(BAD.root.digest));
  });

  it('from the target’s HEAD makes the image be put again', async () => {
    putImage(stage.target.store, 'acme/bad', '1', BAD);
    stage.target.setFaults([saysWrong('HEAD')]);

    await healed(stage, await stage.syncBoth(BAD.root.digest));

    equal((await stage.results())['acme/bad']?.['status'], 'copied');
  });

  it('from the target’s PUT of a blob is no harm: the manifest shows what it keeps', async () => {
    stage.target.setFaults([saysWrong('PUT', /acme\/bad\/blobs/)]);

    await healed(stage, await stage.syncBoth(BAD.root.digest));
  });

  for (const [what, built] of [
    ['a manifest', BAD],
    ['a child of an index', index([{ image: BAD }])],
  ] as [string, BuiltImage][]) {
    it(`from the target’s PUT of ${what} fails the row: it keeps something else`, async () => {
      putImage(stage.source.store, 'acme/bad', '1', built);
      stage.target.setFaults([
        { match: { method: 'PUT', path: MANIFEST }, effect: { status: 201, headers: SAYS_WRONG } },
      ]);

      const outcome = await stage.syncBoth(built.root.digest);

      const says = new RegExp(`stored ${WRONG} instead of sha256:`);
      await failsAlone(stage, outcome, { code: 'PROTOCOL', says });
    });
  }
});

describe('another valid manifest (CVE-2025-24882)', () => {
  it('under the digest that a row names fails the row, after a second look', async () => {
    substitute(stage, BAD.root.digest, GOOD.root);

    const outcome = await stage.syncBoth(BAD.root.digest);

    const says = new RegExp(`@${BAD.root.digest} hashes to ${GOOD.root.digest}`);
    await failsAlone(stage, outcome, { code: 'CONTENT_MISMATCH', says });
    equal(gets(BAD.root.digest), 2);
  });

  it('under the digest of an index’s child fails the row', async () => {
    const built = index([{ image: BAD }, { image: image({ seed: 'other child' }) }]);
    putImage(stage.source.store, 'acme/bad', '1', built);
    substitute(stage, BAD.root.digest, GOOD.root);

    const outcome = await stage.syncBoth(built.root.digest);

    await failsAlone(stage, outcome, { code: 'CONTENT_MISMATCH', says: /hashes to/ });
  });

  it('for a moment, as damage on the way, is asked for once more', async () => {
    stage.source.setFaults([
      { match: { method: 'GET', path: MANIFEST }, effect: { corrupt: 'last' } },
    ]);

    await healed(stage, await stage.syncBoth(BAD.root.digest));
  });

  it('that lists itself, in a cycle that only a lying digest can make, ends at once', async () => {
    const { mediaType } = index([]).root;
    const entry = (digest: string) => ({ mediaType, digest, size: 400 });
    const child = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [entry(WRONG)] });
    const bytes = Buffer.from(child);
    substitute(stage, WRONG, { mediaType, digest: WRONG, size: bytes.length, bytes });
    repositoryOf(stage.source.store, 'acme/bad').tags.set('1', WRONG);

    const outcome = await stage.syncBoth(WRONG);

    await failsAlone(stage, outcome, { code: 'CONTENT_MISMATCH', says: /hashes to/ });
    equal(gets(WRONG), 2);
  });
});

describe('a policy for all platforms (CVE-2022-24778)', () => {
  it('holds for each child: one wrong blob of one platform fails the whole index', async () => {
    const entries = ['amd64', 'arm64', 's390x'].map((architecture) => ({
      image: image({ seed: architecture, platform: { os: 'linux', architecture } }),
      platform: { os: 'linux', architecture },
    }));
    const built = index(entries);
    putImage(stage.source.store, 'acme/bad', '1', built);
    const [, , last] = entries;
    const path = new RegExp(`blobs/${last?.image.blobs[1]?.digest}`);
    stage.source.setFaults([
      { match: { method: 'GET', path }, times: Infinity, effect: { corrupt: 'first' } },
    ]);

    const outcome = await stage.syncBoth(built.root.digest);

    await failsAlone(stage, outcome, { code: 'CONTENT_MISMATCH', says: /hashes to/ });
  });
});
