/** What servers say of when to come back, and of limits of pulls, in their headers. */
import { deepEqual, equal } from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';

import { silentLog } from '../../../src/base/log.ts';
import { retryAfterOf } from '../../../src/http/retry-after.ts';
import type { HttpResponse } from '../../../src/http/send.ts';
import { pullLimitOf, Traffic, withTraffic } from '../../../src/http/traffic.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const { signal: NEVER } = new AbortController();

type Headers = Readonly<Record<string, string | string[]>>;

const NOW = Date.UTC(2026, 0, 1, 12);
/** A server whose clock is an hour behind ours. */
const BEHIND = 'Thu, 01 Jan 2026 11:00:00 GMT';
const UNIX = NOW / 1000;

function answer(headers: Headers): HttpResponse {
  return { status: 429, headers, body: Readable.from([]) };
}

/** Headers, and the wait that they ask for. */
// prettier-ignore
const ASKED: [Headers, number | undefined][] = [
  [{}, undefined],
  [{ 'retry-after': '7' }, 7000],
  [{ 'retry-after': 'Thu, 01 Jan 2026 12:01:00 GMT' }, 60_000],
  [{ 'retry-after': 'Thu, 01 Jan 2026 11:01:00 GMT' }, 0],
  [{ 'retry-after': 'soon' }, undefined],
  [{ 'retry-after-ms': '250' }, 250],
  [{ 'x-ms-retry-after-ms': '350' }, 350],
  [{ 'retry-after-ms': '0' }, 0],
  [{ 'x-retry-after': String(UNIX + 90) }, 90_000],
  [{ 'x-retry-after': String(UNIX - 90) }, 0],
  [{ 'x-retry-after': '90' }, undefined],
  [{ 'x-retry-after': 'tomorrow' }, undefined],
  // Precedence: the finest first, what says nothing is passed over.
  [{ 'retry-after-ms': '250', 'x-ms-retry-after-ms': '350', 'retry-after': '7' }, 250],
  [{ 'x-ms-retry-after-ms': '350', 'retry-after': '7', 'x-retry-after': String(UNIX + 90) }, 350],
  [{ 'retry-after': '7', 'x-retry-after': String(UNIX + 90) }, 7000],
  [{ 'retry-after-ms': '-1', 'retry-after': '7' }, 7000],
  [{ 'retry-after-ms': '1.5', 'retry-after': '7' }, 7000],
  [{ 'retry-after': 'soon', 'x-retry-after': String(UNIX + 90) }, 90_000],
  // Times are those of the server.
  [{ date: BEHIND, 'retry-after': 'Thu, 01 Jan 2026 11:01:00 GMT' }, 60_000],
  [{ date: BEHIND, 'x-retry-after': String(UNIX - 3600 + 90) }, 90_000],
  [{ date: BEHIND, 'retry-after': '7' }, 7000],
  [{ date: 'yesterday', 'x-retry-after': String(UNIX + 90) }, 90_000],
];

describe('the wait that an answer asks for', () => {
  for (const [headers, expected] of ASKED) {
    it(`is ${expected} ms by ${JSON.stringify(headers)}`, () => {
      equal(retryAfterOf(answer(headers), NOW), expected);
    });
  }
});

/** Headers, and the limit, what is left of it, and its window. */
const LIMITS: [Headers, number[] | undefined][] = [
  [{ 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '97;w=21600' }, [100, 97, 21_600]],
  [{ 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '0;w=21600' }, [100, 0, 21_600]],
  [{ 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '5' }, [100, 5, 21_600]],
  // Of requests, as GitLab and those that follow the drafts of the IETF say it.
  [{ 'ratelimit-limit': '2000', 'ratelimit-remaining': '1999' }, undefined],
  [{ 'ratelimit-limit': '100, 100;w=60', 'ratelimit-remaining': '99' }, undefined],
  [{ 'ratelimit-limit': '200;w=soon', 'ratelimit-remaining': '5' }, undefined],
  [{ 'ratelimit-limit': '200;w=', 'ratelimit-remaining': '5' }, undefined],
  [{ 'ratelimit-limit': '200;w=0', 'ratelimit-remaining': '5' }, undefined],
  [{ 'ratelimit-limit': '100;w=21600' }, undefined],
  [{ 'ratelimit-remaining': '97;w=21600' }, undefined],
  [{ 'ratelimit-limit': 'many', 'ratelimit-remaining': '97' }, undefined],
  [{ 'ratelimit-limit': '0;w=21600', 'ratelimit-remaining': '0;w=21600' }, undefined],
  [{ 'ratelimit-limit': '100', 'ratelimit-remaining': '-1' }, undefined],
  [{}, undefined],
];

describe('a limit of pulls', () => {
  for (const [headers, expected] of LIMITS) {
    it(`is ${String(expected)} by ${JSON.stringify(headers)}`, () => {
      const limit = pullLimitOf(answer(headers));
      deepEqual(limit && [limit.limit, limit.remaining, limit.windowSeconds], expected);
    });
  }

  it('is kept as the last answer that says one has it', async () => {
    const traffic = new Traffic();
    const answers = [
      { 'ratelimit-limit': '10;w=60', 'ratelimit-remaining': '9' },
      { 'ratelimit-limit': '10;w=60', 'ratelimit-remaining': '8' },
      { 'ratelimit-limit': '2000', 'ratelimit-remaining': '1999' }, // of requests
      {},
    ].map(answer);
    const send = withTraffic(
      traffic,
      silentLog(),
      new FakeClock(),
    )(async () => answers.shift() as HttpResponse);
    const request = { method: 'GET', url: new URL('https://r.test'), signal: NEVER } as const;

    equal(traffic.pullLimit, undefined);
    for (let n = 0; n < 4; n += 1) await send(request);

    deepEqual(traffic.pullLimit, { limit: 10, remaining: 8, windowSeconds: 60 });
  });
});
