import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import { runPlan, type PlanOutcome } from '../../../src/sync/plan-run.ts';

const NEVER = new AbortController().signal;

/** Resolves in so many milliseconds, unless it is aborted. */
function lasting(ms: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve('ok'), ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new RegistrySyncError('CANCELLED', 'stopped'));
    });
  });
}

/** Items are how long they take; a negative one fails then. */
async function run(
  items: readonly number[],
  settings: { keepGoing?: boolean; jobs?: number; stopping?: AbortSignal } = {},
): Promise<string[]> {
  const { keepGoing = false, jobs = 8, stopping = NEVER } = settings;
  const outcomes: PlanOutcome<number, string>[] = [];
  const copy = async (item: number, signal: AbortSignal): Promise<string> => {
    await lasting(Math.abs(item), signal);
    if (item < 0) throw new RegistrySyncError('NOT_FOUND', 'gone');
    return 'ok';
  };
  for await (const outcome of runPlan({ items, jobs, keepGoing, copy, stopping, signal: NEVER })) {
    outcomes.push(outcome);
  }
  return outcomes
    .toSorted((a, b) => a.index - b.index)
    .map(({ index, result }) => `${index} ${result}`);
}

describe('runPlan', () => {
  it('copies all', async () => {
    deepEqual(await run([3, 1, 2]), ['0 done', '1 done', '2 done']);
  });

  it('lets those before a failure end, gives up those after it, and starts no more', async () => {
    deepEqual(await run([60, -20, 60_000, 1], { jobs: 3 }), ['0 done', '1 failed', '2 given up']);
  });

  it('tells of a failure before a failure', async () => {
    deepEqual(await run([-40, -10, 60_000]), ['0 failed', '1 failed', '2 given up']);
  });

  it('goes on where it is told to', async () => {
    deepEqual(await run([20, -5, 30, -1], { keepGoing: true, jobs: 2 }), [
      '0 done',
      '1 failed',
      '2 done',
      '3 failed',
    ]);
  });

  it('starts nothing once it is to stop', async () => {
    equal((await run([1, 2], { stopping: AbortSignal.abort() })).length, 0);
  });

  it('throws what is no failure of ours', async () => {
    const copy = (): Promise<never> => Promise.reject(new TypeError('a bug'));
    const settings = { items: [1], jobs: 1, keepGoing: true, stopping: NEVER, signal: NEVER };
    let thrown: unknown;
    try {
      for await (const _ of runPlan({ ...settings, copy })) equal(_, undefined);
    } catch (error) {
      thrown = error;
    }

    equal(thrown instanceof TypeError, true);
  });
});
