/** How many images are worth beginning, by how busy the registries are. */
import type { Traffic } from '../http/traffic.ts';

/** Of requests: more than the fastest host begins while we look away. */
const MAX_WAITING = 32;
/** So many images keep a host busy that answers in a millisecond; a farther one needs more. */
const IMAGES_PER_MS = 16;

/** Images that would only wait for their requests take up memory, and live long enough to be dear to collect. */
export function roomFor(...sides: readonly Traffic[]): (running: number) => boolean {
  return (running) => {
    const distanceMs = sides.reduce((most, { fastestMs }) => Math.max(most, fastestMs), 1);
    const queued = sides.reduce((sum, { waiting }) => sum + waiting, 0);
    return queued < MAX_WAITING && running < IMAGES_PER_MS * distanceMs;
  };
}
