import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import { silentLog } from '../../../src/base/log.ts';
import { HostPause } from '../../../src/http/host-pause.ts';
import { backoffMs, withRetry, type RetryPolicy } from '../../../src/http/retry.ts';
import type { HttpRequest, HttpResponse, Send } from '../../../src/http/send.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const POLICY: RetryPolicy = {
  times: 2,
  firstDelayMs: 100,
  maxDelayMs: 400,
  maxRetryAfterMs: 60_000,
};
const URL_A = new URL('https://r.test/v2/');
const { signal: NEVER } = new AbortController();

/** A status, with a Retry-After perhaps; or what goes wrong. */
type Answer = number | readonly [number, string] | Error;

function down(reason: string): RegistrySyncError {
  return new RegistrySyncError('UNAVAILABLE', reason, { details: { reason } });
}

/** Sends that are answered one after the other; the last answer again and again. */
function answering(...answers: Answer[]) {
  const bodies: Readable[] = [];
  const requests: HttpRequest[] = [];
  const send: Send = async (request) => {
    const answer = answers[Math.min(requests.length, answers.length - 1)] ?? 200;
    requests.push(request);
    if (answer instanceof Error) throw answer;
    const [status, after] = typeof answer === 'number' ? [answer] : answer;
    const body = Readable.from([Buffer.from('x')]);
    bodies.push(body);
    return { status, headers: after === undefined ? {} : { 'retry-after': after }, body };
  };
  return { send, requests, bodies };
}

function retrying(send: Send, clock = new FakeClock(), pause = new HostPause(clock)) {
  const sending = withRetry({ policy: POLICY, clock, pause, log: silentLog() })(send);
  const get = (more: Partial<HttpRequest> = {}): Promise<HttpResponse> =>
    sending({ method: 'GET', url: URL_A, signal: NEVER, ...more });
  return { clock, pause, get };
}

describe('a request that succeeds', () => {
  for (const status of [200, 201, 307, 400, 401, 403, 404, 416, 501]) {
    it(`is not repeated: ${status}`, async () => {
      const { send, requests } = answering(status);
      const { clock, get } = retrying(send);

      equal((await get()).status, status);

      deepEqual([requests.length, clock.slept], [1, []]);
    });
  }
});

describe('a request that fails', () => {
  for (const failure of [408, 429, 500, 502, 503, 504, down('ECONNREFUSED'), down('EAI_AGAIN')]) {
    it(`is repeated: ${String(failure)}`, async () => {
      const { send, requests } = answering(failure, 200);

      equal((await retrying(send).get()).status, 200);

      equal(requests.length, 2);
    });
  }

  for (const reason of ['ENOTFOUND', 'CERT_HAS_EXPIRED', 'SELF_SIGNED_CERT_IN_CHAIN', 'EPROTO']) {
    it(`is not repeated for what lasts: ${reason}`, async () => {
      const { send, requests } = answering(down(reason));

      await rejects(retrying(send).get(), { code: 'UNAVAILABLE' });

      equal(requests.length, 1);
    });
  }

  it('is not repeated for a failure of another kind', async () => {
    const bug = new TypeError('bug');
    const { send, requests } = answering(bug);

    await rejects(retrying(send).get(), (error) => error === bug);

    equal(requests.length, 1);
  });

  it('is answered with the last answer, still to be read, when tries are used up', async () => {
    const { send, requests, bodies } = answering(503);

    const response = await retrying(send).get();

    deepEqual([response.status, requests.length], [503, 3]);
    deepEqual(
      bodies.map((body) => body.destroyed),
      [true, true, false],
    );
  });

  it('fails with the last failure when tries are used up', async () => {
    const last = down('ECONNRESET');
    const { send, requests } = answering(503, 503, last);

    await rejects(retrying(send).get(), (error) => error === last);

    equal(requests.length, 3);
  });

  it('is repeated with the same bytes', async () => {
    const body = Buffer.from('manifest');
    const { send, requests } = answering(503, 200);

    await retrying(send).get({ method: 'PUT', body });

    deepEqual(
      requests.map((request) => request.body),
      [body, body],
    );
  });

  it('is not repeated when its body is a stream', async () => {
    const body = { size: 1, open: async () => Readable.from(['x']) };
    for (const failure of [503, down('ECONNRESET')]) {
      const { send, requests } = answering(failure, 200);

      await retrying(send)
        .get({ method: 'PUT', body })
        .catch(() => undefined);

      equal(requests.length, 1);
    }
  });
});

describe('the wait before a repetition', () => {
  it('is our own, longer each time, when the server says nothing', async () => {
    const { clock, get } = retrying(answering(503).send);

    await get();

    const [first = 0, second = 0] = clock.slept;
    equal(clock.slept.length, 2);
    ok(first >= 50 && first <= 100 && second >= 100 && second <= 200);
  });

  for (const after of ['7', 'Thu, 01 Jan 2026 00:00:07 GMT']) {
    it(`is what the server says: ${after}`, async () => {
      const { clock, get } = retrying(answering([429, after], 200).send);

      await get();

      const [slept = 0] = clock.slept;
      equal(clock.slept.length, 1);
      ok(slept >= 7000 && slept <= 8000);
    });
  }

  for (const after of ['0', 'Wed, 31 Dec 2025 00:00:00 GMT', 'soon']) {
    it(`is our own when what the server says is no wait: ${after}`, async () => {
      const { clock, get } = retrying(answering([429, after], 200).send);

      await get();

      const [slept = 0] = clock.slept;
      ok(slept >= 50 && slept <= 100);
    });
  }

  it('is not taken from answers that mean something else by it', async () => {
    const { clock, get } = retrying(answering([500, '7'], 200).send);

    await get();

    ok((clock.slept[0] ?? 0) <= 100);
  });

  it('is a failure at once when it is too long', async () => {
    const { send, bodies } = answering([429, '61']);
    const { clock, get } = retrying(send);

    await rejects(get(), {
      code: 'RATE_LIMITED',
      message: 'r.test asks to come back in 2 minutes',
      details: { method: 'GET', url: URL_A.href, retryAfterMs: 61_000 },
    });

    deepEqual([clock.slept, bodies[0]?.destroyed], [[], true]);
  });

  it('ends with an abort', async () => {
    for (const answer of [503, [429, '7']] as const) {
      const aborting = new AbortController();
      const { send, requests } = answering(answer);
      const { clock, get } = retrying(send);
      clock.onSleep = () => aborting.abort();

      await rejects(get({ signal: aborting.signal }), { code: 'CANCELLED' });

      equal(requests.length, 1);
    }
  });
});

describe('a pause of a host', () => {
  it('holds for all who send to it', async () => {
    const { send, requests } = answering([429, '7'], 200);
    const { clock, pause, get } = retrying(send);
    await get();
    pause.close(7000);

    await retrying(send, clock, pause).get();

    equal(requests.length, 3);
    ok((clock.slept[1] ?? 0) >= 7000);
  });

  it('is asked for by a body that can not be repeated, too', async () => {
    const { clock, get } = retrying(answering([503, '7'], 200).send);
    await get({ method: 'PUT', body: { size: 1, open: async () => Readable.from(['x']) } });

    await get();

    ok((clock.slept[0] ?? 0) >= 7000);
  });

  it('is as long as the longest that was asked for', async () => {
    const clock = new FakeClock();
    const pause = new HostPause(clock);
    pause.close(5000);
    pause.close(1000);

    await pause.pass(NEVER);

    ok((clock.slept[0] ?? 0) >= 5000);
  });

  it('is prolonged by others for those who wait already', async () => {
    const clock = new FakeClock();
    const pause = new HostPause(clock);
    pause.close(1000);
    clock.onSleep = () => clock.slept.length === 1 && pause.close(9000);
    const started = clock.now();

    await pause.pass(NEVER);

    ok(clock.now() - started >= 9000);
  });

  it('keeps nobody once it is over', async () => {
    const clock = new FakeClock();

    await new HostPause(clock).pass(NEVER);

    deepEqual(clock.slept, []);
  });
});

describe('backoffMs', () => {
  it('doubles up to the longest, and is never less than half', () => {
    for (const [attempt, longest] of [
      [1, 100],
      [2, 200],
      [3, 400],
      [9, 400],
    ] as const) {
      const waits = Array.from({ length: 50 }, () => backoffMs(POLICY, attempt));

      ok(waits.every((ms) => ms >= longest / 2 && ms <= longest));
      ok(new Set(waits).size > 1);
    }
  });
});
