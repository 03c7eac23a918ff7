/** Azure's own SDK over our client: what really goes over the wire, and what becomes of the answers. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { azureCatalog } from '../../../src/azure/catalog.ts';
import { RegistrySyncError } from '../../../src/base/errors.ts';
import { digestOf } from '../../../src/image/digest.ts';
import type { Catalog, TagInfo } from '../../../src/registry/catalog.ts';
import { NEVER } from '../../support/client.ts';
import { collect } from '../../support/collect.ts';
import {
  asked,
  json,
  knownClient,
  pagesOf,
  refusal,
  type KnownClient,
} from '../../support/known-client.ts';
import type { WireAnswer, WireRequest } from '../../support/wire.ts';

const D = digestOf(Buffer.from('d'));
const TIME = '2023-03-07T02:03:10.9030722Z';
const LIST = '/acr/v1/team%2Fweb/_tags';

/** A tag as the registry writes it. */
const entry = (name: string, attributes: object = {}): object => ({
  name,
  digest: D,
  createdTime: TIME,
  lastUpdateTime: '2024-03-07T02:03:10.1234567Z',
  signed: false,
  changeableAttributes: {
    deleteEnabled: true,
    writeEnabled: true,
    readEnabled: true,
    listEnabled: true,
    ...attributes,
  },
});

function tagsPage(names: readonly string[], next?: string): WireAnswer {
  const tags = names.map((name) => entry(name));
  return listing({ tags }, next);
}

function listing(body: object, next?: string): WireAnswer {
  const link = next === undefined ? {} : { link: `<${next}>; rel="next"` };
  return json({ registry: 'acme.azurecr.io', imageName: 'team/web', ...body }, link);
}

type Answers = (pathAndQuery: string, request: WireRequest) => WireAnswer | Error | undefined;

async function azure(answer: Answers, times = 0): Promise<KnownClient & { catalog: Catalog }> {
  const known = await knownClient(
    'acme.azurecr.io',
    (request) => {
      const { pathname, search } = request.url;
      if (pathname === '/v2/') return undefined;
      const said = answer(pathname + search, request);
      if (said instanceof Error) throw said;
      return said;
    },
    { times },
  );
  return { ...known, catalog: azureCatalog(known.client) };
}

/** Answers one after the other, whatever is asked. */
function inTurn(...answers: (WireAnswer | Error)[]): Answers {
  return () => answers.shift();
}

const tagsOf = (catalog: Catalog): Promise<TagInfo[]> => collect(catalog.tags('team/web', NEVER));
const namesOf = async (catalog: Catalog): Promise<string[]> =>
  (await tagsOf(catalog)).map(({ name }) => name);
const down = (reason: string): Error =>
  new RegistrySyncError('UNAVAILABLE', reason, { details: { reason } });

describe('the tags of an Azure registry', () => {
  it('are listed with digests and dates, a thousand per request', async () => {
    const { catalog, requests } = await azure(inTurn(tagsPage(['1'])));

    deepEqual(await tagsOf(catalog), [
      { name: '1', digest: D, createdOn: TIME, lastUpdatedOn: '2024-03-07T02:03:10.1234567Z' },
    ]);
    deepEqual(asked(requests), [`GET ${LIST}?n=1000&api-version=2021-07-01`]);
    equal(requests[0]?.headers.accept, 'application/json');
  });

  it('are listed page by page, as the registry leads', async () => {
    const { catalog, requests } = await azure(
      inTurn(
        tagsPage(['a'], '/acr/v1/team/web/_tags?last=a&n=1000&orderby='),
        tagsPage(['b'], '/acr/v1/team/web/_tags?last=b&n=1000&orderby='),
        tagsPage(['c']),
      ),
    );

    deepEqual(await namesOf(catalog), ['a', 'b', 'c']);
    deepEqual(
      requests
        .slice(1)
        .map(({ url }) => [url.pathname, url.searchParams.get('last'), url.searchParams.get('n')]),
      [
        ['/acr/v1/team/web/_tags', 'a', '1000'],
        ['/acr/v1/team/web/_tags', 'b', '1000'],
      ],
    );
  });

  it('are pages for who asks for digests', async () => {
    const { catalog } = await azure(
      inTurn(tagsPage(['a'], '/acr/v1/team/web/_tags?last=a'), tagsPage(['b'])),
    );

    deepEqual(
      (await pagesOf(catalog, 'team/web')).map(({ tags, total }) => [tags.length, total]),
      [
        [1, undefined],
        [1, undefined],
      ],
    );
  });
});

describe('a list of tags', () => {
  for (const tags of [null, []]) {
    it(`may be none: ${JSON.stringify(tags)}`, async () => {
      const { catalog } = await azure(inTurn(listing({ tags })));

      deepEqual(await tagsOf(catalog), []);
    });
  }

  it('may lack all but their names', async () => {
    const { catalog } = await azure(
      inTurn(
        listing({ tags: [{ name: 'x', digest: 'no', changeableAttributes: null }, { digest: D }] }),
      ),
    );

    deepEqual(await tagsOf(catalog), [
      { name: 'x', digest: undefined, createdOn: undefined, lastUpdatedOn: undefined },
    ]);
  });

  it('are locked where they may not be read, and not where they may not be written', async () => {
    const tags = [
      entry('a', { readEnabled: false }),
      entry('b', { writeEnabled: false, deleteEnabled: false }),
    ];
    const { catalog } = await azure(inTurn(listing({ tags })));

    deepEqual(
      (await tagsOf(catalog)).map(({ locked }) => locked),
      ['its readEnabled is false', undefined],
    );
  });

  const plainElse =
    (status: number): Answers =>
    (path) =>
      path.startsWith('/v2/team/web/tags/list') ? json({ tags: ['plain'] }) : refusal(status, 'X');

  it('are those of the plain list where there is no other', async () => {
    const { catalog } = await azure(plainElse(404));

    deepEqual(await tagsOf(catalog), [{ name: 'plain' }]);
  });

  for (const status of [401, 403] as const) {
    it(`that are denied are not asked for in another way: ${status}`, async () => {
      const { catalog, requests } = await azure(plainElse(status));

      await rejects(tagsOf(catalog), { code: 'UNAUTHORIZED' });
      ok(requests.every(({ url }) => !url.pathname.startsWith('/v2/')));
    });
  }
});

describe('a page that an Azure registry can’t make', () => {
  for (const [shown, failure] of [
    ['502', { status: 502 }],
    ['504', { status: 504 }],
    ['408', { status: 408 }],
    ['a timeout', down('UND_ERR_HEADERS_TIMEOUT')],
  ] as const) {
    it(`is asked for with half the items, at once: ${shown}`, async () => {
      const { catalog, requests, clock } = await azure(
        inTurn(failure, failure, tagsPage(['a'])),
        5,
      );

      deepEqual(await namesOf(catalog), ['a']);
      deepEqual(
        requests.map(({ url }) => url.searchParams.get('n')),
        ['1000', '500', '250'],
      );
      deepEqual(clock.slept, []);
    });
  }

  it('goes on from where the list was, with as many items as went well', async () => {
    const { catalog, requests } = await azure(
      inTurn(
        tagsPage(['a/b'], '/acr/v1/team/web/_tags?last=a%2Fb%26c&n=1000&orderby='),
        { status: 502 },
        tagsPage(['b'], '/acr/v1/team/web/_tags?last=b&n=500&orderby='),
        tagsPage(['c']),
      ),
    );

    await tagsOf(catalog).catch(() => {});

    deepEqual(
      requests.map(({ url }) => ['last', 'n', 'orderby'].map((name) => url.searchParams.get(name))),
      [
        [null, '1000', null],
        ['a/b&c', '1000', ''],
        ['a/b&c', '500', ''],
        ['b', '500', ''],
      ],
    );
  });

  it('of the least items is asked for as often as anything, and then fails', async () => {
    const { catalog, requests } = await azure(() => ({ status: 502 }), 2);

    await rejects(tagsOf(catalog), { code: 'UNAVAILABLE' });

    deepEqual(
      requests.map(({ url }) => url.searchParams.get('n')),
      ['1000', '500', '250', '125', '62', '31', '15', '7', '5', '5', '5'],
    );
  });
});

describe('the size of an Azure registry’s pages', () => {
  it('makes the pages of other lists of tags smaller too, and none of the catalog', async () => {
    const { catalog, requests } = await azure((path) =>
      path.includes('_tags?n=1000') ? { status: 502 } : listing({ tags: [], repositories: [] }),
    );

    await tagsOf(catalog);
    await tagsOf(catalog);
    await collect(catalog.repositories(NEVER));

    deepEqual(
      requests.map(({ url }) => url.searchParams.get('n')),
      ['1000', '500', '500', '1000'],
    );
  });

  it('of the catalog makes no page of tags smaller', async () => {
    const { catalog, requests } = await azure((path) =>
      path.includes('_catalog?n=1000') ? { status: 502 } : listing({ tags: [], repositories: [] }),
    );

    await collect(catalog.repositories(NEVER));
    await tagsOf(catalog);

    deepEqual(
      requests.map(({ url }) => url.searchParams.get('n')),
      ['1000', '500', '1000'],
    );
  });
});

describe('what is no matter of the page', () => {
  for (const [shown, failure] of [
    ['too many requests', { status: 429, headers: { 'retry-after': '2' } }],
    ['too many requests, without a time', refusal(429, 'TOOMANYREQUESTS')],
    ['a broken connection', down('ECONNRESET')],
    ['a failure of the registry', { status: 500 }],
    ['a busy registry', { status: 503 }],
  ] as const) {
    it(`is repeated as anything else, with as many items: ${shown}`, async () => {
      const { catalog, requests } = await azure(
        inTurn(failure, failure, failure, tagsPage(['a'])),
        2,
      );

      deepEqual(await namesOf(catalog), ['a']);
      ok(requests.every(({ url }) => url.searchParams.get('n') === '1000'));
      equal(requests.length, 4);
    });
  }

  it('is not repeated where the registry wants to be left alone for long', async () => {
    const { catalog, requests } = await azure(
      () => ({ status: 429, headers: { 'retry-after': '3600' } }),
      2,
    );

    await rejects(tagsOf(catalog), { code: 'RATE_LIMITED', message: /come back in 60 minutes/ });
    equal(requests.length, 1);
  });
});

describe('an answer of an Azure registry', () => {
  for (const body of ['<html>', '', '[1]']) {
    it(`that is no JSON is a breach of the protocol: «${body}»`, async () => {
      const headers = { 'content-type': 'application/json' };
      const { catalog } = await azure(() => ({ status: 200, headers, body }));

      await rejects(tagsOf(catalog), {
        code: 'PROTOCOL',
        message: /tags of acme\.azurecr\.io\/team\/web/,
      });
    });
  }

  it('without a type is read as JSON', async () => {
    const { catalog } = await azure(() => ({
      status: 200,
      body: JSON.stringify({ tags: [entry('a')] }),
    }));

    deepEqual(await namesOf(catalog), ['a']);
  });

  for (const next of [
    'https://evil.test/acr/v1/x/_tags?last=a',
    '//evil.test/x',
    'http://evil.test/',
  ]) {
    it(`that links to another place is not followed: ${next}`, async () => {
      const { catalog, requests } = await azure(inTurn(tagsPage(['a'], next), tagsPage(['b'])));

      await rejects(tagsOf(catalog), { code: 'PROTOCOL' });
      equal(requests.length, 1);
    });
  }

  for (const next of [
    'https://acme.azurecr.io//169.254.169.254/acr/v1/x?last=a',
    '/\\169.254.169.254/acr/v1/x?last=a',
    '//acme.azurecr.io//169.254.169.254/acr/v1/x?last=a',
  ]) {
    it(`whose path looks like a host is asked of the registry: ${next}`, async () => {
      const { catalog, requests } = await azure(inTurn(tagsPage(['a'], next), tagsPage(['b'])));

      await tagsOf(catalog).catch(() => {});

      ok(requests.every(({ url }) => url.host === 'acme.azurecr.io'));
    });
  }

  it('that leads in a circle is not followed', async () => {
    let pages = 0;
    const { catalog } = await azure(() => {
      pages += 1;
      return tagsPage([`v${pages}`], '/acr/v1/team/web/_tags?last=a');
    });

    await rejects(tagsOf(catalog), { code: 'PROTOCOL', message: /loop/ });
    equal(pages, 2);
  });

  it('that we did not wait for is not replaced by another list', async () => {
    const stop = new AbortController();
    const { catalog } = await azure(() => {
      stop.abort();
      return new RegistrySyncError('CANCELLED', 'stopped');
    });

    await rejects(collect(catalog.tags('team/web', stop.signal)), { code: 'CANCELLED' });
  });
});

/** An answer with a new link each time. */
function endless(path: string, page: (number: number) => object): Answers {
  let pages = 0;
  return () => {
    pages += 1;
    return listing(page(pages), `${path}?last=${pages}&n=1000&orderby=`);
  };
}

describe('a list of an Azure registry that has no end', () => {
  const TAGS = '/acr/v1/team/web/_tags';
  const CATALOG = '/acr/v1/_catalog';
  const gone = { code: 'PROTOCOL', message: /the pages of the list do not advance$/ };

  it('is given up at the first page of tags that was there before', async () => {
    const { catalog, requests } = await azure(endless(TAGS, () => ({ tags: [entry('v1')] })));

    await rejects(tagsOf(catalog), gone);
    equal(requests.length, 2);
  });

  it('is given up after a hundred pages without a tag', async () => {
    const { catalog, requests } = await azure(endless(TAGS, () => ({ tags: [] })));

    await rejects(tagsOf(catalog), gone);
    equal(requests.length, 101);
  });

  it('is given up at the first page of repositories that was there before', async () => {
    const page = (number: number): object => ({ repositories: [number === 1 ? 'a' : 'b'] });
    const { catalog, requests } = await azure(endless(CATALOG, page));

    await rejects(collect(catalog.repositories(NEVER)), gone);
    equal(requests.length, 3);
  });

  it('is given up after a hundred pages without a repository', async () => {
    const { catalog, requests } = await azure(endless(CATALOG, () => ({ repositories: [] })));

    await rejects(collect(catalog.repositories(NEVER)), gone);
    equal(requests.length, 101);
  });
});
