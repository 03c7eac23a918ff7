/** What is slow but moves is waited for, however long it takes; what stops moving is not. */
import { deepEqual, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Fault } from '../support/registry/faults.ts';
import { connections } from './net.ts';
import { APP, LARGE, startScene, type Scene } from './scene.ts';

const TIMEOUT_MS = 500; // undici makes a second of it
const LARGE_GET = { method: 'GET', path: new RegExp(LARGE.digest) };
/** Some three seconds for the whole. */
const TRICKLE: Fault = {
  match: LARGE_GET,
  effect: { trickle: Math.ceil(LARGE.bytes.length / 20), pauseMs: 150 },
};

async function expectWell(scene: Scene): Promise<void> {
  const outcomes = Object.values(await scene.sync());
  const errors = outcomes.map((one) => (one.result === 'failed' ? one.error.message : ''));
  deepEqual(errors, ['', '']);
  scene.expectWhole([APP, 'acme/lib']);
}

/** How often the large blob was read, and sent. */
function countLarge({ source, target }: Scene): { reads: number; sends: number } {
  return {
    reads: source.requests.filter(({ path }) => LARGE_GET.path.test(path)).length,
    sends: target.requests.filter(({ method }) => method === 'PATCH').length,
  };
}

describe('a large blob', { concurrency: 4 }, () => {
  it('may take longer to come than an answer may', { timeout: 20_000 }, async () => {
    await using scene = await startScene({ large: true, dispatcher: connections(TIMEOUT_MS) });
    scene.source.setFaults([TRICKLE]);
    const started = performance.now();

    await expectWell(scene);

    ok(performance.now() - started > 2500);
    deepEqual(countLarge(scene), { reads: 1, sends: 1 });
  });

  it('may wait for a target that is slow to take it', { timeout: 20_000 }, async () => {
    const dispatcher = connections(20_000, TIMEOUT_MS);
    await using scene = await startScene({ large: true, dispatcher });
    scene.target.setFaults([{ match: { method: 'PATCH' }, effect: { delayMs: 2500 } }]);

    await expectWell(scene);

    deepEqual(countLarge(scene), { reads: 1, sends: 1 });
  });

  it('is not waited for when the target falls silent after that', { timeout: 20_000 }, async () => {
    await using scene = await startScene({ large: true, dispatcher: connections(TIMEOUT_MS) });
    scene.source.setFaults([TRICKLE]);
    scene.target.setFaults([{ match: { method: 'PATCH' }, effect: { stall: true } }]);

    await expectWell(scene);

    deepEqual(countLarge(scene), { reads: 2, sends: 2 });
  });

  it('goes on where it was when the source falls silent', { timeout: 20_000 }, async () => {
    await using scene = await startScene({ large: true, dispatcher: connections(TIMEOUT_MS) });
    scene.source.setFaults([{ match: LARGE_GET, effect: { stallAfter: 3_000_000 } }]);

    await expectWell(scene);

    deepEqual(countLarge(scene), { reads: 2, sends: 1 });
    const ranges = scene.source.requests.flatMap(({ headers }) => headers.range ?? []);
    deepEqual(ranges, ['bytes=3000000-']);
  });
});
