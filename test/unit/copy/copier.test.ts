import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import pLimit from 'p-limit';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import { createTransfers } from '../../../src/copy/run.ts';
import { createCopier, type CopyResult, type CopySettings } from '../../../src/copy/copier.ts';
import { ALL } from '../../../src/copy/select.ts';
import { parseDigest, type Digest } from '../../../src/image/digest.ts';
import { parsePlatform } from '../../../src/image/platform.ts';
import {
  artifact,
  cosignSignature,
  cosignTag,
  image,
  index,
  type BuiltBlob,
  type BuiltImage,
} from '../../support/images.ts';
import { MemoryRepository } from '../../support/memory-image.ts';

const IMAGE = image({ layers: 3 });
const AMD64 = { image: image({ seed: 'amd64' }), platform: parsePlatform('linux/amd64') };
const ARM64 = { image: image({ seed: 'arm64' }), platform: parsePlatform('linux/arm64') };
const INDEX = index([AMD64, ARM64]);

const digestOf = ({ root }: BuiltImage): Digest => parseDigest(root.digest);

/** A source that holds images under v1, and an empty sink. */
function places(...images: BuiltImage[]) {
  const from = new MemoryRepository('from.test/a');
  const to = new MemoryRepository('to.test/b');
  for (const [at, held] of images.entries()) from.hold(at === 0 ? 'v1' : undefined, held);
  return { from, to };
}

interface Options extends Partial<CopySettings> {
  readonly expected?: Digest;
  readonly signal?: AbortSignal;
}

function copy(
  { from, to }: { from: MemoryRepository; to: MemoryRepository },
  { expected, signal = new AbortController().signal, ...settings }: Options = {},
): Promise<CopyResult> {
  const copier = createCopier({
    transfers: createTransfers(2, 2),
    selection: ALL,
    referrers: 'copied',
    ...settings,
  });
  const request = { source: from.source('v1'), sink: to.sink('v1'), signal };
  return copier(expected === undefined ? request : { ...request, expected });
}

/** The first words of the calls, each once, in the order in which they came first. */
function stepsOf({ calls }: MemoryRepository): string[] {
  return [...new Set(calls.map((call) => call.split(' ')[0] ?? ''))];
}

/** Fails calls that `pattern` matches, so many times. */
function failing(pattern: RegExp, error: Error, times = Infinity): (call: string) => void {
  let left = times;
  return (call) => {
    if (!pattern.test(call) || left <= 0) return;
    left -= 1;
    throw error;
  };
}

function lost(digest: string): RegistrySyncError {
  return new RegistrySyncError('REJECTED', 'lost', { details: { missing: digest } });
}

describe('a copy', () => {
  it('makes the sink hold what the source has, byte for byte', async () => {
    const { from, to } = places(INDEX);

    const result = await copy({ from, to });

    deepEqual([result.outcome, result.digest], ['copied', digestOf(INDEX)]);
    deepEqual(to.tags, from.tags);
    deepEqual(new Map([...to.manifests].toSorted()), new Map([...from.manifests].toSorted()));
    deepEqual(new Map([...to.blobs].toSorted()), new Map([...from.blobs].toSorted()));
  });

  it('brings blobs, then children, then what is attached, and the root last', async () => {
    const signature = artifact({ artifactType: 'test/signature', subject: INDEX.root });
    const { from, to } = places(INDEX, signature);

    await copy({ from, to });

    deepEqual(to.calls.slice(-2), [`attach ${INDEX.root.digest} 1`, 'root v1']);
    const own = to.calls.filter(
      (call) => !call.includes(signature.root.digest) && !call.startsWith('put'),
    );
    deepEqual(stepsOf({ ...to, calls: own } as MemoryRepository), [
      'head',
      'reading',
      'child',
      'attach',
      'root',
    ]);
    ok(
      to.calls.indexOf(`root ${signature.root.digest}`) >
        to.calls.findLastIndex((c) => c.startsWith('child')),
    );
  });

  it('counts what was moved, and what was there', async () => {
    const { from, to } = places(IMAGE);
    const [first] = IMAGE.blobs;
    ok(first);
    to.blobs.set(first.digest, first.bytes);

    const { blobs, bytes, mountedBytes } = await copy({ from, to });

    deepEqual(blobs, { present: 1, mounted: 0, copied: 3 });
    equal(
      bytes,
      IMAGE.blobs.slice(1).reduce((sum, blob) => sum + blob.bytes.length, 0),
    );
    equal(mountedBytes, 0);
  });

  it('asks for all blobs of an image in one tick', async () => {
    const { from, to } = places(IMAGE);
    const ticks = new Set<number>();
    let tick = 0;
    to.trouble = (call) => {
      if (!call.startsWith('put')) return;
      if (ticks.size === 0) void Promise.resolve().then(() => (tick += 1));
      ticks.add(tick);
    };

    await copy({ from, to });

    deepEqual([...ticks], [0]);
  });
});

describe('a copy of what is there already', () => {
  it('costs one head at the sink and nothing at the source', async () => {
    const { from, to } = places(IMAGE);
    to.hold('v1', IMAGE);

    const { outcome, bytes } = await copy({ from, to }, { expected: digestOf(IMAGE) });

    deepEqual([outcome, bytes], ['unchanged', 0]);
    deepEqual([from.calls, to.calls], [[], ['head v1']]);
  });

  it('costs one head more where no digest is expected', async () => {
    const { from, to } = places(IMAGE);
    to.hold('v1', IMAGE);

    await copy({ from, to });

    deepEqual([from.calls, to.calls], [['head v1'], ['head v1']]);
  });

  it('is seen for a selection too', async () => {
    const { from, to } = places(INDEX);
    const selection = { kind: 'platforms', platforms: [AMD64.platform] } as const;
    await copy({ from, to }, { selection });
    to.calls.length = 0;

    const { outcome } = await copy({ from, to }, { selection });

    deepEqual([outcome, to.calls], ['unchanged', ['head v1']]);
  });

  it('looks for new attachments when told to, of a selection too', async () => {
    const selections = [ALL, { kind: 'platforms', platforms: [AMD64.platform] } as const];
    for (const selection of selections) {
      const { from, to } = places(INDEX);
      await copy({ from, to }, { selection });
      const signature = artifact({ artifactType: 'test/late', subject: AMD64.image.root });
      from.hold(undefined, signature);
      to.calls.length = 0;

      const { outcome } = await copy({ from, to }, { selection, referrers: 'recheck' });
      const again = await copy({ from, to }, { selection, referrers: 'recheck' });

      deepEqual([outcome, again.outcome], ['copied', 'unchanged']);
      ok(to.manifests.has(signature.root.digest));
      deepEqual(
        to.calls.filter((call) => /^(?:child|root v1)/.test(call)),
        [],
      );
    }
  });
});

describe('a copy of an expected digest', () => {
  it('takes that, though the tag has moved', async () => {
    const { from, to } = places(IMAGE);
    from.hold('v1', INDEX);

    const { digest } = await copy({ from, to }, { expected: digestOf(IMAGE) });

    equal(digest, IMAGE.root.digest);
    equal(to.tags.get('v1'), IMAGE.root.digest);
  });

  it('fails when the source no longer has it', async () => {
    const { from, to } = places(INDEX);

    await rejects(copy({ from, to }, { expected: digestOf(IMAGE) }), { code: 'NOT_FOUND' });

    equal(to.tags.size, 0);
  });
});

describe('a selection', () => {
  it('is copied without what it leaves out', async () => {
    const { from, to } = places(INDEX);

    const { digest } = await copy(
      { from, to },
      { selection: { kind: 'platforms', platforms: [ARM64.platform] } },
    );

    equal(digest, INDEX.root.digest);
    ok(to.manifests.has(ARM64.image.root.digest));
    equal(to.manifests.has(AMD64.image.root.digest), false);
    equal(
      from.calls.some((call) => call.includes(AMD64.image.root.digest)),
      false,
    );
  });
});

describe('what a copy hopes that the sink has', () => {
  for (const [shown, selection, hoped] of [
    ['is what is expected', ALL, digestOf(INDEX)],
    [
      'is nothing where a part of it is selected',
      { kind: 'platforms', platforms: [ARM64.platform] },
      undefined,
    ],
  ] as const) {
    it(shown, async () => {
      const { from, to } = places(INDEX);
      const heads: unknown[] = [];
      const sink = to.sink('v1');
      const { head } = sink;
      sink.head = (signal, one) => {
        heads.push(one);
        return head.call(sink, signal);
      };
      const copier = createCopier({
        transfers: createTransfers(2, 2),
        selection,
        referrers: 'none',
      });
      const { signal } = new AbortController();

      await copier({ source: from.source('v1'), sink, signal, expected: digestOf(INDEX) });

      deepEqual(heads, [hoped]);
    });
  }
});

const signature = artifact({ artifactType: 'test/signature', subject: AMD64.image.root });
const ofSignature = artifact({ artifactType: 'test/of-signature', subject: signature.root });
const tag = cosignTag(INDEX.root.digest);

describe('what is attached', () => {
  it('comes along: of children, of attachments, and under tags', async () => {
    const { from, to } = places(INDEX, signature, ofSignature);
    from.hold(tag, cosignSignature(INDEX.root.digest));

    await copy({ from, to });

    ok(to.manifests.has(ofSignature.root.digest));
    equal(to.tags.get(tag), cosignSignature(INDEX.root.digest).root.digest);
  });

  it('is copied whole, whatever is selected of the image', async () => {
    const { from, to } = places(INDEX);
    const ofChild = cosignTag(AMD64.image.root.digest, 'sbom');
    from.hold(ofChild, index([ARM64]));

    await copy({ from, to }, { selection: { kind: 'platforms', platforms: [AMD64.platform] } });

    equal(to.tags.get(ofChild), index([ARM64]).root.digest);
  });

  it('is left where it is when told so', async () => {
    const { from, to } = places(INDEX, signature);

    await copy({ from, to }, { referrers: 'none' });

    equal(to.manifests.has(signature.root.digest), false);
    equal(
      from.calls.some((call) => call.startsWith('attachments')),
      false,
    );
  });
});

describe('what is attached to an image', () => {
  const attached = artifact({ artifactType: 'test/signature', subject: IMAGE.root });
  const at = ({ calls }: MemoryRepository, call: string): number => calls.indexOf(call);

  it('comes after the image is there by its digest, and before its tag', async () => {
    const { from, to } = places(IMAGE, attached);

    await copy({ from, to });

    const order = [
      at(to, `child ${IMAGE.root.digest}`),
      at(to, `root ${attached.root.digest}`),
      at(to, `attach ${IMAGE.root.digest} 1`),
      at(to, 'root v1'),
    ];
    deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
    ok(order[0] !== -1);
  });

  it('without a tag comes before all that is the image’s own, and again after a failure', async () => {
    const { from, to } = places(IMAGE, attached);
    const copier = createCopier({
      transfers: createTransfers(2, 2),
      selection: ALL,
      referrers: 'copied',
    });
    const [expected, { signal }] = [digestOf(IMAGE), new AbortController()];
    const row = () => {
      const [source, sink] = [from.source(expected), to.sink(expected)];
      return copier({ source, sink, expected, untagged: true, signal });
    };
    to.trouble = failing(/^attach/, new RegistrySyncError('UNAVAILABLE', 'down'), 1);

    await rejects(row(), { code: 'UNAVAILABLE' });
    equal(to.manifests.has(IMAGE.root.digest), false);
    const { outcome } = await row();

    equal(outcome, 'copied');
    const [blob] = IMAGE.blobs as [BuiltBlob];
    ok(to.calls.findLastIndex((call) => call.startsWith('attach ')) < at(to, `put ${blob.digest}`));
  });
});

describe('what is attached and fails', () => {
  for (const subject of [AMD64.image.root, INDEX.root]) {
    const failed = artifact({ artifactType: 'test/failed', subject });
    const which = subject === INDEX.root ? 'the index' : 'a child';

    it(`leaves the root unput when that of ${which} fails, with nothing under way`, async () => {
      const { from, to } = places(INDEX, failed);
      from.hold(tag, cosignSignature(INDEX.root.digest));
      let isEnded = false;
      to.trouble = async (call) => {
        if (call === `root ${failed.root.digest}`) throw new RegistrySyncError('REJECTED', 'no');
        if (call !== `root ${tag}`) return;
        for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
        isEnded = true;
      };

      await rejects(copy({ from, to }), {
        code: 'REJECTED',
        message: new RegExp(`attached to ${subject.digest}.*: no$`),
      });

      equal(to.tags.has('v1'), false);
      equal(isEnded, true);
    });
  }

  it('is tried twice when content got lost, not once per try of the image', async () => {
    const { from, to } = places(INDEX, signature);
    const call = `root ${signature.root.digest}`;
    to.trouble = failing(new RegExp(`^${call}`), lost('x'));

    await rejects(copy({ from, to }), { code: 'REJECTED' });

    equal(to.calls.filter((made) => made === call).length, 2);
  });

  it('may go away, where it is a tag', async () => {
    const { from, to } = places(INDEX);
    from.hold(tag, cosignSignature(INDEX.root.digest));
    from.trouble = (call) => {
      if (call === `head ${tag}`) from.tags.delete(tag);
    };

    const { outcome } = await copy({ from, to });

    equal(outcome, 'copied');
  });

  it('may not be missing, where a list names it', async () => {
    const { from, to } = places(INDEX, signature);
    from.manifests.delete(signature.root.digest);

    await rejects(copy({ from, to }), { code: 'NOT_FOUND' });

    equal(to.tags.has('v1'), false);
  });

  it('names the source when that can not list it', async () => {
    const { from, to } = places(IMAGE);
    from.trouble = failing(/^attachments/, new RegistrySyncError('UNAVAILABLE', 'down'));

    await rejects(copy({ from, to }), {
      code: 'UNAVAILABLE',
      message: 'source from.test/a:v1: down',
      details: { side: 'source' },
    });
  });

  it('closes what it opened', async () => {
    const { from, to } = places(INDEX, signature);

    await copy({ from, to });

    const call = `dispose ${signature.root.digest}`;
    ok(from.calls.includes(call) && to.calls.includes(call));
  });
});

describe('a failed copy', () => {
  const failures: [string, 'from' | 'to', RegExp, string][] = [
    ['the head of the source', 'from', /^head/, 'source from.test/a:v1: down'],
    ['a manifest of the source', 'from', /^manifest/, 'source from.test/a:v1: down'],
    ['the head of the sink', 'to', /^head/, 'target to.test/b:v1: down'],
    ['a blob of the sink', 'to', /^put/, 'target to.test/b:v1: down'],
    ['a child at the sink', 'to', /^child/, 'target to.test/b:v1: down'],
    ['the root at the sink', 'to', /^root/, 'target to.test/b:v1: down'],
  ];
  for (const [shown, side, call, message] of failures) {
    it(`names the side of ${shown}`, async () => {
      const pair = places(INDEX);
      pair[side].trouble = failing(call, new RegistrySyncError('UNAVAILABLE', 'down'));

      await rejects(copy(pair), {
        code: 'UNAVAILABLE',
        message,
        details: { side: side === 'from' ? 'source' : 'target' },
      });
    });
  }

  it('of one side has ended on the other side too', async () => {
    const { from, to } = places(IMAGE);
    let isEnded = false;
    from.trouble = failing(/^head/, new RegistrySyncError('UNAVAILABLE', 'down'));
    to.trouble = async () => {
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
      isEnded = true;
    };

    await rejects(copy({ from, to }), { code: 'UNAVAILABLE' });

    equal(isEnded, true);
  });

  it('says that there is no such image', async () => {
    await rejects(copy(places()), {
      code: 'NOT_FOUND',
      message: 'source from.test/a:v1: not found',
      details: { side: 'source' },
    });
  });

  it('leaves what is no failure of ours as it is', async () => {
    const pair = places(IMAGE);
    const bug = new TypeError('bug');
    pair.to.trouble = failing(/^put/, bug);

    await rejects(copy(pair), (error) => error === bug);
  });
});

describe('a sink that lost content', () => {
  it('is given the image once more', async () => {
    const pair = places(IMAGE);
    const [first] = IMAGE.blobs;
    ok(first);
    pair.to.trouble = failing(/^root/, lost(first.digest), 1);

    const { outcome } = await copy(pair);

    equal(outcome, 'copied');
    equal(pair.to.calls.filter((call) => call === `put ${first.digest}`).length, 2);
  });

  it('is not given it a third time', async () => {
    const pair = places(IMAGE);
    pair.to.trouble = failing(/^root/, lost('x'));

    await rejects(copy(pair), { code: 'REJECTED' });

    equal(pair.to.calls.filter((call) => call === 'root v1').length, 2);
  });

  it('is told apart from one that refuses', async () => {
    const pair = places(IMAGE);
    pair.to.trouble = failing(/^root/, new RegistrySyncError('REJECTED', 'immutable'));

    await rejects(copy(pair), { code: 'REJECTED' });

    equal(pair.to.calls.filter((call) => call === 'root v1').length, 1);
  });
});

describe('a copy that repairs', () => {
  it('puts each manifest and blob of an image that is there, without a look at its name', async () => {
    const pair = places(INDEX);
    pair.to.hold('v1', INDEX);

    const { outcome } = await copy(pair, { repairs: true });

    equal(outcome, 'copied');
    deepEqual(stepsOf(pair.to).slice(0, 3), ['put', 'child', 'root']);
    const put = pair.to.calls.filter((call) => /^(?:put|child|root) /.test(call));
    equal(put.length, INDEX.blobs.length + INDEX.manifests.length + 1);
  });

  it('puts a part of an image that is there', async () => {
    const pair = places(INDEX);
    pair.to.hold('v1', INDEX);
    const selection = { kind: 'platforms', platforms: [ARM64.platform] } as const;

    await copy(pair, { repairs: true, selection });

    equal(pair.to.calls.includes('root v1'), true);
    equal(pair.to.tags.get('v1') === INDEX.root.digest, false);
  });
});

describe('an abort', () => {
  const steps = [
    /^from head/,
    /^from manifest/,
    /^from blob/,
    /^to put/,
    /^to reading/,
    /^to child/,
    /^to root/,
  ];
  for (const step of steps) {
    it(`in the middle of ${step.source} leaves nothing open and no root`, async () => {
      const pair = places(INDEX);
      const aborting = new AbortController();
      const abortAt = (side: string) => (call: string) => {
        if (step.test(`${side} ${call}`)) aborting.abort();
      };
      pair.from.trouble = abortAt('from');
      pair.to.trouble = abortAt('to');
      const limit = pLimit(2);
      const transfers = { small: limit, large: limit };

      await rejects(copy(pair, { signal: aborting.signal, transfers }), { code: 'CANCELLED' });
      await new Promise(setImmediate);

      equal(pair.from.openStreams, 0);
      equal(pair.to.tags.size, 0);
      deepEqual([limit.activeCount, limit.pendingCount], [0, 0]);
    });
  }
});
