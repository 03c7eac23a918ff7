/** Several things at a time: over a stream of items without reading ahead, and a handful to their end. */
import { LinkedAbort } from './linked-abort.ts';

/**
 * As `Promise.all`, but a failure is thrown only when all have ended: nothing goes on behind the
 * back of who handles it. Of several failures it is the first in time.
 */
export async function allEnded<R>(running: readonly Promise<R>[]): Promise<R[]> {
  const all = Promise.all(running);
  all.catch(() => {}); // returned below
  await Promise.allSettled(running);
  return all;
}

/**
 * Works on all items at once. The first failure stops the others, whose results would be for nothing,
 * and is thrown when all have ended.
 */
export async function allOrNone<T, R>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  using linked = new LinkedAbort(signal);
  const running = items.map(async (item) => {
    try {
      return await work(item, linked.signal);
    } catch (error) {
      linked.abort(error);
      throw error;
    }
  });
  return await allEnded(running).catch((error: unknown) => {
    throw signal.aborted ? error : (linked.signal.reason ?? error);
  });
}

/** `allEnded` of two things of different kinds. */
export async function bothEnded<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  const both = Promise.all([a, b]);
  both.catch(() => {}); // returned below
  await Promise.allSettled([a, b]);
  return both;
}

/** The items, until `stopping` is aborted. */
export async function* untilAborted<T>(
  items: AsyncIterable<T>,
  stopping: AbortSignal,
): AsyncGenerator<T, void, void> {
  for await (const item of items) {
    if (stopping.aborted) return;
    yield item;
  }
}

/**
 * Applies `work` to each item, at most `limit` at a time, and yields the results in the order of the
 * items. An item is read only when a place is free, so memory is bounded by `limit`.
 */
export async function* mapInOrder<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void, void> {
  const running: Promise<R>[] = [];
  try {
    for await (const item of items) {
      const started = work(item);
      started.catch(() => {}); // awaited below, in its turn
      running.push(started);
      if (running.length >= limit) yield await (running.shift() as Promise<R>);
    }
    while (running.length > 0) yield await (running.shift() as Promise<R>);
  } finally {
    await Promise.allSettled(running);
  }
}

/**
 * As `mapInOrder`, but yields each result as soon as it is there. Nothing new is begun, besides the
 * first, while `hasRoom` says no.
 */
export async function* mapAsDone<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
  hasRoom: (running: number) => boolean = () => true,
): AsyncGenerator<R, void, void> {
  const running = new Set<Promise<R>>();
  const done: Promise<R>[] = [];
  let wake = (): void => {};
  const start = (item: T): void => {
    const started = work(item);
    running.add(started);
    const settle = (): void => {
      running.delete(started);
      done.push(started);
      wake();
    };
    started.then(settle, settle);
  };
  const oneDone = async (): Promise<R> => {
    if (done.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return done.shift() as Promise<R>;
  };
  try {
    for await (const item of items) {
      start(item);
      const isFull = (): boolean =>
        running.size >= limit || (running.size > 0 && !hasRoom(running.size));
      while (isFull() || done.length > 0) yield await oneDone();
    }
    while (running.size > 0 || done.length > 0) yield await oneDone();
  } finally {
    await Promise.allSettled(running);
  }
}
