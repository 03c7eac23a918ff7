/**
 * Faults by lot, the same for the same seed in whatever order the requests come: whether one befalls a
 * request depends on what is asked for and on how often it was asked for before.
 */
import type { FaultEffect } from './registry/faults.ts';
import type { OnRequest, RequestRecord } from './registry/listener.ts';
import { numberOf } from './seeded.ts';

export interface Lottery {
  readonly onRequest: OnRequest;
  /** How often each fault came. */
  readonly drawn: ReadonlyMap<string, number>;
}

const CUT_AFTER = 40; // bytes: in the middle of the smallest manifest or blob

type Named = readonly [string, FaultEffect];

const ANYWHERE: readonly Named[] = [
  ['reset', { reset: true }],
  ['500', { status: 500 }],
  ['503', { status: 503 }],
  ['429', { status: 429 }],
];
const WITH_A_BODY: readonly Named[] = [
  ...ANYWHERE,
  ['cut', { cutAfter: CUT_AFTER }],
  ['corrupt', { corrupt: 'first' }],
];

/** So rarely a server that is busy says for how long. */
const ASKS_TO_WAIT = 0.02;

/** Draws a fault for so many of the requests: 0.02 is one in fifty. */
export function lottery(rate: number, seed: number): Lottery {
  const asked = new Map<string, number>();
  const damaged = new Set<string>();
  const drawn = new Map<string, number>();

  function onRequest(request: RequestRecord): FaultEffect | undefined {
    const key = keyOf(request);
    const times = (asked.get(key) ?? 0) + 1;
    asked.set(key, times);
    const lot = numberOf(`${key} ${times}`, seed);
    const effects = /^GET .*\/(?:manifests|blobs)\//.test(key) ? WITH_A_BODY : ANYWHERE;
    const [name, effect] = effects[Math.floor((lot / rate) * effects.length)] ?? [];
    if (name === undefined || effect === undefined) return undefined;
    // Damaged bytes are asked for once more, not twice.
    if (name === 'corrupt' && damaged.has(key)) return undefined;
    if (name === 'corrupt') damaged.add(key);
    drawn.set(name, (drawn.get(name) ?? 0) + 1);
    const waits = 'status' in effect && numberOf(key, seed + 1) < ASKS_TO_WAIT;
    return waits ? { ...effect, headers: { 'Retry-After': '1' } } : effect;
  }
  return { onRequest, drawn };
}

/** What is asked for, without the names that a registry makes up anew for each upload. */
function keyOf({ method, path }: RequestRecord): string {
  const [, digest = ''] = /[?&]digest=([^&]+)/.exec(path) ?? [];
  return `${method} ${path.replace(/\/uploads\/.+$/, `/uploads/${digest}`)}`;
}
