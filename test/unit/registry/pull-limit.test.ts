import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import { silentLog } from '../../../src/base/log.ts';
import { HostPause } from '../../../src/http/host-pause.ts';
import { withRetry } from '../../../src/http/retry.ts';
import { readBody, type HttpRequest, type HttpResponse } from '../../../src/http/send.ts';
import { Repository } from '../../../src/registry/repository.ts';
import { checkPullLimit } from '../../../src/registry/pull-limit.ts';
import { NEVER } from '../../support/client.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { image } from '../../support/images.ts';
import { asked, knownClient, refusal } from '../../support/known-client.ts';

/** What Docker Hub says when there are no pulls left, anonymously and with an account. */
const SPENT = [
  'You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit',
  'You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit',
];
const LIMIT = { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '0;w=21600' };
const GET: HttpRequest = {
  method: 'GET',
  url: new URL('https://registry-1.docker.io/v2/library/redis/manifests/7'),
  signal: NEVER,
};

type Refusal = { readonly type: string; readonly text: string; readonly headers?: object };

function refused({ type, text, headers = {} }: Refusal): HttpResponse {
  const body = Readable.from([Buffer.from(text)]);
  return { status: 429, headers: { 'content-type': type, ...headers }, body };
}

function spent(message: string, headers: object = {}): HttpResponse {
  const text = JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message }] });
  return refused({ type: 'application/json', text, headers });
}

async function errorOf(response: HttpResponse): Promise<RegistrySyncError> {
  try {
    await checkPullLimit(GET, response);
  } catch (error) {
    ok(error instanceof RegistrySyncError);
    return error;
  }
  throw new Error('nothing was thrown');
}

function retrying(...answers: HttpResponse[]) {
  const clock = new FakeClock();
  let sent = 0;
  const send = withRetry({
    policy: { times: 3, firstDelayMs: 100, maxDelayMs: 400, maxRetryAfterMs: 60_000 },
    clock,
    pause: new HostPause(clock),
    log: silentLog(),
    inspect: checkPullLimit,
  })(async () => {
    sent += 1;
    return answers.shift() as HttpResponse;
  });
  return { get: () => send(GET), clock, count: () => sent };
}

describe('a 429', () => {
  for (const message of SPENT) {
    it(`means that no pulls are left: ${message.slice(0, 50)}`, async () => {
      const { code, details } = await errorOf(spent(message));

      deepEqual([code, details], ['RATE_LIMITED', { status: 429, isSpent: true }]);
    });
  }

  it('says the limit, its window, and when to come back at the latest', async () => {
    const { message, details } = await errorOf(spent(SPENT[0] ?? '', LIMIT));

    equal(
      message,
      'registry-1.docker.io: the pull limit is used up (100 in 6 hours): come back in 6 hours at the latest, or log in with an account that may pull more',
    );
    equal(details.retryAfterMs, 21_600_000);
  });

  it('says when to come back as the registry asks, where it does', async () => {
    const { message, details } = await errorOf(
      spent(SPENT[0] ?? '', { ...LIMIT, 'retry-after': '90' }),
    );

    match(message, /\(100 in 6 hours\): come back in 2 minutes at the latest/);
    equal(details.retryAfterMs, 90_000);
  });

  it('says nothing of time where the registry says nothing', async () => {
    const { message } = await errorOf(spent(SPENT[0] ?? ''));

    equal(
      message,
      'registry-1.docker.io: the pull limit is used up: log in with an account that may pull more',
    );
  });

  for (const [shown, given] of [
    ['plain text', { type: 'text/plain', text: 'Too Many Requests' }],
    ['plain text with the same words', { type: 'text/plain', text: SPENT[0] ?? '' }],
    ['HTML', { type: 'text/html', text: `<html>${SPENT[0]}</html>` }],
    [
      'JSON of another reason',
      {
        type: 'application/json',
        text: '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}',
      },
    ],
    ['JSON that is none', { type: 'application/json', text: '<html>' }],
    ['nothing', { type: 'application/json', text: '' }],
  ] as const) {
    it(`that passes can still be read: ${shown}`, async () => {
      const response = await checkPullLimit(GET, refused(given));

      equal(response.status, 429);
      equal(Buffer.from(await readBody(response, 1000, 'x')).toString(), given.text);
    });
  }
});

describe('a 429 whose body can’t be read', () => {
  const headers = { 'content-type': 'application/json' };

  for (const [shown, body] of [
    ['is too long', () => Readable.from([Buffer.alloc(64 * 1024 + 1, 'pull rate limit ')])],
    ['never ends', () => Readable.from(endlessly(Buffer.alloc(16 * 1024, 'x')))],
    ['is cut short', () => Readable.from(cutShort(Buffer.from('{"errors":[{"code":')))],
  ] as const) {
    it(`as it ${shown} passes as any other`, async () => {
      const response = await checkPullLimit(GET, { status: 429, headers, body: body() });

      equal(response.status, 429);
      deepEqual(Buffer.from(await readBody(response, 1000, 'x')).length, 0);
    });

    it(`as it ${shown} is repeated as any other`, async () => {
      const { get, count } = retrying(
        { status: 429, headers, body: body() },
        { status: 200, headers: {}, body: Readable.from([]) },
      );

      deepEqual([(await get()).status, count()], [200, 2]);
    });
  }
});

function* endlessly(chunk: Buffer): Generator<Buffer, void, void> {
  for (;;) yield chunk;
}

async function* cutShort(chunk: Buffer): AsyncGenerator<Buffer, void, void> {
  yield chunk;
  throw new Error('the connection broke');
}

describe('withRetry', () => {
  const busy = (): HttpResponse =>
    refused({ type: 'application/json', text: '{"errors":[{"code":"TOOMANYREQUESTS"}]}' });

  it('does not repeat what no pulls are left for, nor does it wait', async () => {
    const { get, clock, count } = retrying(spent(SPENT[0] ?? '', LIMIT));

    await rejects(get(), { code: 'RATE_LIMITED', message: /pull limit is used up/ });

    deepEqual([count(), clock.slept], [1, []]);
  });

  it('repeats another 429, and hands the last one on with its body', async () => {
    const { get, count } = retrying(busy(), busy(), busy(), busy());

    const response = await get();

    deepEqual([response.status, count()], [429, 4]);
    match(Buffer.from(await readBody(response, 1000, 'x')).toString(), /TOOMANYREQUESTS/);
  });

  it('looks at a 429 only', async () => {
    const { get } = retrying({ ...spent(SPENT[0] ?? ''), status: 403 });

    equal((await get()).status, 403);
  });
});

describe('a registry without pulls left', () => {
  it('is not asked for another manifest, but still for what does not count', async () => {
    const { client, requests } = await knownClient(
      'docker.io',
      ({ method, url }) => {
        if (url.pathname === '/v2/') return undefined;
        if (method === 'HEAD') {
          return { status: 200, headers: { 'docker-content-digest': image().root.digest } };
        }
        return {
          ...refusal(429, 'TOOMANYREQUESTS', SPENT[0]),
          headers: { 'content-type': 'application/json', ...LIMIT },
        };
      },
      { times: 3 },
    );
    const repository = new Repository(client, 'library/redis');
    for (const tag of ['6', '7', '8']) {
      await rejects(repository.source(tag).manifest('root', NEVER), {
        code: 'RATE_LIMITED',
        message: /pull limit is used up/,
      });
    }

    equal((await repository.source('9').head(NEVER))?.digest, image().root.digest);

    deepEqual(asked(requests), [
      'GET /v2/library/redis/manifests/6',
      'HEAD /v2/library/redis/manifests/9',
    ]);
  });
});
