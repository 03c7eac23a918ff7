import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import pLimit from 'p-limit';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import { planCopy, type CopyPlan } from '../../../src/copy/plan.ts';
import { createTransfers, runBlobs, runChildren, type RunSettings } from '../../../src/copy/run.ts';
import type { ImageSource } from '../../../src/image/source-and-sink.ts';
import { image, index } from '../../support/images.ts';
import { MemoryRepository } from '../../support/memory-image.ts';

const IMAGE = image({ layers: 6 });
const DOWN = new RegistrySyncError('UNAVAILABLE', 'down');

async function prepare(built = IMAGE, limit = 2) {
  const from = new MemoryRepository().hold('v1', built);
  const to = new MemoryRepository();
  const aborting = new AbortController();
  const { signal } = aborting;
  const source = from.source('v1');
  const plan: CopyPlan = await planCopy(source, await source.manifest('root', signal), signal);
  const permits = pLimit(limit);
  const transfers = { small: permits, large: permits };
  const settings: RunSettings = { source, sink: to.sink('v1'), transfers, signal };
  return { from, to, plan, settings, permits, aborting };
}

/** Resolves when all that could happen without time has happened. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
}

describe('runBlobs', () => {
  it('keeps no more streams open than there are permits', async () => {
    const { from, plan, settings } = await prepare();

    await runBlobs(plan, settings);

    equal(from.mostStreams, 2);
    equal(from.openStreams, 0);
  });

  it('takes no permit for a blob that is there', async () => {
    const { from, to, plan, settings } = await prepare();
    for (const { digest, bytes } of IMAGE.blobs) to.blobs.set(digest, bytes);

    const { blobs } = await runBlobs(plan, { ...settings, transfers: createTransfers(1, 1) });

    deepEqual(blobs, { present: 7, mounted: 0, copied: 0 });
    equal(from.mostStreams, 0);
  });

  it('shares permits with other images', async () => {
    const a = await prepare(image({ seed: 'a' }));
    const b = await prepare(image({ seed: 'b' }));
    const permits = pLimit(1);
    const transfers = { small: permits, large: permits };

    await Promise.all(
      [a, b].map(({ plan, settings }) => runBlobs(plan, { ...settings, transfers })),
    );

    ok(a.from.mostStreams === 1 && b.from.mostStreams === 1);
    equal(permits.activeCount, 0);
  });
});

describe('runBlobs, when something fails', () => {
  it('stops the others at the first failure, and throws that', async () => {
    const { from, to, plan, settings, permits } = await prepare();
    const failed = plan.blobs[1]?.digest;
    const ended: string[] = [];
    to.trouble = async (call, signal) => {
      if (call === `reading ${failed}`) throw DOWN;
      if (!call.startsWith('reading')) return;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await quiet();
      ended.push(call);
    };

    await rejects(runBlobs(plan, settings), (error) => error === DOWN);

    deepEqual(ended, [`reading ${plan.blobs[0]?.digest}`]);
    equal(from.calls.filter((call) => call.startsWith('blob')).length, 2);
    await quiet();
    deepEqual([from.openStreams, permits.activeCount, permits.pendingCount], [0, 0, 0]);
  });

  it('opens nothing for who was stopped while waiting for a permit', async () => {
    const { plan, settings, permits, aborting } = await prepare();
    const holding = new AbortController();
    const held = new Promise((done) => holding.signal.addEventListener('abort', done));
    const taken = [1, 2].map(() => permits(() => held));
    let opened = 0;
    const blob: ImageSource['blob'] = (...args) => {
      opened += 1;
      return settings.source.blob(...args);
    };
    const source = Object.assign(Object.create(settings.source) as ImageSource, { blob });
    const running = runBlobs(plan, { ...settings, source });
    await quiet();

    aborting.abort();
    holding.abort();

    await rejects(running, { code: 'CANCELLED' });
    await Promise.all(taken);
    await quiet();
    equal(opened, 0);
  });

  it('gives the permit back when the source has no such blob', async () => {
    const { from, plan, settings, permits } = await prepare(IMAGE, 1);
    from.blobs.clear();

    await rejects(runBlobs(plan, settings), { code: 'NOT_FOUND' });
    await quiet();

    equal(permits.activeCount, 0);
  });

  it('gives the permit back when the bytes are wrong', async () => {
    const { from, to, plan, settings, permits } = await prepare(IMAGE, 1);
    const [first] = plan.blobs;
    ok(first);
    from.blobs.set(first.digest, Buffer.alloc(first.size));

    await rejects(runBlobs(plan, settings), { code: 'CONTENT_MISMATCH' });
    await quiet();

    equal(to.blobs.has(first.digest), false);
    equal(permits.activeCount, 0);
  });
});

describe('runBlobs, afterwards', () => {
  it('leaves no listener on the signal of the run', async () => {
    const { plan, settings, aborting } = await prepare();
    let listeners = 0;
    const { signal } = aborting;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => ((listeners += 1), add(...args));
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (
      (listeners -= 1),
      remove(...args)
    );

    await runBlobs(plan, settings);

    equal(listeners, 0);
  });
});

describe('runChildren', () => {
  const nested = index([
    { image: index([{ image: image({ seed: 'a' }) }, { image: image({ seed: 'b' }) }]) },
  ]);

  it('puts a level when the one below it is held', async () => {
    const { to, plan, settings } = await prepare(nested);
    await runBlobs(plan, settings);

    await runChildren(plan, settings);

    deepEqual(
      to.calls.filter((call) => call.startsWith('child')),
      nested.manifests.map(({ digest }) => `child ${digest}`),
    );
  });

  it('fails when those that it began have ended', async () => {
    const { to, plan, settings } = await prepare(nested);
    await runBlobs(plan, settings);
    const [first, second] = nested.manifests;
    let isEnded = false;
    to.trouble = async (call) => {
      if (call === `child ${first?.digest}`) throw DOWN;
      if (call === `child ${second?.digest}`) await quiet();
      isEnded = true;
    };

    await rejects(runChildren(plan, settings), (error) => error === DOWN);

    equal(isEnded, true);
    equal(to.calls.filter((call) => call.startsWith('child')).length, 2);
  });
});
