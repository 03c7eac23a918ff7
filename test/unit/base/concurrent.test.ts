import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { allEnded, bothEnded, mapAsDone, mapInOrder } from '../../../src/base/concurrent.ts';
import { collect } from '../../support/collect.ts';

/** Items 0 … count-1 that note how many were read, and whether the reader closed them. */
function items(count: number) {
  const state = { read: 0, isClosed: false };
  async function* give(): AsyncGenerator<number, void, void> {
    try {
      for (let item = 0; item < count; item += 1) {
        state.read += 1;
        yield item;
      }
    } finally {
      state.isClosed = true;
    }
  }
  return { state, stream: give() };
}

/** Work that ends when the test says so. */
function gates() {
  const open = new Map<number, { done: (item: number) => void; fail: (error: Error) => void }>();
  const work = (item: number): Promise<number> =>
    new Promise((done, fail) => open.set(item, { done, fail }));
  return { open, work, finish: (item: number) => open.get(item)?.done(item) };
}

/** Resolves when all that could happen without time has happened. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
}

async function afterTurns(item: number, turns: number): Promise<number> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
  return item;
}

for (const map of [mapInOrder, mapAsDone]) {
  describe(map.name, () => {
    it('yields a result per item', async () => {
      for (const limit of [1, 3, 100]) {
        const results = await collect(map(items(10).stream, limit, async (item) => item * 2));

        deepEqual(
          results.toSorted((a, b) => a - b),
          [0, 2, 4, 6, 8, 10, 12, 14, 16, 18],
        );
      }
    });

    it('yields nothing of nothing', async () => {
      deepEqual(await collect(map(items(0).stream, 2, async (item) => item)), []);
    });

    it('runs as many at a time as the limit allows, and reads nothing ahead', async () => {
      const { state, stream } = items(10);
      let running = 0;
      let most = 0;
      let furthest = 0;
      const work = async (item: number): Promise<number> => {
        most = Math.max(most, (running += 1));
        furthest = Math.max(furthest, state.read - item);
        await afterTurns(item, 1 + (item % 3));
        running -= 1;
        return item;
      };

      await collect(map(stream, 3, work));

      equal(most, 3);
      equal(furthest, 1);
    });

    it('reads no item before it is asked for a result', async () => {
      const { state, stream } = items(10);

      const results = map(stream, 3, async (item) => item);
      await quiet();

      equal(state.read, 0);
      await results.next();
      await quiet();
      ok(state.read <= 3);
    });
  });

  describe(`${map.name}, when it ends early`, () => {
    it('throws a failure when what runs has ended, and closes the items', async () => {
      const { state, stream } = items(10);
      let isEnded = false;
      const work = async (item: number): Promise<number> => {
        if (item === 0) throw new Error('first');
        await afterTurns(item, 10);
        isEnded = true;
        return item;
      };

      await rejects(collect(map(stream, 2, work)), { message: 'first' });

      deepEqual([isEnded, state.isClosed], [true, true]);
      ok(state.read <= 2);
    });

    it('stops with its reader: nothing more is begun, and what runs is awaited', async () => {
      const { state, stream } = items(10);
      let ended = 0;
      const work = async (item: number): Promise<number> => {
        await afterTurns(item, item === 0 ? 1 : 10);
        ended += 1;
        if (item === 1) throw new Error('nobody sees this');
        return item;
      };

      for await (const _ of map(stream, 2, work)) break;

      equal(ended, state.read);
      equal(state.isClosed, true);
    });

    it('passes on what goes wrong with the items', async () => {
      async function* broken(): AsyncGenerator<number, void, void> {
        yield 1;
        throw new Error('no more');
      }

      await rejects(collect(map(broken(), 2, async (item) => item)), { message: 'no more' });
    });
  });
}

describe('mapInOrder', () => {
  it('yields in the order of the items, whatever is done first', async () => {
    const work = (item: number): Promise<number> => afterTurns(item, 10 - item);

    deepEqual(await collect(mapInOrder(items(6).stream, 3, work)), [0, 1, 2, 3, 4, 5]);
  });
});

describe('mapAsDone', () => {
  it('yields what is done first, first', async () => {
    const { open, work, finish } = gates();
    const results = mapAsDone(items(3).stream, 2, work);
    const first = results.next();
    await quiet();
    deepEqual([...open.keys()], [0, 1]);

    finish(1);

    deepEqual((await first).value, 1);
    const second = results.next();
    await quiet();
    finish(2);
    deepEqual((await second).value, 2);
    finish(0);
    deepEqual((await results.next()).value, 0);
    deepEqual((await results.next()).done, true);
  });
});

describe('allEnded', () => {
  it('gives the results in order', async () => {
    deepEqual(await allEnded([afterTurns(1, 3), afterTurns(2, 1)]), [1, 2]);
    deepEqual(await allEnded([]), []);
  });

  it('throws the failure that came first, when all have ended', async () => {
    const { open, work } = gates();
    const running = allEnded([work(0), work(1), work(2)]);
    let isDone = false;
    void running.catch(() => (isDone = true));

    open.get(1)?.fail(new Error('first'));
    await quiet();
    open.get(0)?.fail(new Error('second'));
    await quiet();
    const wasDone = isDone;
    open.get(2)?.done(2);

    await rejects(running, { message: 'first' });
    equal(wasDone, false);
  });
});

describe('bothEnded', () => {
  it('gives both results, whichever came first', async () => {
    const text = afterTurns(1, 1).then(String);

    deepEqual(await bothEnded(afterTurns(1, 3), text), [1, '1']);
  });

  it('throws the failure that came first, when both have ended', async () => {
    const { open, work } = gates();
    const running = bothEnded(work(0), work(1));
    let isDone = false;
    void running.catch(() => (isDone = true));

    open.get(1)?.fail(new Error('first'));
    await quiet();
    const wasDone = isDone;
    open.get(0)?.fail(new Error('second'));

    await rejects(running, { message: 'first' });
    equal(wasDone, false);
  });
});
