/**
 * Things that are done some time after they came, in the order of their coming: one timer for all of
 * them, as a timer for each would cost more than what is measured.
 */
export type Line<T> = (item: T) => void;

/** Each item is done `ms` after it came; with 0 at once. */
export function delayLine<T>(ms: number, act: (item: T) => void): Line<T> {
  return ms === 0 ? act : timedLine((_, now) => now + ms, act);
}

/** Items pass at so many bytes per second, all together. */
export function pacedLine<T>(
  bytesPerS: number,
  sizeOf: (item: T) => number,
  act: (item: T) => void,
): Line<T> {
  let free = 0;
  return timedLine((item, now) => {
    free = Math.max(free, now) + (sizeOf(item) / bytesPerS) * 1000;
    return free;
  }, act);
}

/** Timers come a little early or late; to wait for the rest would be another millisecond. */
const SLACK_MS = 0.5;

/** `dueOf` never gives an earlier time than it gave for the item before. */
function timedLine<T>(dueOf: (item: T, now: number) => number, act: (item: T) => void): Line<T> {
  let items: { readonly due: number; readonly item: T }[] = [];
  let next = 0;
  let isRunning = false;
  const run = (): void => {
    const now = performance.now();
    const soon = now + SLACK_MS;
    for (let first = items[next]; first !== undefined && first.due <= soon; first = items[next]) {
      next += 1;
      act(first.item);
    }
    if (next > 10_000 || next === items.length) [items, next] = [items.slice(next), 0];
    const due = items[next]?.due;
    isRunning = due !== undefined;
    if (due !== undefined) setTimeout(run, due - now);
  };
  return (item) => {
    const now = performance.now();
    items.push({ due: dueOf(item, now), item });
    if (isRunning) return;
    isRunning = true;
    setTimeout(run, (items[next]?.due ?? now) - now);
  };
}
