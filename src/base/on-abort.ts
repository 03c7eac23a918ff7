/**
 * Waits for a signal to be aborted, as very many do at a time.
 *
 * A signal looks through all of its listeners when one leaves, which takes longer than a request
 * when thousands listen. Here one listener stands for all.
 */
import { throwIfAborted } from './errors.ts';

const listeners = new WeakMap<AbortSignal, Listener>();

interface Listener {
  readonly all: Set<() => void>;
  readonly leave: () => void;
}

/**
 * Calls `run` once when `signal` is aborted (soon, when it already is), unless the function that is
 * given back is called before.
 */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  if (signal.aborted) {
    let isWanted = true;
    queueMicrotask(() => isWanted && run());
    return () => void (isWanted = false);
  }
  const { all, leave } = listeners.get(signal) ?? listenTo(signal);
  all.add(run);
  return () => {
    if (all.delete(run) && all.size === 0) leave();
  };
}

function listenTo(signal: AbortSignal): Listener {
  const all = new Set<() => void>();
  const abort = (): void => {
    for (const run of all) run();
    all.clear();
  };
  const leave = (): void => {
    signal.removeEventListener('abort', abort);
    listeners.delete(signal);
  };
  const listener = { all, leave };
  signal.addEventListener('abort', abort, { once: true });
  listeners.set(signal, listener);
  return listener;
}

/**
 * Waits for `something`, or until `signal` is aborted.
 *
 * @throws {RegistrySyncError} `CANCELLED`
 */
export async function orAborted(something: Promise<unknown>, signal: AbortSignal): Promise<void> {
  let leave = (): void => {};
  const aborted = new Promise<void>((resolve) => (leave = onAbort(signal, resolve)));
  await Promise.race([something, aborted]).finally(leave);
  throwIfAborted(signal);
}
