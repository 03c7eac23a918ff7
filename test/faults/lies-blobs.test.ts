/**
 * Registries that lie about blobs. The target trusts: whatever it is told to keep it keeps, so that
 * what we let through shows.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';

import { image, layer, type BuiltImage } from '../support/images.ts';
import type { Fault, FaultEffect } from '../support/registry/faults.ts';
import { putImage } from '../support/registry/store.ts';
import {
  BAD,
  failsAlone,
  GOOD,
  healed,
  holdAsBad,
  holdsOnlyWhatIsTrue,
  manifestOf,
  startStage,
  type Stage,
} from './lies-stage.ts';

/** Above 4 MiB a blob goes by PATCH, below by one PUT. */
const LARGE = image({ layers: [layer({ seed: 'large', layerBytes: 5_000_000 })], seed: 'large' });
const SIZES: [string, BuiltImage][] = [
  ['small', BAD],
  ['large', LARGE],
];

let stage: Stage;
beforeEach(async () => {
  stage = await startStage({ target: { trusting: true } });
});
afterEach(() => stage.close());

/** The largest blob: the layer. */
const layerOf = (built: BuiltImage): string =>
  built.blobs.toSorted((a, b) => b.bytes.length - a.bytes.length)[0]?.digest ?? '';

function always(method: string, path: RegExp, effect: FaultEffect): Fault {
  return { match: { method, path }, times: Infinity, effect };
}

describe('a blob whose bytes are wrong (ggcr #2303)', () => {
  for (const [size, built] of SIZES) {
    for (const corrupt of ['first', 'last', 'short', 'long'] as const) {
      it(`is never kept by the target: ${size}, ${corrupt}`, async () => {
        putImage(stage.source.store, 'acme/bad', '1', built);
        const path = new RegExp(`blobs/${layerOf(built)}`);
        stage.source.setFaults([always('GET', path, { corrupt })]);

        const outcome = await stage.syncBoth(built.root.digest, ['--retry-times', '1']);

        // A short answer looks like one that broke off.
        const code = corrupt === 'short' ? 'UNAVAILABLE' : 'CONTENT_MISMATCH';
        await failsAlone(stage, outcome, { code: [code, 'REJECTED', 'PROTOCOL'] });
        equal(stage.target.store.blobs.has(layerOf(built)), false);
      });
    }
  }

  it('once, as damage on the way, is brought whole', async () => {
    const path = new RegExp(`blobs/${layerOf(BAD)}`);
    stage.source.setFaults([{ match: { path }, effect: { corrupt: 'first' } }]);

    await healed(stage, await stage.syncBoth(BAD.root.digest, ['--retry-times', '1']));
  });

  it('in the part that a broken download is resumed with is not kept', async () => {
    putImage(stage.source.store, 'acme/bad', '1', LARGE);
    const path = new RegExp(`blobs/${layerOf(LARGE)}`);
    stage.source.setFaults([
      { match: { path }, effect: { cutAfter: 2_000_000 } },
      always('GET', path, { corrupt: 'last' }),
    ]);

    const outcome = await stage.syncBoth(LARGE.root.digest, ['--retry-times', '1']);

    await failsAlone(stage, outcome, { code: 'CONTENT_MISMATCH', says: /hashes to/ });
    ok(stage.source.requests.some(({ headers }) => headers.range !== undefined));
  });

  it('as the answer to a range is another range is refused', async () => {
    putImage(stage.source.store, 'acme/bad', '1', LARGE);
    const path = new RegExp(`blobs/${layerOf(LARGE)}`);
    const headers = { 'content-range': 'bytes 0-9/10' };
    stage.source.setFaults([
      { match: { path }, effect: { cutAfter: 2_000_000 } },
      always('GET', path, { status: 206, headers, body: '0123456789' }),
    ]);

    const outcome = await stage.syncBoth(LARGE.root.digest, ['--retry-times', '1']);

    await failsAlone(stage, outcome, { code: 'PROTOCOL', says: /asked for bytes from \d+/ });
  });
});

describe('a blob of another length than its descriptor says', () => {
  for (const [shown, off] of [
    ['a byte longer', 1],
    ['a byte shorter', -1],
    ['far longer', 2 ** 45],
  ] as const) {
    it(`${shown} is not kept`, async () => {
      const json = JSON.parse(BAD.root.bytes.toString()) as { layers: { size: number }[] };
      const [first] = json.layers;
      ok(first);
      first.size += off;
      const root = manifestOf(json);
      holdAsBad(stage, root);

      const outcome = await stage.syncBoth(root.digest);

      const code = ['CONTENT_MISMATCH', 'UNAVAILABLE', 'REJECTED'] as const;
      await failsAlone(stage, outcome, { code });
    });
  }
});

describe('a target that says it holds a blob which it does not', () => {
  const [, { digest, bytes } = GOOD.root] = BAD.blobs;
  /** HEAD answers as if it were there. */
  const claim = (times: number): Fault => {
    const effect = { status: 200, body: 'x'.repeat(bytes.length) };
    return { match: { method: 'HEAD', path: new RegExp(`bad/blobs/${digest}`) }, times, effect };
  };
  const puts = (): number =>
    stage.target.requests.filter(
      ({ method, path }) => method === 'PUT' && path.includes('bad/manifests/1'),
    ).length;

  const linksNothing = always('POST', /mount=/, { status: 405 });
  const missing = JSON.stringify({
    errors: [{ code: 'MANIFEST_BLOB_UNKNOWN', message: 'blob unknown', detail: digest }],
  });

  it('once is brought the blob when it misses it', async () => {
    stage.target.setFaults([linksNothing, claim(1)]);

    await healed(stage, await stage.syncBoth(BAD.root.digest));

    equal(puts(), 2);
  });

  it('always is not believed again once it misses it', async () => {
    stage.target.setFaults([linksNothing, claim(Infinity)]);

    await healed(stage, await stage.syncBoth(BAD.root.digest));

    equal(puts(), 2);
  });

  it('and misses it again when it was brought is a failure that says so', async () => {
    const refusal = { status: 400, body: missing };
    stage.target.setFaults([always('PUT', /bad\/manifests/, refusal)]);

    const outcome = await stage.syncBoth(BAD.root.digest);

    await failsAlone(stage, outcome, { code: 'REJECTED', says: /MANIFEST_BLOB_UNKNOWN/ });
    equal(puts(), 2);
  });

  it('in another size than it has is brought the blob', async () => {
    const effect = { status: 200, body: 'x' };
    stage.target.setFaults([always('HEAD', /bad\/blobs/, effect)]);

    await healed(stage, await stage.syncBoth(BAD.root.digest));
  });

  for (const times of [1, Infinity]) {
    it(`after a mount that it made ${times === 1 ? 'once' : 'always'} in words only is brought the blob`, async () => {
      const shared = image({ layers: [layer({ seed: 'shared' })], seed: 'other config' });
      const first = image({ layers: [layer({ seed: 'shared' })], seed: 'first config' });
      putImage(stage.source.store, 'acme/bad', '1', shared);
      putImage(stage.source.store, 'acme/first', '1', first);
      const lie = { status: 201, headers: { location: `/v2/acme/bad/blobs/${layerOf(shared)}` } };
      const mount = /bad\/blobs\/uploads\/\?.*mount=/;
      stage.target.setFaults([{ match: { path: mount }, times, effect: lie }]);
      const rows = ['first', 'bad'].map((name) => `acme,${name},1,,,`);

      const { code, stderr } = await stage.sync(rows, ['--jobs', '1']);

      equal(code, 0, stderr);
      ok(stage.target.requests.some(({ path }) => mount.test(path)));
      ok(stage.target.store.repositories.get('acme/bad')?.blobs.has(layerOf(shared)));
      holdsOnlyWhatIsTrue(stage.target);
    });
  }
});

describe('a mount (CVE-2024-39897, CVE-2026-35172)', () => {
  it('is only asked for from repositories that this run has put an image into', async () => {
    const shared = layer({ seed: 'shared' });
    for (const name of ['acme/one', 'acme/two', 'private/base']) {
      putImage(stage.source.store, name, '1', image({ layers: [shared], seed: name }));
    }
    // The target has it too, in a repository that no row names.
    putImage(stage.target.store, 'private/base', '1', image({ layers: [shared], seed: 'base' }));

    await stage.sync(['acme,one,1,,,', 'acme,two,1,,,'], ['--jobs', '1']);

    const from = stage.target.requests.flatMap(
      ({ path }) => new URL(path, stage.target.url).searchParams.get('from') ?? [],
    );
    deepEqual(new Set(from), new Set(['acme/one', 'acme/two']));
  });
});
