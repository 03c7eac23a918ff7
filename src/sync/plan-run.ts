/** Copies what is planned, several images at a time, with the result that one after the other would have. */
import { mapAsDone } from '../base/concurrent.ts';
import { RegistrySyncError } from '../base/errors.ts';
import { LinkedAbort } from '../base/linked-abort.ts';

export interface PlanRun<T, R> {
  readonly items: readonly T[];
  readonly jobs: number;
  /** A failure stops nothing. */
  readonly keepGoing: boolean;
  readonly copy: (item: T, signal: AbortSignal) => Promise<R>;
  /** Aborted: no further item starts. */
  readonly stopping: AbortSignal;
  /** Aborted: what runs is given up. */
  readonly signal: AbortSignal;
}

export type PlanOutcome<T, R> = { readonly item: T; readonly index: number } & (
  | { readonly result: 'done'; readonly value: R }
  | { readonly result: 'failed'; readonly error: RegistrySyncError }
  /** It ran when one before it failed. */
  | { readonly result: 'given up' }
);

/**
 * Yields an outcome per item that was begun, as they end. Unless `keepGoing`, a failure ends all
 * items after it and lets those before it end themselves: they would have been copied first.
 */
export async function* runPlan<T, R>(run: PlanRun<T, R>): AsyncGenerator<PlanOutcome<T, R>> {
  const { items, jobs, keepGoing, copy, stopping, signal } = run;
  const running = new Map<number, LinkedAbort>();
  let failedAt = Infinity;
  async function* left(): AsyncGenerator<[number, T]> {
    for (const entry of items.entries()) {
      if (stopping.aborted || signal.aborted || failedAt < Infinity) return;
      yield entry;
    }
  }
  const fail = (index: number): void => {
    failedAt = Math.min(failedAt, index);
    for (const [at, abort] of running) if (at > failedAt) abort.abort('one before it failed');
  };
  const work = async ([index, item]: [number, T]): Promise<PlanOutcome<T, R>> => {
    using abort = new LinkedAbort(signal);
    running.set(index, abort);
    try {
      return { item, index, result: 'done', value: await copy(item, abort.signal) };
    } catch (error) {
      if (!(error instanceof RegistrySyncError)) throw error;
      if (index > failedAt) return { item, index, result: 'given up' };
      if (!keepGoing) fail(index);
      return { item, index, result: 'failed', error };
    } finally {
      running.delete(index);
    }
  };
  yield* mapAsDone(left(), jobs, work);
}
