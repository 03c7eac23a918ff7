/**
 * Manifests that are not what they say: each is under its true digest, so only what stands in it can
 * give it away. The row fails, with one error of few words, before a URL is made of what it says.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';

import type { ErrorCode } from '../../src/base/errors.ts';
import { image, index, type BuiltManifest } from '../support/images.ts';
import { putImage, repositoryOf } from '../support/registry/store.ts';
import { BAD, failsAlone, holdAsBad, manifestOf, startStage, type Stage } from './lies-stage.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const DIGEST = `sha256:${'0'.repeat(64)}`;

interface Content {
  readonly [key: string]: unknown;
  readonly config: Record<string, unknown>;
  readonly layers: Record<string, unknown>[];
}

/** `bad`'s manifest as it should be. */
const TRUE = JSON.parse(BAD.root.bytes.toString()) as Content;
const [LAYER = {}] = TRUE.layers;

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
});
afterEach(() => stage.close());

/** Syncs `bad` with this manifest, and sees it fail alone, before anything but its manifest was asked for. */
async function isRefused(
  root: BuiltManifest,
  says: RegExp,
  code: ErrorCode | ErrorCode[] = 'PROTOCOL',
): Promise<void> {
  holdAsBad(stage, root);
  stage.source.resetRequests();
  stage.target.store.repositories.clear();

  const outcome = await stage.syncBoth(root.digest);

  await failsAlone(stage, outcome, { code, says });
  const asked = stage.source.requests.map(({ path }) => path).filter((path) => /bad/.test(path));
  deepEqual(new Set(asked), new Set([`/v2/acme/bad/manifests/${root.digest}`]));
}

const NESTED = 50_000;
/** What it shows, the digest. */
const DIGESTS: [string, unknown][] = [
  ['a path', 'sha256:../../x'],
  ['a path, encoded', 'sha256:%2e%2e%2fx'],
  ['an encoded dot', 'sha256:%2e'],
  ['a query', `${DIGEST}?x=1`],
  ['a fragment', `${DIGEST}#`],
  ['another line', `${DIGEST}\n`],
  ['upper case', DIGEST.replaceAll('0', 'A')],
  ['63 digits', DIGEST.slice(0, -1)],
  ['65 digits', `${DIGEST}0`],
  ['an unknown algorithm', `md5:${'0'.repeat(32)}`],
  ['an algorithm of the object’s own', `__proto__:${'0'.repeat(64)}`],
  ['no algorithm', '0'.repeat(64)],
  ['a number', 7],
  ['a megabyte', 'x'.repeat(1_000_000)],
];

describe('a descriptor’s digest (CVE-2024-3727)', () => {
  for (const [shown, digest] of DIGESTS) {
    it(`that is ${shown} is refused before a URL is made of it`, async () => {
      const says = /is no sha256, sha384 or sha512 digest|has no digest/;
      await isRefused(manifestOf({ ...TRUE, layers: [{ ...LAYER, digest }] }), says);
    });
  }

  it('is looked at in indexes, configs and subjects too', async () => {
    const wrong = { ...LAYER, digest: 'sha256:../../x' };
    const entries = { schemaVersion: 2, manifests: [{ ...wrong, mediaType: MANIFEST }] };
    for (const root of [
      manifestOf(entries, INDEX),
      manifestOf({ ...TRUE, config: wrong }),
      manifestOf({ ...TRUE, subject: wrong }),
    ]) {
      await isRefused(root, /is no sha256/);
    }
  });
});

/** JSON, as not all of it can be written by JSON.stringify. */
const SIZES: [string, string][] = [
  ['negative', '-1'],
  ['2^53', '9007199254740992'],
  ['beyond any number', '1e999'],
  ['fractional', '1.5'],
  ['a string', '"12"'],
  ['a megabyte of a string', `"${'9'.repeat(1_000_000)}"`],
  ['null', 'null'],
  ['a list', '[1]'],
  ['lists in lists, deeper than any stack', `${'['.repeat(NESTED)}${']'.repeat(NESTED)}`],
];

describe('a descriptor’s size (GHSA-f36w-mj3v-6jqv)', () => {
  for (const [shown, size] of SIZES) {
    it(`that is ${shown} is refused`, async () => {
      const marked = JSON.stringify({ ...TRUE, layers: [{ ...LAYER, size: '@' }] });
      await isRefused(manifestOf(marked.replace('"@"', size)), /layers\[0\] has the size/);
    });
  }

  it('that is missing is refused', async () => {
    const { size: _, ...rest } = LAYER;
    await isRefused(manifestOf({ ...TRUE, layers: [rest] }), /layers\[0\] has the size/);
  });

  it('of a child that lies does not count: 80 MB of children that say to be small are refused', async () => {
    const padding = 'x'.repeat(4_000_000);
    const children = Array.from({ length: 20 }, (_, n) =>
      manifestOf({ ...TRUE, annotations: { n: String(n), padding } }),
    );
    const manifests = children.map(({ mediaType, digest }) => ({ mediaType, digest, size: 1 }));
    const root = manifestOf({ schemaVersion: 2, mediaType: INDEX, manifests }, INDEX);
    putImage(stage.source.store, 'acme/bad', '1', { root, manifests: children, blobs: BAD.blobs });

    const outcome = await stage.syncBoth(root.digest);

    await failsAlone(stage, outcome, { code: ['PROTOCOL', 'CONTENT_MISMATCH'] });
  });
});

const AMBIGUOUS = /could be read in two ways/;

describe('a manifest that can be read in two ways (CVE-2021-41190)', () => {
  const both = { ...TRUE, manifests: [] };

  it('as it has layers and manifests is refused, whatever it is served as', async () => {
    for (const mediaType of [MANIFEST, INDEX]) {
      await isRefused(manifestOf({ ...both, mediaType }, mediaType), AMBIGUOUS);
    }
  });

  it('as its mediaType is not its Content-Type is refused', async () => {
    await isRefused(manifestOf({ ...TRUE, mediaType: INDEX }), AMBIGUOUS);
  });

  it('as it is served as an index but looks like an image is refused', async () => {
    const { mediaType: _, ...unnamed } = TRUE;
    await isRefused(manifestOf(unnamed, INDEX), AMBIGUOUS);
  });

  it('as it calls itself a megabyte of something is refused in few words', async () => {
    const root = manifestOf({ ...TRUE, mediaType: 'x'.repeat(1_000_000) });
    await isRefused(root, AMBIGUOUS);
  });
});

describe('a manifest that is no manifest', () => {
  for (const [shown, content] of [
    ['empty', ''],
    ['null', 'null'],
    ['a list', '[]'],
    ['a page of HTML', '<html><body>Sign in</body></html>'],
    ['cut off', BAD.root.bytes.toString().slice(0, -10)],
    ['no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['lists in lists', `${'['.repeat(NESTED)}${']'.repeat(NESTED)}`],
  ] as const) {
    it(`but ${shown} is refused`, async () => {
      await isRefused(manifestOf(content), /manifest is no JSON|is no manifest|looks otherwise/, [
        'PROTOCOL',
        'CONTENT_MISMATCH',
      ]);
    });
  }

  it('as its layers are none of a list’s is refused', async () => {
    for (const layers of [{}, 'x', 7, [null], ['x'], [[]]]) {
      await isRefused(manifestOf({ ...TRUE, layers }), /manifest is malformed: layers/);
    }
  });
});

describe('a manifest that is too large (CVE-2020-1702)', () => {
  it('with more than 4 MiB is not read to its end', async () => {
    const padding = 'x'.repeat(4 * 1024 * 1024);
    const root = manifestOf({ ...TRUE, annotations: { padding } });
    await isRefused(root, /is longer than 4194304 bytes/);
  });

  it('with 100,000 children is refused', async () => {
    const entry = { mediaType: MANIFEST, digest: DIGEST, size: 1 };
    const manifests = Array.from({ length: 100_000 }, () => entry);
    await isRefused(manifestOf({ schemaVersion: 2, manifests }, INDEX), /longer than 4194304/);
  });

  it('with more children than any index has, in less than 4 MiB, is refused', async () => {
    const entry = { mediaType: MANIFEST, digest: DIGEST, size: 1 };
    const manifests = Array.from({ length: 20_000 }, () => entry);
    const root = manifestOf({ schemaVersion: 2, manifests }, INDEX);
    ok(root.size < 4 * 1024 * 1024);
    await isRefused(root, /lists 20000 manifests, more than 10000/);
  });

  it('as indexes in indexes is refused, below the sixth', async () => {
    let built = image({ seed: 'deep' });
    for (let depth = 0; depth < 6; depth += 1) built = index([{ image: built }]);
    putImage(stage.source.store, 'acme/bad', '1', built);

    const outcome = await stage.syncBoth(built.root.digest);

    const says = /nested deeper than 6 levels/;
    await failsAlone(stage, outcome, { code: 'PROTOCOL', says });
    equal(stage.source.requests.filter(({ path }) => /bad.blobs/.test(path)).length, 0);
  });

  it('as children that sum up to more than any image has is refused', async () => {
    const entry = (n: number) => ({
      mediaType: MANIFEST,
      digest: `sha256:${n.toString(16).padStart(64, '0')}`,
      size: 4_000_000,
    });
    const manifests = Array.from({ length: 20 }, (_, n) => entry(n));
    await isRefused(manifestOf({ schemaVersion: 2, manifests }, INDEX), /index has more than/);
  });
});

describe('a row’s own digest (CVE-2024-3727)', () => {
  it('is looked at before anything is asked for', async () => {
    for (const digest of ['sha256:../../x', DIGEST.replaceAll('0', 'A'), `md5:${'0'.repeat(32)}`]) {
      const { code, stderr } = await stage.syncBoth(digest);

      equal(code, 1);
      ok(stderr.includes(JSON.stringify(digest)), stderr);
    }
    deepEqual([stage.source.requests.length, stage.target.requests.length], [0, 0]);
    ok(!repositoryOf(stage.target.store, 'acme/good').tags.has('1'));
  });
});
