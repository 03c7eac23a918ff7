import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { Readable } from 'node:stream';
import { after, describe, it } from 'node:test';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import { LinkedAbort } from '../../../src/base/linked-abort.ts';
import type { Send } from '../../../src/http/send.ts';
import type { RegistryClient } from '../../../src/registry/client.ts';
import { distributionCatalog } from '../../../src/registry/catalog.ts';
import {
  ANONYMOUS,
  clientOver,
  connectTo,
  NEVER,
  password,
  tagsOf,
  type ClientOptions,
} from '../../support/client.ts';
import { collect } from '../../support/collect.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { image } from '../../support/images.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../support/registry/registry.ts';
import { putImage } from '../../support/registry/store.ts';
import { createWire, type Wire, type WireAnswer, type WireRequest } from '../../support/wire.ts';

const USERS = { root: { password: 'secret' } };
const ROOT = password('root', 'secret');
const BASIC_ROOT = `Basic ${Buffer.from('root:secret').toString('base64')}`;
const REPOSITORIES = ['a', 'b', 'c', 'd'];

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

async function start(options: RegistryOptions): Promise<Registry> {
  const registry = await startRegistry(options);
  for (const name of REPOSITORIES) putImage(registry.store, name, '1', image());
  closers.push(() => registry.close());
  return registry;
}

/** Method, path and what was shown, without the queries. */
function shown(requests: Registry['requests']): string[] {
  return requests.map(({ method, path, headers }) =>
    [method, path.replace(/\?.*/, ''), headers.authorization?.split(' ')[0] ?? ''].join(' ').trim(),
  );
}

describe('Basic', () => {
  it('is met once, and then shown from the start', async () => {
    const registry = await start({ auth: { scheme: 'basic', users: USERS } });
    const client = connectTo(registry, { credentials: ROOT });

    await tagsOf(client, 'a');
    await tagsOf(client, 'b');

    deepEqual(shown(registry.requests), [
      'GET /v2/',
      'GET /v2/a/tags/list Basic',
      'GET /v2/b/tags/list Basic',
    ]);
  });

  it('is not shown again once it was refused and never accepted', async () => {
    const registry = await start({ auth: { scheme: 'basic', users: USERS } });
    const client = connectTo(registry, { credentials: password('root', 'wrong-password') });

    await rejects(tagsOf(client, 'a'), { code: 'UNAUTHORIZED', message: /used the test/ });
    const before = registry.requests.length;
    await rejects(tagsOf(client, 'b'), { code: 'UNAUTHORIZED', message: /used the test/ });

    equal(registry.requests.length, before);
  });

  it('is shown again after a refusal when it was accepted before', async () => {
    const registry = await start({ auth: { scheme: 'basic', users: USERS } });
    const client = connectTo(registry, { credentials: ROOT });
    await tagsOf(client, 'a');
    const refusal = { status: 401, headers: { 'www-authenticate': 'Basic realm="r"' } };
    registry.setFaults([{ match: { path: /\/b\// }, effect: refusal }]);

    await rejects(tagsOf(client, 'b'), { code: 'UNAUTHORIZED' });

    deepEqual(await tagsOf(client, 'c'), ['1']);
  });

  it('is not shown to a registry that asks for nothing', async () => {
    const registry = await start({});

    await tagsOf(connectTo(registry, { credentials: ROOT }), 'a');

    deepEqual(shown(registry.requests), ['GET /v2/', 'GET /v2/a/tags/list']);
  });

  it('asks anonymously again for each repository, as some may be public', async () => {
    const registry = await start({ auth: { scheme: 'basic', users: USERS } });
    const client = connectTo(registry);

    await rejects(tagsOf(client, 'a'), { code: 'UNAUTHORIZED', message: /used no credentials/ });
    await rejects(tagsOf(client, 'b'), { code: 'UNAUTHORIZED' });

    deepEqual(shown(registry.requests).slice(1), ['GET /v2/a/tags/list', 'GET /v2/b/tags/list']);
  });
});

describe('a login that a repository refuses', () => {
  const refusal = { status: 401, headers: { 'www-authenticate': 'Basic realm="r"' } };

  it('is shown to the others when the registry itself accepts it', async () => {
    const registry = await start({ auth: { scheme: 'basic', users: USERS } });
    registry.setFaults([{ match: { path: /\/a\// }, times: Infinity, effect: refusal }]);
    const client = connectTo(registry, { credentials: ROOT });

    for (let row = 0; row < 2; row += 1)
      await rejects(tagsOf(client, 'a'), { code: 'UNAUTHORIZED' });
    deepEqual(await tagsOf(client, 'b'), ['1']);

    deepEqual(shown(registry.requests), [
      'GET /v2/',
      'GET /v2/a/tags/list Basic',
      'GET /v2/ Basic',
      'GET /v2/a/tags/list Basic',
      'GET /v2/b/tags/list Basic',
    ]);
  });

  it('is shown to no other when the registry itself refuses it too', async () => {
    const registry = await start({ auth: { scheme: 'basic', users: USERS } });
    const client = connectTo(registry, { credentials: password('root', 'wrong') });

    for (const name of REPOSITORIES) await rejects(tagsOf(client, name), { code: 'UNAUTHORIZED' });

    deepEqual(shown(registry.requests), [
      'GET /v2/',
      'GET /v2/a/tags/list Basic',
      'GET /v2/ Basic',
    ]);
  });

  it('is not taken for right because the registry could not say', async () => {
    const registry = await start({ auth: { scheme: 'basic', users: USERS } });
    const client = connectTo(registry, { credentials: password('root', 'wrong') });
    const down = { match: { path: /^\/v2\/$/ }, skip: 1, times: 3, effect: { status: 503 } };
    registry.setFaults([down]);

    for (const name of REPOSITORIES) await rejects(tagsOf(client, name), { code: 'UNAUTHORIZED' });

    deepEqual(shown(registry.requests).slice(-2), ['GET /v2/b/tags/list Basic', 'GET /v2/ Basic']);
  });
});

describe('Bearer', () => {
  it('costs one ping, and one token per repository however many ask at once', async () => {
    const registry = await start({ auth: { scheme: 'bearer', users: USERS } });
    const client = connectTo(registry, { credentials: ROOT });
    const asked = REPOSITORIES.flatMap((name) => Array<string>(8).fill(name));

    await Promise.all(asked.map((name) => tagsOf(client, name)));

    equal(registry.requests.filter(({ path }) => path === '/v2/').length, 1);
    deepEqual(
      registry.tokenRequests.map(({ scopes }) => String(scopes)).toSorted(),
      REPOSITORIES.map((name) => `repository:${name}:pull`),
    );
    equal(registry.requests.filter(({ status }) => status === 401).length, 1);
  });

  it('meets the registry once when many ask at once', async () => {
    const registry = await start({ latencyMs: 5 });
    const client = connectTo(registry);

    await Promise.all(REPOSITORIES.map((name) => tagsOf(client, name)));

    equal(registry.requests.filter(({ path }) => path === '/v2/').length, 1);
  });
});

describe('a token', () => {
  it('is renewed before it expires', async () => {
    const clock = new FakeClock();
    const now = (): number => clock.now();
    const registry = await start({ auth: { scheme: 'bearer', users: USERS, now } });
    const client = connectTo(registry, { credentials: ROOT, clock });

    const asked: number[] = [];
    for (const advance of [0, 269_000, 2000]) {
      clock.advance(advance);
      await tagsOf(client, 'a');
      asked.push(registry.tokenRequests.length);
    }

    deepEqual(asked, [1, 1, 2]);
    equal(registry.requests.filter(({ status }) => status === 401).length, 1);
  });

  it('that is refused in the middle is replaced once for all, and each request repeated once', async () => {
    let now = 0;
    const registry = await start({
      auth: { scheme: 'bearer', users: USERS, now: () => now },
    });
    const client = connectTo(registry, { credentials: ROOT });
    await tagsOf(client, 'a');
    now += 301_000; // the server's clock, not ours
    registry.resetRequests();

    await Promise.all(['a', 'a', 'a', 'a'].map((name) => tagsOf(client, name)));

    equal(registry.tokenRequests.length, 1);
    const lists = registry.requests.filter(({ path }) => path.startsWith('/v2/a/'));
    deepEqual(lists.map(({ status }) => status).toSorted(), [
      ...Array<number>(4).fill(200),
      ...Array<number>(4).fill(401),
    ]);
  });

  it('that is refused though it is fresh is the end', async () => {
    const registry = await start({ auth: { scheme: 'bearer', users: USERS } });
    const client = connectTo(registry, { credentials: ROOT });
    await tagsOf(client, 'a');
    registry.resetRequests();
    const challenge = `Bearer realm="${registry.url.origin}/token",service="registry.test"`;
    const refusal = { status: 401, headers: { 'www-authenticate': challenge } };
    registry.setFaults([{ match: { path: /tags/ }, times: Infinity, effect: refusal }]);

    await rejects(tagsOf(client, 'a'), { code: 'UNAUTHORIZED' });

    deepEqual(shown(registry.requests), [
      'GET /v2/a/tags/list Bearer',
      'GET /token Basic',
      'GET /v2/a/tags/list Bearer',
    ]);
  });
});

/** A registry at https://r.test, with a token server that gives `token-1`, `token-2`, … */
function bearerWire(answer: (request: WireRequest, tokens: number) => WireAnswer): Wire {
  let tokens = 0;
  return createWire((request) => {
    if (request.url.pathname === '/token') {
      tokens += 1;
      return { status: 200, body: JSON.stringify({ token: `token-${tokens}` }) };
    }
    if (request.url.pathname === '/v2/') return challenged('');
    return answer(request, tokens);
  });
}

function challenged(parameters: string, more = ''): WireAnswer {
  const challenge = `Bearer realm="https://r.test/token",service="r"${parameters}${more}`;
  return { status: 401, headers: { 'www-authenticate': challenge } };
}

const LIST: WireAnswer = { status: 200, body: '{"tags":["1"]}' };
const over = (wire: Wire, options: ClientOptions = {}): RegistryClient =>
  clientOver(wire.send, 'r.test', { credentials: ROOT, ...options });

/** What was asked for and with what, token requests by their scopes. */
function told({ requests }: Wire): string[] {
  return requests.map(({ url, headers }) => {
    const what = url.pathname === '/token' ? url.searchParams.getAll('scope') : url.pathname;
    return `${String(what)} ${headers.authorization ?? ''}`.trim();
  });
}

describe('a challenge', () => {
  it('for more scope is answered with a token for both, and remembered', async () => {
    const more = ',scope="repository:a:pull,delete",error="insufficient_scope"';
    const wire = bearerWire(({ headers }) =>
      headers.authorization === 'Bearer token-1' ? challenged(more) : LIST,
    );
    const client = over(wire);

    await tagsOf(client, 'a');
    await tagsOf(client, 'a');

    deepEqual(told(wire), [
      '/v2/',
      `repository:a:pull ${BASIC_ROOT}`,
      '/v2/a/tags/list Bearer token-1',
      `repository:a:pull,repository:a:pull,delete ${BASIC_ROOT}`,
      '/v2/a/tags/list Bearer token-2',
      '/v2/a/tags/list Bearer token-2',
    ]);
  });

  it('for the scope «*» (Forgejo) says nothing, and our own is asked for', async () => {
    const more = ',scope="*",error="insufficient_scope"';
    const wire = bearerWire(({ headers }) =>
      headers.authorization === 'Bearer token-1' ? challenged(more) : LIST,
    );

    await tagsOf(over(wire), 'a');

    equal(told(wire)[3], `repository:a:pull ${BASIC_ROOT}`);
  });

  it('of both kinds in one header, in any order, is answered with a token', async () => {
    for (const [before, behind] of [
      ['', ',Basic realm="https://r.test"'],
      ['Basic realm="https://r.test", ', ''],
    ]) {
      const bearer = 'Bearer realm="https://r.test/token",service="r",scope="*"';
      const challenge = { 'www-authenticate': `${before}${bearer}${behind}` };
      const wire = createWire(({ url, headers }) => {
        if (url.pathname === '/token') return { status: 200, body: '{"token":"t"}' };
        return headers.authorization === 'Bearer t' ? LIST : { status: 401, headers: challenge };
      });

      deepEqual(await tagsOf(over(wire), 'a'), ['1']);
    }
  });
});

describe('a challenge of Basic', () => {
  it('that comes only later, from a registry with an open ping, is answered', async () => {
    const wire = createWire(({ url, headers }) => {
      if (url.pathname === '/v2/') return { status: 200 };
      if (headers.authorization === BASIC_ROOT) return LIST;
      return { status: 401, headers: { 'www-authenticate': 'Basic realm="r"' } };
    });
    const client = over(wire);

    await tagsOf(client, 'a');
    await tagsOf(client, 'b');

    deepEqual(told(wire), [
      '/v2/',
      '/v2/a/tags/list',
      `/v2/a/tags/list ${BASIC_ROOT}`,
      `/v2/b/tags/list ${BASIC_ROOT}`,
    ]);
  });

  it('for the catalog alone (Harbor) is answered, for all its pages', async () => {
    const wire = bearerWire(({ url, headers }) => {
      if (url.pathname !== '/v2/_catalog') return LIST;
      if (headers.authorization !== BASIC_ROOT) {
        return { status: 401, headers: { 'www-authenticate': 'Basic realm="harbor"' } };
      }
      const isLast = url.searchParams.has('last');
      const link = { link: '</v2/_catalog?last=a&n=2>; rel="next"' };
      return {
        status: 200,
        headers: isLast ? {} : link,
        body: JSON.stringify({ repositories: [isLast ? 'b' : 'a'] }),
      };
    });
    const client = over(wire);

    const names = await collect(distributionCatalog(client).repositories(NEVER));
    await tagsOf(client, 'a');

    deepEqual(names, ['a', 'b']);
    deepEqual(told(wire).slice(2), [
      '/v2/_catalog Bearer token-1',
      `/v2/_catalog ${BASIC_ROOT}`,
      `/v2/_catalog ${BASIC_ROOT}`,
      `repository:a:pull ${BASIC_ROOT}`,
      '/v2/a/tags/list Bearer token-2',
    ]);
  });
});

describe('a challenge that is not answered', () => {
  it('because it is unreadable is a breach of the protocol', async () => {
    const wire = createWire(() => ({ status: 401, headers: { 'www-authenticate': 'Basic "' } }));

    await rejects(tagsOf(over(wire), 'a'), { code: 'PROTOCOL', message: /column/ });
  });

  it('because its kind is not spoken here leaves the 401 as it is', async () => {
    const wire = createWire(() => ({ status: 401, headers: { 'www-authenticate': 'Negotiate' } }));

    await rejects(tagsOf(over(wire), 'a'), { code: 'UNAUTHORIZED' });

    deepEqual(told(wire), ['/v2/', '/v2/a/tags/list']);
  });
});

describe('a ready token', () => {
  it('is shown as it is, whatever is asked for', async () => {
    const wire = bearerWire(() => LIST);

    await tagsOf(over(wire, { credentials: { kind: 'bearer', token: 'x', from: 'me' } }), 'a');

    deepEqual(told(wire), ['/v2/', '/v2/a/tags/list Bearer x']);
  });

  it('that is refused is the end', async () => {
    const wire = bearerWire(() => challenged(''));
    const client = over(wire, { credentials: { kind: 'bearer', token: 'x', from: 'me' } });

    await rejects(tagsOf(client, 'a'), { code: 'UNAUTHORIZED', message: /used me/ });

    equal(wire.requests.length, 2);
  });
});

describe('nobody', () => {
  it('gets an anonymous token', async () => {
    const wire = bearerWire(() => LIST);

    await tagsOf(over(wire, { credentials: ANONYMOUS }), 'a');

    deepEqual(told(wire).slice(1), ['repository:a:pull', '/v2/a/tags/list Bearer token-1']);
    ok(wire.requests.every(({ headers }) => headers.authorization !== BASIC_ROOT));
  });
});

describe('a registry that announces another realm for its repositories', () => {
  it('refuses one request per repository, not each', async () => {
    const wire = createWire(({ url, headers }) => {
      const { pathname } = url;
      if (pathname.endsWith('token'))
        return { status: 200, body: JSON.stringify({ token: pathname }) };
      if (pathname === '/v2/') return challenged('');
      if (headers.authorization === 'Bearer /other/token') return LIST;
      const challenge = 'Bearer realm="https://r.test/other/token",service="r"';
      return { status: 401, headers: { 'www-authenticate': challenge } };
    });
    const client = over(wire);

    for (let row = 0; row < 3; row += 1) await tagsOf(client, 'a');

    deepEqual(told(wire), [
      '/v2/',
      `repository:a:pull ${BASIC_ROOT}`,
      '/v2/a/tags/list Bearer /token',
      `/other/token ${BASIC_ROOT}`,
      ...Array<string>(3).fill('/v2/a/tags/list Bearer /other/token'),
    ]);
  });
});

describe('a registry that can not be reached', () => {
  /** One whose first request is answered by `first`. */
  function unreachable(first: Send) {
    const clock = new FakeClock();
    const sent: string[] = [];
    const send: Send = async (request) => {
      sent.push(request.url.pathname);
      if (sent.length === 1) return first(request);
      return { status: 200, headers: {}, body: Readable.from([Buffer.from('{"tags":["1"]}')]) };
    };
    return { clock, sent, client: clientOver(send, 'r.test', { clock }) };
  }

  it('is asked once in 30 seconds, not once per row', async () => {
    const down = new RegistrySyncError('UNAVAILABLE', 'down');
    const { clock, sent, client } = unreachable(() => Promise.reject(down));

    for (const advance of [0, 1000, 28_999]) {
      clock.advance(advance);
      await rejects(tagsOf(client, 'a'), (error) => error === down);
    }
    const asked = sent.length;
    clock.advance(1);

    deepEqual([asked, await tagsOf(client, 'a')], [1, ['1']]);
  });

  it('is asked again at once when it was not met because who asked was stopped', async () => {
    const { client } = unreachable(async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw new RegistrySyncError('CANCELLED', 'stopped');
    });
    using stopped = new LinkedAbort(NEVER);
    const first = collect(distributionCatalog(client).tags('a', stopped.signal));
    await new Promise(setImmediate); // under way
    stopped.abort(new RegistrySyncError('CANCELLED', 'enough'));

    await rejects(first, { code: 'CANCELLED' });
    await new Promise(setImmediate);

    deepEqual(await tagsOf(client, 'a'), ['1']);
  });
});
