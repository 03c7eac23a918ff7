import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { digestOf } from '../../../src/image/digest.ts';
import type { Catalog } from '../../../src/registry/catalog.ts';
import { identityToken, type Credentials } from '../../../src/registry/credentials.ts';
import { dockerHubCatalog } from '../../../src/registry/docker-hub.ts';
import { NEVER, password } from '../../support/client.ts';
import { collect } from '../../support/collect.ts';
import {
  asked,
  json,
  jwt,
  knownClient,
  pagesOf,
  refusal,
  type KnownClient,
} from '../../support/known-client.ts';
import type { WireAnswer, WireRequest } from '../../support/wire.ts';

const D = digestOf(Buffer.from('d'));
const ROOT = password('root', 'hunter-2');
const TAGS = '/v2/namespaces/acme/repositories/web/tags';
const REALM = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"';

interface HubOptions {
  readonly credentials?: Credentials;
  /** Answers of the API by path and query; a login by default is let in. */
  readonly api?: (pathAndQuery: string, request: WireRequest) => WireAnswer | undefined;
  /** What tags/list says. */
  readonly names?: readonly string[];
}

async function hub({ credentials, api, names = ['1', '2'] }: HubOptions = {}): Promise<
  KnownClient & { catalog: Catalog; api: () => string[] }
> {
  const known = await knownClient(
    'docker.io',
    (request) => {
      const { url, headers } = request;
      const path = url.pathname + url.search;
      if (url.host === 'hub.docker.com') {
        if (path === '/v2/auth/token')
          return api?.(path, request) ?? json({ access_token: 'api-token' });
        return api?.(path, request);
      }
      if (url.host === 'auth.docker.io') return json({ token: 'registry-token' });
      if (url.host !== 'registry-1.docker.io') return undefined;
      if (headers.authorization === undefined) {
        return { ...refusal(401, 'UNAUTHORIZED'), headers: { 'www-authenticate': REALM } };
      }
      return json({ tags: names });
    },
    credentials === undefined ? {} : { credentials },
  );
  const toApi = (): string[] =>
    asked(known.requests.filter(({ url }) => url.host === 'hub.docker.com'));
  return { ...known, catalog: dockerHubCatalog(known.client), api: toApi };
}

/** A page of the API; `next` is an absolute URL. */
function page(
  results: readonly unknown[],
  { next = null as string | null, count = 0 } = {},
): WireAnswer {
  return json({ count, next, previous: null, results });
}

const entry = (name: string, more: object = {}): object => ({
  name,
  digest: D,
  last_updated: '2024-01-01T00:00:00.000001Z',
  tag_last_pushed: '2024-02-02T00:00:00.000002Z',
  ...more,
});
const PUSHED = '2024-02-02T00:00:00.000002Z';

/** What says that each page has another behind it. */
function endless(path: string, results: readonly object[]): () => WireAnswer {
  let pages = 0;
  return () => {
    pages += 1;
    const next = `https://hub.docker.com${path}?page=${pages}&page_size=100`;
    return page(results, { next, count: 1 });
  };
}
const UNENDED = { code: 'PROTOCOL', message: /the pages of the list do not advance$/ };

/** Two pages of tags. */
const twoPages = (path: string): WireAnswer | undefined => {
  const next = `https://hub.docker.com${TAGS}?page=2&page_size=100`;
  if (path === `${TAGS}?page_size=100`) return page([entry('2')], { next, count: 150 });
  return path === `${TAGS}?page=2&page_size=100` ? page([entry('1')], { count: 150 }) : undefined;
};

describe('Docker Hub’s list of tags', () => {
  it('says digests and dates, a hundred per request, and how many there are', async () => {
    const { catalog, api } = await hub({ api: twoPages });

    deepEqual(await pagesOf(catalog, 'acme/web'), [
      { tags: [{ name: '2', digest: D, lastUpdatedOn: PUSHED }], total: 150 },
      { tags: [{ name: '1', digest: D, lastUpdatedOn: PUSHED }], total: 150 },
    ]);
    deepEqual(api(), [`GET ${TAGS}?page_size=100`, `GET ${TAGS}?page=2&page_size=100`]);
  });

  it('may lack digests, dates and counts, and hold what is no tag', async () => {
    const { catalog } = await hub({
      api: () =>
        json({
          results: [
            entry('old', { digest: null, tag_last_pushed: null }),
            entry('older', { digest: '', tag_last_pushed: '', last_updated: null }),
            entry('', {}),
            'x',
          ],
        }),
    });

    deepEqual(await pagesOf(catalog, 'acme/web'), [
      {
        tags: [
          { name: 'old', digest: undefined, lastUpdatedOn: '2024-01-01T00:00:00.000001Z' },
          { name: 'older', digest: undefined, lastUpdatedOn: undefined },
        ],
        total: undefined,
      },
    ]);
  });

  for (const next of [
    'https://evil.test/v2/x',
    'http://evil.test/v2/x',
    'https://hub.docker.com.evil.test/x',
    'https://hub.docker.com:444/x',
  ]) {
    it(`is not followed to ${next}`, async () => {
      const { catalog, requests } = await hub({
        credentials: ROOT,
        api: (path) => (path.startsWith(TAGS) ? page([entry('1')], { next }) : undefined),
      });

      await rejects(pagesOf(catalog, 'acme/web'), { code: 'PROTOCOL' });
      ok(requests.every(({ url }) => url.origin === 'https://hub.docker.com'));
    });
  }

  it('that leads to itself is a breach of the protocol', async () => {
    const next = `https://hub.docker.com${TAGS}?page_size=100`;
    const { catalog } = await hub({ api: () => page([entry('1')], { next }) });

    await rejects(pagesOf(catalog, 'acme/web'), { code: 'PROTOCOL', message: /loop/ });
  });
});

describe('a list of Docker Hub’s that has no end', () => {
  it('as each page begins anew is a breach of the protocol', async () => {
    const { catalog, api } = await hub({ api: endless(TAGS, [entry('1'), entry('2')]) });

    await rejects(pagesOf(catalog, 'acme/web'), UNENDED);
    equal(api().length, 2);
  });

  it('as a hundred pages have no tag is a breach of the protocol', async () => {
    const { catalog, api } = await hub({ api: endless(TAGS, []) });

    await rejects(pagesOf(catalog, 'acme/web'), UNENDED);
    equal(api().length, 101);
  });
});

describe('a crawl of Docker Hub', () => {
  it('takes names from the registry and digests from the API', async () => {
    const { catalog } = await hub({ api: twoPages, names: ['1', '2', 'new'] });

    deepEqual(await collect(catalog.tags('acme/web', NEVER)), [
      { name: '1', digest: D, lastUpdatedOn: PUSHED },
      { name: '2', digest: D, lastUpdatedOn: PUSHED },
      { name: 'new' },
    ]);
  });

  it('has no tag that the registry does not list', async () => {
    const { catalog } = await hub({ api: twoPages, names: ['2'] });

    deepEqual(
      (await collect(catalog.tags('acme/web', NEVER))).map(({ name }) => name),
      ['2'],
    );
  });

  for (const [shown, answer] of [
    ['is down', { status: 503 }],
    ['refuses', refusal(403, 'DENIED')],
    ['is no JSON', { status: 200, body: '<html>' }],
  ] as const) {
    it(`has names only, and a warning, when the API ${shown}`, async () => {
      const { catalog, warned } = await hub({ api: () => answer });

      deepEqual(await collect(catalog.tags('acme/web', NEVER)), [{ name: '1' }, { name: '2' }]);
      equal(warned.length, 1);
      ok(warned[0]?.startsWith('no digests in bulk: each tag is asked for | Docker Hub'));
    });
  }

  it('has names only, and no warning, when the API knows nothing of the repository', async () => {
    const { catalog, warned } = await hub({ api: () => ({ status: 404 }) });

    deepEqual(await collect(catalog.tags('acme/web', NEVER)), [{ name: '1' }, { name: '2' }]);
    deepEqual(warned, []);
  });
});

describe('a crawl of Docker Hub whose API breaks off', () => {
  it('keeps the digests that the API gave before it failed', async () => {
    const { catalog, warned } = await hub({
      api: (path) => (path.includes('page=2') ? { status: 503 } : twoPages(path)),
    });

    deepEqual(
      (await collect(catalog.tags('acme/web', NEVER))).map(({ digest }) => digest),
      [undefined, D],
    );
    equal(warned.length, 1);
  });

  it('keeps the digests of a list that has no end', async () => {
    const { catalog, warned } = await hub({ api: endless(TAGS, [entry('1')]) });

    deepEqual(
      (await collect(catalog.tags('acme/web', NEVER))).map(({ digest }) => digest),
      [D, undefined],
    );
    equal(warned.length, 1);
  });

  it('that is stopped is not continued with names only', async () => {
    const stop = new AbortController();
    const { catalog, warned } = await hub({
      api: () => {
        stop.abort();
        return { status: 503 };
      },
    });

    await rejects(collect(catalog.tags('acme/web', stop.signal)), { code: 'CANCELLED' });
    deepEqual(warned, []);
  });
});

describe('the repositories of Docker Hub', () => {
  it('are listed for a namespace, page by page', async () => {
    const path = '/v2/namespaces/acme/repositories';
    const next = `https://hub.docker.com${path}?page=2`;
    const { catalog, api } = await hub({
      api: (asking) => {
        if (asking === `${path}?page_size=100`) return page([{ name: 'web' }, {}, 'x'], { next });
        return page([{ name: 'db' }]);
      },
    });

    deepEqual(await collect(catalog.repositories(NEVER, 'acme')), ['acme/web', 'acme/db']);
    deepEqual(api(), [`GET ${path}?page_size=100`, `GET ${path}?page=2`]);
  });

  it('are not listed without one, and the message says what to do', async () => {
    const { catalog, requests } = await hub();

    await rejects(collect(catalog.repositories(NEVER)), (error: Error & { code?: string }) => {
      equal(error.code, 'USAGE');
      return ['--namespace', '--repositories-from', '--repository'].every((option) =>
        error.message.includes(option),
      );
    });
    deepEqual(requests, []);
  });

  for (const [shown, results, count] of [
    ['begins anew on each page', [{ name: 'web' }], 2],
    ['has a hundred empty pages', [], 101],
  ] as const) {
    it(`are not listed by what ${shown}`, async () => {
      const { catalog, api } = await hub({
        api: endless('/v2/namespaces/acme/repositories', results),
      });

      await rejects(collect(catalog.repositories(NEVER, 'acme')), UNENDED);
      equal(api().length, count);
    });
  }

  it('that are denied are a failure', async () => {
    const { catalog } = await hub({ api: () => refusal(403, 'DENIED') });

    await rejects(collect(catalog.repositories(NEVER, 'acme')), {
      code: 'UNAUTHORIZED',
      message: /Docker Hub's list \/v2\/namespaces\/acme\/repositories/,
    });
  });
});

/** What a host was shown, without repetition. */
const shownTo = (requests: readonly WireRequest[], host: string): (string | undefined)[] => [
  ...new Set(
    requests
      .filter(({ url, method }) => url.host === host && method === 'GET')
      .map(({ headers }) => headers.authorization),
  ),
];

describe('the login at Docker Hub’s API', () => {
  it('is sent there alone, and its token nowhere else', async () => {
    const { catalog, requests, hidden } = await hub({ credentials: ROOT, api: twoPages });
    await collect(catalog.tags('acme/web', NEVER));

    const logins = requests.filter(({ body }) => body.includes('hunter-2'));
    deepEqual(
      logins.map(({ method, url, body }) => [method, url.href, JSON.parse(body.toString())]),
      [
        [
          'POST',
          'https://hub.docker.com/v2/auth/token',
          { identifier: 'root', secret: 'hunter-2' },
        ],
      ],
    );
    deepEqual(shownTo(requests, 'hub.docker.com'), ['Bearer api-token']);
    deepEqual(shownTo(requests, 'registry-1.docker.io'), ['Bearer registry-token']);
    ok(hidden.includes('api-token'));
  });

  for (const [who, credentials] of [
    ['nobody', undefined],
    ['an identity token', identityToken('', 'identity', 'x')],
    ['a ready token', { kind: 'bearer', token: 'registry-token', from: 'x' }],
  ] as const) {
    it(`is none for ${who}`, async () => {
      const { catalog, requests } = await hub({
        ...(credentials && { credentials }),
        api: twoPages,
      });

      await pagesOf(catalog, 'acme/web');

      deepEqual(shownTo(requests, 'hub.docker.com'), [undefined]);
      equal(
        requests.some(({ method }) => method === 'POST'),
        false,
      );
    });
  }
});

describe('a login at Docker Hub’s API', () => {
  it('that is refused is warned of once, and the list is read without', async () => {
    const { catalog, requests, warned } = await hub({
      credentials: ROOT,
      api: (path) => (path === '/v2/auth/token' ? refusal(401, 'UNAUTHORIZED') : twoPages(path)),
    });

    for (let n = 0; n < 2; n += 1) equal((await pagesOf(catalog, 'acme/web')).length, 2);

    deepEqual(shownTo(requests, 'hub.docker.com'), [undefined]);
    deepEqual(warned, ["Docker Hub's API refuses the login | 401"]);
    equal(requests.filter(({ method }) => method === 'POST').length, 1);
  });

  it('is sent once, by many at the same time too, until a minute before its token expires', async () => {
    const known = await hub({
      credentials: ROOT,
      api: (path) => {
        const exp = (known.clock.now() + 3_600_000) / 1000;
        return path === '/v2/auth/token' ? json({ access_token: jwt({ exp }) }) : twoPages(path);
      },
    });
    const { catalog, requests, clock } = known;
    const logins = (): number => requests.filter(({ method }) => method === 'POST').length;

    const counts: number[] = [];
    for (const advance of [0, 3_539_999, 1]) {
      clock.advance(advance);
      await Promise.all(Array.from({ length: 4 }, () => pagesOf(catalog, 'acme/web')));
      counts.push(logins());
    }

    deepEqual(counts, [1, 1, 2]);
  });

  it('is sent once for all repositories', async () => {
    const { catalog, requests } = await hub({ credentials: ROOT, api: () => page([]) });

    for (const name of ['web', 'db', 'api']) await pagesOf(catalog, `acme/${name}`);

    equal(requests.filter(({ method }) => method === 'POST').length, 1);
  });
});

/** A Docker Hub whose logins give one token after the other, and which refuses some. */
async function loginsAt({
  lifeMs = 3_600_000,
  refuses = () => false,
}: {
  readonly lifeMs?: number;
  readonly refuses?: (token: string | undefined) => boolean;
}) {
  let logins = 0;
  const known: Awaited<ReturnType<typeof hub>> = await hub({
    credentials: ROOT,
    api: (path, { headers }) => {
      if (path === '/v2/auth/token') {
        logins += 1;
        const exp = Math.round((known.clock.now() + lifeMs) / 1000);
        return json({ access_token: jwt({ exp, logins }) });
      }
      return refuses(headers.authorization) ? refusal(401, 'UNAUTHORIZED') : twoPages(path);
    },
  });
  return { ...known, logins: () => logins };
}

describe('a token of Docker Hub’s API', () => {
  for (const [shown, lifeMs] of [
    ['has expired by our clock, which is ahead', -60_000],
    ['expires in half a minute', 30_000],
    ['expires in two minutes', 119_000],
  ] as const) {
    it(`that ${shown} is used for a minute`, async () => {
      const { catalog, clock, logins } = await loginsAt({ lifeMs });

      const counts: number[] = [];
      for (const advance of [0, 1, 59_998, 1]) {
        clock.advance(advance);
        for (let n = 0; n < 3; n += 1) await pagesOf(catalog, 'acme/web');
        counts.push(logins());
      }

      deepEqual(counts, [1, 1, 1, 2]);
    });
  }

  it('that is refused is renewed, and the page asked for again', async () => {
    const revoked = new Set<string | undefined>();
    const { catalog, logins, requests, warned } = await loginsAt({
      refuses: (token) => revoked.has(token),
    });
    await pagesOf(catalog, 'acme/web');
    for (const token of shownTo(requests, 'hub.docker.com')) revoked.add(token);

    for (let n = 0; n < 3; n += 1) equal((await pagesOf(catalog, 'acme/web')).length, 2);

    equal(logins(), 2);
    deepEqual(warned, []);
  });

  it('that is refused is renewed once for many at the same time', async () => {
    const revoked = new Set<string | undefined>();
    const { catalog, logins, requests } = await loginsAt({
      refuses: (token) => revoked.has(token),
    });
    await pagesOf(catalog, 'acme/web');
    for (const token of shownTo(requests, 'hub.docker.com')) revoked.add(token);

    await Promise.all(Array.from({ length: 4 }, () => pagesOf(catalog, 'acme/web')));

    equal(logins(), 2);
  });

  it('that is refused as its successor is fails the list', async () => {
    const { catalog, logins, api } = await loginsAt({ refuses: () => true });

    await rejects(pagesOf(catalog, 'acme/web'), { code: 'UNAUTHORIZED' });

    equal(logins(), 2);
    equal(api().filter((line) => line.startsWith('GET')).length, 2);
  });
});
