/** What a side of the benchmark counts, and how it is told across processes. */
import type { RequestClass } from '../support/counting-proxy.ts';

/** How many requests of each class there were; a class without any has no key. */
export type Counts = Partial<Record<RequestClass, number>>;

export interface Stats {
  readonly counts: Counts;
  /** All that came from clients, heads included. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Opened by clients. */
  readonly connections: number;
  /** The most that were open at one time. */
  readonly peakConnections: number;
  /** The most requests that were under way at one time: from their head to the end of the answer. */
  readonly peakRequests: number;
}

/** Counts; plain fields, as it is on the way of each request. */
export interface Tally {
  readonly counts: Counts;
  bytesIn: number;
  bytesOut: number;
  opened: number;
  open: number;
  peakOpen: number;
  underWay: number;
  peakUnderWay: number;
}

export function newTally(): Tally {
  return {
    counts: {},
    bytesIn: 0,
    bytesOut: 0,
    opened: 0,
    open: 0,
    peakOpen: 0,
    underWay: 0,
    peakUnderWay: 0,
  };
}

export function countOpened(tally: Tally): void {
  tally.opened += 1;
  tally.open += 1;
  if (tally.open > tally.peakOpen) tally.peakOpen = tally.open;
}

export function countStarted(tally: Tally): void {
  tally.underWay += 1;
  if (tally.underWay > tally.peakUnderWay) tally.peakUnderWay = tally.underWay;
}

export function countClass(tally: Tally, found: RequestClass): void {
  tally.counts[found] = (tally.counts[found] ?? 0) + 1;
}

/** Forgets all but what is open and under way at the moment. */
export function resetTally(tally: Tally): void {
  const { open, underWay } = tally;
  for (const key of Object.keys(tally.counts)) delete tally.counts[key as RequestClass];
  Object.assign(tally, {
    bytesIn: 0,
    bytesOut: 0,
    opened: 0,
    peakOpen: open,
    peakUnderWay: underWay,
  });
}

export function statsOf(tally: Tally): Stats {
  return {
    counts: { ...tally.counts },
    bytesIn: tally.bytesIn,
    bytesOut: tally.bytesOut,
    connections: tally.opened,
    peakConnections: tally.peakOpen,
    peakRequests: tally.peakUnderWay,
  };
}
