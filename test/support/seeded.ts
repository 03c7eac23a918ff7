/** Random numbers that are the same each time, so that what a test finds can be found again. */

/** Numbers from 0 up to, but not including, 1. Source: mulberry32 of Tommy Ettinger, public domain. */
export function seededRandom(seed: number): () => number {
  let state = Math.trunc(seed);
  return () => {
    state = Math.trunc(state + 0x6d2b79f5);
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` whole numbers from 1 to `max`, in order: one drawn from each of so many equal parts. */
export function spreadPoints(count: number, max: number, seed: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, part) =>
    Math.min(max, 1 + Math.floor(((part + random()) * max) / count)),
  );
}

/** A number from 0 up to 1 that depends on the text alone (FNV-1a, then mixed). */
export function numberOf(text: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return seededRandom(hash)();
}
