import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { BlobChecks, type CheckedImage } from '../../../src/audit/verify-blobs.ts';
import {
  verifyRow,
  verifyRows,
  type Depth,
  type Verdict,
  type VerifySettings,
} from '../../../src/audit/verify.ts';
import { RegistrySyncError } from '../../../src/base/errors.ts';
import { createTransfers } from '../../../src/copy/run.ts';
import { ALL, selectFrom, type Selection } from '../../../src/copy/select.ts';
import { parseDigest } from '../../../src/image/digest.ts';
import { parsePlatform } from '../../../src/image/platform.ts';
import type { MappedRow } from '../../../src/sync/rows.ts';
import { NEVER, storedManifest } from '../../support/client.ts';
import { collect } from '../../support/collect.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { image, index, type BuiltImage } from '../../support/images.ts';
import { MemoryRepository } from '../../support/memory-image.ts';

const WEB = image({ seed: 'web' });
const INDEX = index(
  ['amd64', 'arm64'].map((architecture) => ({
    image: image({ seed: architecture, platform: { os: 'linux', architecture } }),
    platform: { os: 'linux', architecture },
  })),
);
const ARM64: Selection = { kind: 'platforms', platforms: [parsePlatform('linux/arm64')] };

/** A row of `a/b`, by tag unless that is `undefined`. */
function row(tag: string | undefined, built?: BuiltImage): MappedRow {
  const digest = built === undefined ? {} : { digest: parseDigest(built.root.digest) };
  const version = { ...(tag !== undefined && { tag }), ...digest };
  const target = { registry: 't.test', path: 'a/b', ...(tag === undefined ? digest : { tag }) };
  const source = { registry: 's.test', path: 'a/b', ...version };
  return { row: { line: 2, namespace: 'a', repository: 'b', ...version }, source, target };
}

interface World {
  readonly source: MemoryRepository;
  readonly target: MemoryRepository;
  readonly settings: VerifySettings;
}

function world(depth: Depth = 'digests', selection: Selection = ALL): World {
  const source = new MemoryRepository('s.test/a/b');
  const target = new MemoryRepository('t.test/a/b');
  const settings: VerifySettings = {
    open: (pair) => ({
      source: source.source(pair.source.digest ?? pair.source.tag ?? ''),
      target: target.source(pair.target.tag ?? pair.target.digest ?? '') as CheckedImage,
    }),
    selection,
    depthOf: () => depth,
    checks: new BlobChecks(createTransfers()),
    jobs: 4,
    clock: new FakeClock(),
    stopping: NEVER,
    signal: NEVER,
  };
  return { source, target, settings };
}

const seen = ({ status, found, detail }: Verdict) => ({ status, found, detail });

describe('a row', () => {
  it('is ok when the target has its digest, for one question', async () => {
    const { source, target, settings } = world();
    target.hold('1', WEB);

    const verdict = await verifyRow(row('1', WEB), settings);

    deepEqual(seen(verdict), { status: 'ok', found: WEB.root.digest, detail: '' });
    deepEqual(target.calls, ['head 1', 'dispose 1']);
    deepEqual(source.calls, []);
  });

  it('is missing when the target has nothing of its name', async () => {
    const verdict = await verifyRow(row('1', WEB), world('bytes').settings);

    deepEqual([verdict.status, verdict.found], ['missing', undefined]);
  });

  it('differs when the target has another digest, into which nobody looks', async () => {
    const { target, settings } = world('bytes');
    target.hold('1', INDEX);

    const verdict = await verifyRow(row('1', WEB), settings);

    const detail = `is ${INDEX.root.digest} instead of ${WEB.root.digest}`;
    deepEqual(seen(verdict), { status: 'differs', found: INDEX.root.digest, detail });
    deepEqual(target.calls, ['head 1', 'dispose 1']);
  });

  it('without a digest is ok when there is anything', async () => {
    const { target, settings } = world();
    target.hold('1', WEB);

    deepEqual((await verifyRow(row('1'), settings)).status, 'ok');
  });

  it('is damaged when some of it is not there, and tells three of these', async () => {
    const { target, settings } = world('manifests');
    target.hold('1', INDEX);
    target.blobs.clear();

    const { status, detail, damage } = await verifyRow(row('1', INDEX), settings);

    deepEqual([status, damage.length], ['damaged', 6]);
    match(detail, /^blob \S+ is missing; blob \S+ is missing; blob \S+ is missing; and 3 more$/);
  });

  it('has failed when it could not be asked for', async () => {
    const { target, settings } = world();
    target.trouble = () => {
      throw new RegistrySyncError('UNAVAILABLE', 'is away');
    };

    const { status, error, detail } = await verifyRow(row('1', WEB), settings);

    deepEqual(
      [status, error?.code, detail],
      ['failed', 'UNAVAILABLE', 'target t.test/a/b:1: is away'],
    );
  });

  it('does not hide a bug', async () => {
    const { target, settings } = world();
    target.trouble = () => {
      throw new TypeError('a bug');
    };

    await rejects(verifyRow(row('1', WEB), settings), TypeError);
  });
});

describe('a row of which some platforms were copied', () => {
  const selected = selectFrom(storedManifest(INDEX.root), ARM64);

  function copied(tag: string | undefined): World {
    const all = world('digests', ARM64);
    all.source.hold('1', INDEX);
    all.target.manifests.set(selected.descriptor.digest, selected);
    if (tag !== undefined) all.target.tags.set(tag, selected.descriptor.digest);
    return all;
  }

  it('is ok by the index that was made of them', async () => {
    const { source, settings } = copied('1');

    const verdict = await verifyRow(row('1', INDEX), settings);

    deepEqual([verdict.status, verdict.found], ['ok', selected.descriptor.digest]);
    equal(source.calls[0], `manifest ${INDEX.root.digest}`);
  });

  it('is ok under the digest of that, where it has no tag', async () => {
    const { settings } = copied(undefined);

    equal((await verifyRow(row(undefined, INDEX), settings)).status, 'ok');
  });

  it('is missing without a question to the source, where its tag is', async () => {
    const { source, settings } = copied(undefined);

    equal((await verifyRow(row('1', INDEX), settings)).status, 'missing');
    deepEqual(source.calls, []);
  });

  it('differs when there is another', async () => {
    const { target, settings } = copied('1');
    target.hold('1', WEB);

    equal((await verifyRow(row('1', INDEX), settings)).status, 'differs');
  });
});

describe('verifyRows', () => {
  async function* rows(read: string[]): AsyncGenerator<MappedRow> {
    for (const tag of ['1', '2', '3', '4']) {
      read.push(tag);
      yield row(tag, WEB);
    }
  }

  it('gives a verdict for each', async () => {
    const { target, settings } = world();
    target.hold('2', WEB);

    const verdicts = await collect(verifyRows(rows([]), settings));

    deepEqual(verdicts.map(({ row: { tag }, status }) => `${tag} ${status}`).toSorted(), [
      '1 missing',
      '2 ok',
      '3 missing',
      '4 missing',
    ]);
  });

  it('starts none once it is told to stop', async () => {
    const { settings } = world();
    const stopping = new AbortController();
    const read: string[] = [];
    const verdicts: Verdict[] = [];

    const all = verifyRows(rows(read), { ...settings, jobs: 1, stopping: stopping.signal });
    for await (const verdict of all) {
      verdicts.push(verdict);
      stopping.abort();
    }

    equal(verdicts.length, 1);
    equal(read.length, 2); // the one that was read is not begun
  });
});
