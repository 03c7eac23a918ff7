/** What can go wrong with a request, as data, and what is to come of it. */
import type { ErrorCode } from '../../src/base/errors.ts';
import type { FaultEffect } from '../support/registry/faults.ts';
import type { Kind } from './kinds.ts';

/** How often in a row: with two repetitions, three is for good. */
export type Times = 1 | 2 | typeof Infinity;

/** `well`: the image is at the target, with all that belongs to it. Else the kind of failure of the row. */
export type Verdict = 'well' | ErrorCode;

export interface Amiss {
  readonly name: string;
  /** `refused`: the connection is. `mirror`: the origin of the request's side's mirror. */
  readonly effect: (kind: Kind, mirror: string) => FaultEffect | 'refused';
  readonly concerns: (kind: Kind) => boolean;
  readonly verdict: (kind: Kind, times: Times) => Verdict;
  /** Once, twice and for good unless given. */
  readonly times?: readonly Times[];
  /** What is in the message of the row that fails. */
  readonly says?: RegExp;
  /** So long is waited at least before the first repetition. Milliseconds. */
  readonly waitsMs?: number;
}

const ALL = (): boolean => true;
const hasBody = ({ hasBody: has = false }: Kind): boolean => has;
const sendsBody = ({ name }: Kind): boolean => /PATCH|upload PUT|manifest PUT/.test(name);
const well = (): Verdict => 'well';
const isOnce = ({ name }: Kind, ...names: string[]): boolean => names.includes(name);

/** Repeated twice. To mount is a favour, and what is there though its answer was lost is there. */
function repeated(code: ErrorCode): Amiss['verdict'] {
  return (kind, times) => (times <= 2 || kind.name === 'mount' ? 'well' : code);
}

function lost(kind: Kind, times: Times): Verdict {
  return isOnce(kind, 'upload PUT', 'closing PUT') ? 'well' : repeated('UNAVAILABLE')(kind, times);
}

/** An answer that looks whole and is not: only what has a digest can be known to be damaged. */
function damaged(kind: Kind, times: Times): Verdict {
  if (!hasBody(kind)) return 'well';
  if (kind.name === 'blob GET') return repeated('UNAVAILABLE')(kind, times);
  if (kind.name === 'manifest GET') return times === 1 ? 'well' : 'CONTENT_MISMATCH';
  return 'PROTOCOL';
}

/** A 200 that is no answer to what was asked. */
function nonsense(kind: Kind, times: Times): Verdict {
  return kind.writes === true ? 'PROTOCOL' : damaged(kind, times);
}

function redirected(kind: Kind, times: Times, lasting: Verdict): Verdict {
  if (kind.name === 'token' || kind.writes === true) return 'PROTOCOL';
  if (kind.name === 'ping' || kind.name === 'mount') return 'well'; // not followed, and no harm
  return times <= 2 ? 'well' : lasting;
}

function answers(status: number, headers: Record<string, string> = {}): () => FaultEffect {
  return () => ({ status, headers, body: '<html>not here</html>' });
}

const DATES = {
  date: 'Thu, 01 Jan 2026 00:00:00 GMT',
  'retry-after': 'Thu, 01 Jan 2026 00:00:20 GMT',
};

/** For what differs from another fault only in what begins the repetition. */
const BRIEFLY: readonly Times[] = [1, Infinity];

const CONNECTION: readonly Amiss[] = [
  {
    name: 'connection refused',
    effect: () => 'refused',
    concerns: ALL,
    verdict: repeated('UNAVAILABLE'),
  },
  {
    name: 'reset before the head',
    effect: () => ({ reset: true }),
    concerns: ALL,
    verdict: repeated('UNAVAILABLE'),
  },
  {
    name: 'reset within the request’s body',
    effect: ({ large }) => ({ reset: true, afterRead: large ? 2_000_000 : 100 }),
    concerns: sendsBody,
    verdict: repeated('UNAVAILABLE'),
  },
  {
    name: 'answer lost',
    effect: () => ({ lose: 'answer' }),
    concerns: ALL,
    verdict: lost,
  },
  {
    name: 'reset within the head',
    effect: () => ({ lose: 'half the head' }),
    concerns: ALL,
    verdict: lost,
  },
  {
    name: 'reset within the body',
    effect: () => ({ cutAfter: 10 }),
    concerns: hasBody,
    verdict: repeated('UNAVAILABLE'),
  },
  {
    name: 'reset within a body in chunks',
    effect: () => ({ cutAfter: 10, framing: 'chunked' }),
    concerns: hasBody,
    verdict: repeated('UNAVAILABLE'),
  },
  {
    name: 'Content-Length too large',
    effect: () => ({ lengthOff: 10 }),
    concerns: ALL,
    // Of a blob the size is known: all has come.
    verdict: (kind, times) =>
      hasBody(kind) && kind.name !== 'blob GET' ? repeated('UNAVAILABLE')(kind, times) : 'well',
  },
];

const BUSY: readonly Amiss[] = [
  {
    name: '429 with Retry-After in seconds',
    effect: answers(429, { 'retry-after': '20' }),
    concerns: ALL,
    verdict: repeated('RATE_LIMITED'),
    waitsMs: 19_000, // a little is our own wait before a stream begins anew
  },
  {
    name: '429 with Retry-After as a date',
    effect: answers(429, DATES),
    concerns: ALL,
    verdict: repeated('RATE_LIMITED'),
    waitsMs: 15_000,
  },
  {
    name: '429 without Retry-After',
    effect: answers(429),
    concerns: ALL,
    verdict: repeated('RATE_LIMITED'),
    times: BRIEFLY,
  },
  {
    name: '429 with Retry-After of an hour',
    effect: answers(429, { 'retry-after': '3600' }),
    concerns: ALL,
    verdict: ({ name }) => (name === 'mount' ? 'well' : 'RATE_LIMITED'),
    times: BRIEFLY,
  },
  {
    name: '503 with Retry-After',
    effect: answers(503, { 'retry-after': '20' }),
    concerns: ALL,
    verdict: repeated('UNAVAILABLE'),
    times: BRIEFLY,
    waitsMs: 19_000, // a little is our own wait before a stream begins anew
  },
  {
    name: '503',
    effect: answers(503),
    concerns: ALL,
    verdict: repeated('UNAVAILABLE'),
  },
  ...[500, 502, 504].map((status) => ({
    name: String(status),
    effect: answers(status),
    concerns: ALL,
    verdict: repeated('UNAVAILABLE'),
    times: BRIEFLY,
  })),
];

const NONSENSE: readonly Amiss[] = [
  {
    name: 'body that ends early without a Content-Length',
    effect: () => ({ cutAfter: 10, framing: 'close' }),
    concerns: hasBody,
    verdict: damaged,
  },
  {
    name: 'Content-Length too small',
    effect: () => ({ lengthOff: -5 }),
    concerns: ALL,
    verdict: damaged,
  },
  {
    name: 'broken JSON',
    effect: answers200('application/json', '{"tags":["1","token":'),
    concerns: ({ side, name }) => !(side === 'target' && name === 'referrers'),
    verdict: nonsense,
  },
  {
    name: 'HTML',
    effect: answers200('text/html', '<html>please log in</html>'),
    concerns: ({ name }) => name !== 'referrers',
    verdict: nonsense,
  },
  {
    name: 'redirect to itself',
    effect: () => ({ redirect: '' }),
    concerns: ({ name }) => name !== 'referrers',
    verdict: (kind, times) => redirected(kind, times, 'PROTOCOL'),
  },
  {
    name: 'redirect to another origin',
    effect: (_, mirror) => ({ elsewhere: mirror }),
    concerns: ({ name }) => name !== 'referrers',
    verdict: (kind, times) => redirected(kind, times, 'well'),
  },
];

function answers200(type: string, body: string): () => FaultEffect {
  return () => ({ status: 200, headers: { 'content-type': type }, body });
}

const SLOW: readonly Amiss[] = [
  {
    name: 'slow answer',
    effect: () => ({ delayMs: 30 }),
    concerns: ALL,
    verdict: well,
    times: [Infinity],
  },
  {
    name: 'slow body',
    effect: () => ({ trickle: 400, pauseMs: 2 }),
    concerns: hasBody,
    verdict: well,
    times: [Infinity],
  },
];

export const AMISS: readonly Amiss[] = [...CONNECTION, ...BUSY, ...NONSENSE, ...SLOW];

/** Those that only end by a timeout. */
export const STALLS: readonly Amiss[] = [
  {
    name: 'stall before the head',
    effect: () => ({ stall: true }),
    concerns: ALL,
    verdict: repeated('UNAVAILABLE'),
    says: /: (?:GET|HEAD|POST|PATCH|PUT) http:\/\/127\.0\.0\.1:\d+\/(?:v2|token)\S+: no answer in time$/,
  },
  {
    name: 'stall within the body',
    effect: () => ({ stallAfter: 10 }),
    concerns: hasBody,
    verdict: repeated('UNAVAILABLE'),
    says: /: answer stopped coming$/,
  },
];
