import { deepEqual, doesNotReject, equal, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import type { Credentials } from '../../../src/registry/credentials.ts';
import { TokenCache, type TokenRequest } from '../../../src/registry/tokens.ts';
import { ANONYMOUS, NEVER, password } from '../../support/client.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { createWire, type Wire, type WireAnswer, type WireRequest } from '../../support/wire.ts';

const REALM = new URL('https://auth.test/token?tenant=a%20b');
const NOW = Date.UTC(2024, 0, 1);
const ROOT = password('root', 'secret-word');
const IDENTITY: Credentials = {
  kind: 'identity-token',
  username: '',
  token: 'refresh-me',
  from: 'me',
};

function asking(credentials: Credentials = ROOT, ...scopes: string[]): TokenRequest {
  return { realm: REALM, service: 'r.test', scopes, credentials };
}

/** A token server that answers each request in the way of its method. */
function serving(answer: (request: WireRequest, before: number) => WireAnswer): {
  wire: Wire;
  tokens: TokenCache;
  clock: FakeClock;
} {
  const clock = new FakeClock(NOW);
  let before = 0;
  const wire = createWire((request) => answer(request, before++));
  return { wire, clock, tokens: new TokenCache(wire.send, clock) };
}

const json = (value: unknown): WireAnswer => ({ status: 200, body: JSON.stringify(value) });
const jwt = (claims: object): string =>
  ['{}', JSON.stringify(claims), 'x']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');

describe('a request for a token', () => {
  it('keeps what the realm has of its own, and names service, scopes and credentials', async () => {
    const { wire, tokens } = serving(() => json({ token: 't' }));

    await tokens.get(asking(ROOT, 'repository:a:pull', 'repository:b:pull'), NEVER);

    const [request] = wire.requests;
    deepEqual(
      [...(request?.url.searchParams ?? [])],
      [
        ['tenant', 'a b'],
        ['service', 'r.test'],
        ['scope', 'repository:a:pull'],
        ['scope', 'repository:b:pull'],
      ],
    );
    equal(request?.method, 'GET');
    equal(request?.headers.authorization, `Basic ${btoa('root:secret-word')}`);
  });

  it('is made once for all who ask at the same time, and for the same scopes in any order', async () => {
    const { wire, tokens } = serving((_, before) => json({ token: `t${before}` }));

    const given = await Promise.all([
      tokens.get(asking(ROOT, 'a', 'b'), NEVER),
      tokens.get(asking(ROOT, 'b', 'a'), NEVER),
      tokens.get(asking(ROOT, 'a', 'b'), NEVER),
    ]);

    deepEqual(given, ['t0', 't0', 't0']);
    equal(wire.requests.length, 1);
  });

  it('is made for each scope, and for each user', async () => {
    const { tokens } = serving((_, before) => json({ token: `t${before}` }));

    const given = [
      await tokens.get(asking(ROOT, 'a'), NEVER),
      await tokens.get(asking(ROOT, 'b'), NEVER),
      await tokens.get(asking(password('other', 'x'), 'a'), NEVER),
      await tokens.get(asking(ANONYMOUS, 'a'), NEVER),
      await tokens.get(asking(ROOT, 'a'), NEVER),
    ];

    deepEqual(given, ['t0', 't1', 't2', 't3', 't0']);
  });

  it('that was stopped by one caller is made again for the others', async () => {
    const first = new AbortController();
    const stopped = new RegistrySyncError('NOT_FOUND', 'another image failed');
    let before = 0;
    const tokens = new TokenCache(async (request) => {
      before += 1;
      if (before > 1) return createWire(() => json({ token: 't' })).send(request);
      await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
      throw request.signal.reason;
    }, new FakeClock());

    const [mine, theirs] = [tokens.get(asking(), first.signal), tokens.get(asking(), NEVER)];
    await new Promise(setImmediate); // both wait now
    first.abort(stopped);

    await rejects(mine, stopped);
    equal(await theirs, 't');
  });
});

/** What it shows, the answer, the seconds for which the token is used. */
const LIVES: [string, Record<string, unknown>, number][] = [
  ['expires_in', { token: 't', expires_in: 1000 }, 900],
  ['expires_in as a string', { token: 't', expires_in: '1000' }, 900],
  ['nothing, for 60 seconds', { token: 't' }, 54],
  ['nonsense, for 60 seconds', { token: 't', expires_in: -5 }, 54],
  ['itself (ACR)', { token: jwt({ exp: NOW / 1000 + 600 }) }, 540],
  ['itself that it is over, for 60 seconds', { token: jwt({ exp: 1 }) }, 54],
];

describe('a token', () => {
  for (const field of ['token', 'access_token']) {
    it(`is read from ${field}`, async () => {
      const { tokens } = serving(() => json({ [field]: 't' }));

      equal(await tokens.get(asking(), NEVER), 't');
    });
  }

  it('is read from access_token when token is empty', async () => {
    const { tokens } = serving(() => json({ token: '', access_token: 't' }));

    equal(await tokens.get(asking(), NEVER), 't');
  });

  for (const [says, answer, seconds] of LIVES) {
    it(`is used for as long as is said by ${says}`, async () => {
      const { wire, tokens, clock } = serving(() => json(answer));
      await tokens.get(asking(), NEVER);

      clock.advance(seconds * 1000 - 1);
      await tokens.get(asking(), NEVER);
      const early = wire.requests.length;
      clock.advance(2);
      await tokens.get(asking(), NEVER);

      deepEqual([early, wire.requests.length], [1, 2]);
    });
  }

  it('that is dropped is asked for again, unless it was replaced meanwhile', async () => {
    const { tokens } = serving((_, before) => json({ token: `t${before}` }));
    await tokens.get(asking(), NEVER);

    await Promise.all([tokens.drop(asking(), 't0'), tokens.drop(asking(), 't0')]);
    const second = await tokens.get(asking(), NEVER);
    await tokens.drop(asking(), 't0');

    deepEqual([second, await tokens.get(asking(), NEVER)], ['t1', 't1']);
  });
});

/** What it shows, the answer, the code of the refusal. */
const REFUSED: [string, WireAnswer, string][] = [
  ['a login page, sent with 200', { status: 200, body: '<html>secret-word</html>' }, 'PROTOCOL'],
  ['an answer without a token', json({ expires_in: 300 }), 'PROTOCOL'],
  ['a token that is no text', json({ token: { secret: 'secret-word' } }), 'PROTOCOL'],
  ['no end', { status: 200, body: Buffer.alloc(1024 * 1024 + 1, ' ') }, 'PROTOCOL'],
  ['a way elsewhere', { status: 307, headers: { location: 'https://x.test' } }, 'PROTOCOL'],
  ['403 (GitLab, for a wrong password)', { status: 403 }, 'UNAUTHORIZED'],
  ['401', { status: 401, body: 'secret-word' }, 'UNAUTHORIZED'],
  ['500', { status: 500 }, 'UNAVAILABLE'],
];

describe('a token server that answers', () => {
  for (const [shown, answer, code] of REFUSED) {
    it(`${shown} is refused as ${code}, without a secret and without another try`, async () => {
      const { wire, tokens } = serving(() => answer);

      await rejects(tokens.get(asking(), NEVER), (error: RegistrySyncError) => {
        equal(error.code, code);
        equal(/secret-word|cm9vd/.test(`${error.stack}${JSON.stringify(error.details)}`), false);
        return true;
      });
      // After a 401 it is asked once whether it is the login or the scope that is refused.
      equal(wire.requests.length, answer.status === 401 ? 2 : 1);
    });
  }
});

describe('an identity token', () => {
  it('is sent by POST', async () => {
    const { wire, tokens } = serving(() => json({ access_token: 't' }));

    await tokens.get(asking(IDENTITY, 'a', 'b'), NEVER);

    const [request] = wire.requests;
    equal(request?.method, 'POST');
    equal(request?.headers.authorization, undefined);
    deepEqual(Object.fromEntries(new URLSearchParams(request?.body.toString())), {
      grant_type: 'refresh_token',
      client_id: 'registry-sync',
      refresh_token: 'refresh-me',
      service: 'r.test',
      scope: 'a b',
    });
  });

  for (const status of [400, 401, 404, 405]) {
    it(`is sent as a password when POST is answered with ${status}`, async () => {
      const { wire, tokens } = serving(({ method }) =>
        method === 'POST' ? { status } : json({ token: 't' }),
      );

      equal(await tokens.get(asking(IDENTITY), NEVER), 't');

      equal(wire.requests[1]?.headers.authorization, `Basic ${btoa('<token>:refresh-me')}`);
    });
  }

  it('is not sent again when POST is answered with another failure', async () => {
    const { wire, tokens } = serving(() => ({ status: 403 }));

    await rejects(tokens.get(asking(IDENTITY), NEVER), { code: 'UNAUTHORIZED' });

    equal(wire.requests.length, 1);
  });

  it('that is wrong is sent to nobody again', async () => {
    const { wire, tokens } = serving(() => ({ status: 401 }));

    await rejects(tokens.get(asking(IDENTITY, 'a'), NEVER), { code: 'UNAUTHORIZED' });
    await rejects(tokens.get(asking(IDENTITY, 'b'), NEVER), { code: 'UNAUTHORIZED' });

    equal(wire.requests.length, 3); // POST and GET for the first, and one for no scope
  });
});

describe('wrong credentials', () => {
  it('cost two requests, however many rows there are', async () => {
    const { wire, tokens } = serving(() => ({ status: 401 }));
    const first: unknown = await tokens.get(asking(ROOT, 'a'), NEVER).catch((error) => error);

    for (const scope of ['a', 'b', 'c']) {
      await rejects(tokens.get(asking(ROOT, scope), NEVER), (error) => error === first);
    }

    equal(wire.requests.length, 2);
  });

  it('are not those that only one scope is refused to', async () => {
    const { tokens } = serving(({ url }) =>
      url.searchParams.getAll('scope').some((scope) => scope.includes('forbidden'))
        ? { status: 401 }
        : json({ token: 't' }),
    );
    await rejects(tokens.get(asking(ROOT, 'forbidden'), NEVER), { code: 'UNAUTHORIZED' });

    equal(await tokens.get(asking(ROOT, 'open'), NEVER), 't');
  });

  it('say nothing of other credentials, nor of another password of the same user', async () => {
    const { tokens } = serving(({ headers }) =>
      headers.authorization === `Basic ${btoa('root:right')}`
        ? json({ token: 't' })
        : { status: 401 },
    );
    await rejects(tokens.get(asking(ROOT, 'a'), NEVER));

    equal(await tokens.get(asking(password('root', 'right'), 'b'), NEVER), 't');
  });

  it('are not what credentials are that were good once', async () => {
    const { tokens } = serving((_, before) =>
      before === 1 ? { status: 401 } : json({ token: 't' }),
    );
    await tokens.get(asking(ROOT, 'a'), NEVER);
    await rejects(tokens.get(asking(ROOT, 'b'), NEVER), { code: 'UNAUTHORIZED' });

    equal(await tokens.get(asking(ROOT, 'c'), NEVER), 't');
  });

  for (const [status, credentials] of [
    [403, ROOT],
    [500, ROOT],
    [401, ANONYMOUS],
  ] as const) {
    it(`are not proved by ${status} for ${credentials.from}`, async () => {
      const { tokens } = serving((_, before) => (before === 0 ? { status } : json({ token: 't' })));
      await rejects(tokens.get(asking(credentials, 'a'), NEVER));

      await doesNotReject(tokens.get(asking(credentials, 'b'), NEVER));
    });
  }
});
