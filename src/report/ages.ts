/** How old the tags are, in a few bands: what a plot of them shows. */

export interface AgeBand {
  readonly label: string;
  readonly count: number;
}

const DAY_SECONDS = 24 * 60 * 60;
/** Up to so many days; the last band is all that is older. */
const BANDS: readonly (readonly [number, string])[] = [
  [1, 'up to a day'],
  [7, 'up to a week'],
  [30, 'up to a month'],
  [91, 'up to 3 months'],
  [182, 'up to 6 months'],
  [365, 'up to a year'],
  [730, 'up to 2 years'],
  [1826, 'up to 5 years'],
  [Infinity, 'over 5 years'],
];

export interface Ages {
  readonly bands: readonly AgeBand[];
  /** Rows without a date: most registries give none. */
  readonly unknown: number;
}

/** `updated`: seconds since 1970, 0 for unknown. */
export function agesOf(updated: Iterable<number>, nowMs: number): Ages {
  const counts = BANDS.map(() => 0);
  let unknown = 0;
  for (const seconds of updated) {
    if (seconds === 0) unknown += 1;
    else {
      const days = (nowMs / 1000 - seconds) / DAY_SECONDS;
      const band = BANDS.findIndex(([most]) => days <= most);
      counts[band] = (counts[band] ?? 0) + 1;
    }
  }
  return { bands: BANDS.map(([, label], at) => ({ label, count: counts[at] ?? 0 })), unknown };
}
