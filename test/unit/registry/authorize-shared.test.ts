/** One token for all repositories, where a registry gives such, and one for each where it doesn't. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { distributionCatalog } from '../../../src/registry/catalog.ts';
import type { RegistryClient } from '../../../src/registry/client.ts';
import { identityToken, type Credentials } from '../../../src/registry/credentials.ts';
import { CATALOG, metadataOf, pullFrom, pushTo } from '../../../src/registry/permissions.ts';
import { profileOf } from '../../../src/registry/profile.ts';
import { ANONYMOUS, NEVER, password, tagsOf } from '../../support/client.ts';
import { collect } from '../../support/collect.ts';
import { json, jwt, knownClient, refusal, type Answering } from '../../support/known-client.ts';
import type { WireAnswer, WireRequest } from '../../support/wire.ts';

const REGISTRY = 'acme.azurecr.io';
const ALL = 'repository:*:metadata_read repository:*:pull';
const ROOT = password('root', 'secret');

interface AzureOptions {
  readonly credentials?: Credentials;
  readonly host?: string;
  /** Which tokens open which repository; all do unless given. */
  readonly lets?: (scopes: string, repository: string) => boolean;
  /** What refuses a token; «too narrow» unless given; empty: it does not say. */
  readonly because?: string;
  /** The answer of the token server; a token unless given. */
  readonly tokenFor?: (scopes: string) => WireAnswer | undefined;
}

interface Azure {
  readonly client: RegistryClient;
  /** `token SCOPES`, `REPOSITORY SCOPES` of the token that was shown, `REPOSITORY refused`. */
  readonly told: string[];
  /** Tokens that are good no more. */
  readonly expired: Set<string>;
  readonly tags: (...repositories: string[]) => Promise<unknown>;
}

/** A registry whose tokens are the scopes that they were asked for, with a number. */
async function azure(options: AzureOptions = {}): Promise<Azure> {
  const { lets = () => true, because = 'insufficient_scope', credentials = ROOT } = options;
  const told: string[] = [];
  const expired = new Set<string>();
  const realm = 'Bearer realm="https://acme.azurecr.io/oauth2/token",service="acme.azurecr.io"';
  let given = 0;

  function token(request: WireRequest): WireAnswer {
    const scopes = scopesOf(request);
    told.push(`token ${scopes}`);
    given += 1;
    return options.tokenFor?.(scopes) ?? json({ access_token: `${given}|${scopes}` });
  }

  function registry({ url, headers }: WireRequest): WireAnswer {
    if (url.pathname === '/v2/')
      return { ...refusal(401, 'UNAUTHORIZED'), headers: { 'www-authenticate': realm } };
    const [, repository = ''] = /^\/v2\/(.+)\/tags\/list$/.exec(url.pathname) ?? [];
    const shown = headers.authorization?.replace('Bearer ', '') ?? '';
    const scopes = shown.replace(/^\d+\|/, '');
    const error = expired.has(shown)
      ? 'invalid_token'
      : lets(scopes, repository)
        ? undefined
        : because;
    told.push(`${repository || url.pathname} ${error === undefined ? scopes : 'refused'}`);
    if (error === undefined) return json({ tags: ['1'], repositories: ['a'] });
    const reason = error === '' ? '' : `,error="${error}"`;
    const challenge = `${realm},scope="repository:${repository}:pull"${reason}`;
    return { ...refusal(401, 'UNAUTHORIZED'), headers: { 'www-authenticate': challenge } };
  }

  const answer: Answering = (request) =>
    request.url.pathname === '/oauth2/token' ? token(request) : registry(request);
  const { client } = await knownClient(options.host ?? REGISTRY, answer, {
    credentials,
    kind: options.host === undefined ? 'acr' : 'generic',
  });
  const tags = (...names: string[]): Promise<unknown> =>
    Promise.all(names.map((name) => tagsOf(client, name)));
  return { client, told, expired, tags };
}

function scopesOf({ url, body }: WireRequest): string {
  const query = url.searchParams.getAll('scope').join(' ');
  return query === '' ? (new URLSearchParams(body.toString()).get('scope') ?? '') : query;
}

const EIGHT = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const narrow = (name: string): string => `repository:${name}:pull`;
const isNarrow = (scopes: string): boolean => !scopes.includes('*');

function count(told: readonly string[], pattern: RegExp): number {
  return told.filter((line) => pattern.test(line)).length;
}

describe('a token for all repositories', () => {
  it('is asked for once, and opens each of them', async () => {
    const { tags, told } = await azure();

    await tags('a');
    await tags('b', 'team/c');

    deepEqual(told, [`token ${ALL}`, `a ${ALL}`, `b ${ALL}`, `team/c ${ALL}`]);
  });

  it('is asked for once by eight at the same time', async () => {
    const { tags, told } = await azure();

    await tags(...EIGHT);

    equal(count(told, /^token/), 1);
    equal(count(told, /\*:pull$/), 9);
  });

  it('is asked for with an identity too', async () => {
    const credentials = identityToken('', jwt({ exp: 4_000_000_000 }), 'the test');
    const { tags, told } = await azure({ credentials });

    await tags('a', 'b');

    deepEqual(told, [`token ${ALL}`, `a ${ALL}`, `b ${ALL}`]);
  });

  it('is not asked for where roles are granted per repository', async () => {
    const credentials = identityToken(
      '',
      jwt({ exp: 4_000_000_000, aad_identity: 'x' }),
      'the test',
    );
    const { tags, told } = await azure({ credentials });

    await tags('a', 'b');

    deepEqual(told.toSorted(), [
      `a ${narrow('a')}`,
      `b ${narrow('b')}`,
      `token ${narrow('a')}`,
      `token ${narrow('b')}`,
    ]);
  });

  it('is not asked for at other registries', async () => {
    const { tags, told } = await azure({ host: 'r.test', credentials: ANONYMOUS });

    await tags('a');

    equal(count(told, /\*/), 0);
  });

  it('is not asked for to write, nor for the catalog', async () => {
    const { client, told } = await azure();

    await collect(distributionCatalog(client).repositories(NEVER));

    deepEqual(told, ['token registry:catalog:*', '/v2/_catalog registry:catalog:*']);
    equal('shared' in pushTo('a'), false);
    equal(CATALOG.shared, undefined);
  });

  it('is the same for lists and for pulls, and none where the registry gives no such', () => {
    const known = { profile: profileOf(REGISTRY) };
    const others = { profile: profileOf('r.test') };

    deepEqual(pullFrom('a', known).shared, ALL.split(' '));
    equal(metadataOf('a', known).shared, pullFrom('b', known).shared);
    deepEqual(metadataOf('a', known).scopes, ['repository:a:metadata_read']);
    equal(pullFrom('a', others).shared, undefined);
  });
});

describe('a registry that finds a token for all too narrow', () => {
  it('is asked for one per repository from then on, after one request in vain', async () => {
    const { tags, told } = await azure({ lets: isNarrow });

    for (const name of ['a', 'b', 'a', 'c']) await tags(name);

    deepEqual(told, [
      `token ${ALL}`,
      'a refused',
      `token ${narrow('a')}`,
      `a ${narrow('a')}`,
      `token ${narrow('b')}`,
      `b ${narrow('b')}`,
      `a ${narrow('a')}`,
      `token ${narrow('c')}`,
      `c ${narrow('c')}`,
    ]);
  });

  it('lets eight at the same time in, each with a token of its own', async () => {
    const { tags, told } = await azure({ lets: isNarrow });

    await tags(...EIGHT);
    const before = told.length;
    await tags(...EIGHT, 'i');

    equal(count(told, /refused/), 8);
    equal(count(told.slice(0, before), /^token repository:[a-h]:pull$/), 8);
    equal(count(told, /^token.*\*/), 1);
    deepEqual(
      told.slice(before).filter((line) => line.startsWith('token')),
      [`token ${narrow('i')}`],
    );
  });

  const oneRefuses = { lets: (scopes: string, name: string) => name !== 'b' || isNarrow(scopes) };

  it('for one repository, is asked with the same for the others still', async () => {
    const { tags, told } = await azure(oneRefuses);

    for (const name of ['a', 'b', 'c', 'b']) await tags(name);

    deepEqual(
      told.filter((line) => !line.startsWith('token')),
      [`a ${ALL}`, 'b refused', `b ${narrow('b')}`, `c ${ALL}`, `b ${narrow('b')}`],
    );
  });

  it('for one of eight at the same time, is asked with the same for the others still', async () => {
    const { tags, told } = await azure(oneRefuses);

    await tags('a');
    await tags(...EIGHT);
    await tags('i');

    equal(count(told, /refused/), 1);
    equal(told.at(-1), `i ${ALL}`);
  });

  it('for one repository, need not make another for the others', async () => {
    const { tags, told } = await azure(oneRefuses);

    for (const name of ['a', 'b', 'c']) await tags(name);

    deepEqual(
      told.filter((line) => line.startsWith('token')),
      [`token ${ALL}`, `token ${narrow('b')}`],
    );
  });

  it('and finds the narrow one too narrow as well, refuses', async () => {
    const { tags, told } = await azure({ lets: () => false });

    await rejects(tags('a'), { code: 'UNAUTHORIZED', message: /used the test/ });

    equal(count(told, /^a refused/), 2);
  });
});

describe('a token server that refuses a token for all', () => {
  for (const [status, code] of [
    [400, 'DENIED'],
    [401, 'UNAUTHORIZED'],
    [403, 'DENIED'],
    [404, 'UNSUPPORTED'],
  ] as const) {
    it(`with ${status} is asked for one per repository from then on`, async () => {
      const tokenFor = (scopes: string): WireAnswer | undefined =>
        scopes.includes('*') ? refusal(status, code) : undefined;
      const { tags, told } = await azure({ tokenFor });

      for (const name of ['a', 'b']) await tags(name);

      equal(count(told, /^token.*\*/), 1);
      deepEqual(
        told.filter((line) => !line.startsWith('token')),
        [`a ${narrow('a')}`, `b ${narrow('b')}`],
      );
    });
  }

  it('because the login is wrong is not asked again', async () => {
    const { tags, told } = await azure({ tokenFor: () => refusal(401, 'UNAUTHORIZED') });

    await rejects(tags('a'), { code: 'UNAUTHORIZED', message: /token from acme\.azurecr\.io/ });
    const before = told.length;
    await rejects(tags('b'), { code: 'UNAUTHORIZED' });

    deepEqual(told, [`token ${ALL}`, 'token '].slice(0, before));
    equal(told.length, before);
  });

  it('because it is down is not asked for less', async () => {
    const { tags, told } = await azure({ tokenFor: () => ({ status: 503 }) });

    await rejects(tags('a'), { code: 'UNAVAILABLE' });

    deepEqual(told, [`token ${ALL}`]);
  });

  it('refuses what is not for all, too', async () => {
    const tokenFor = (): WireAnswer => refusal(400, 'DENIED');
    const { tags } = await azure({ tokenFor });

    await rejects(tags('a'), { code: 'REJECTED' });
  });
});

describe('a token for all that has expired', () => {
  it('is asked for again, as it was', async () => {
    const { tags, told, expired } = await azure();
    await tags('a');
    expired.add(`1|${ALL}`);

    await tags('b');
    await tags('c');

    deepEqual(told.slice(2), ['b refused', `token ${ALL}`, `b ${ALL}`, `c ${ALL}`]);
  });

  it('at its first use can not be told from one that is too narrow', async () => {
    const { tags, told, expired } = await azure();
    expired.add(`1|${ALL}`);

    await tags('a');
    await tags('b');

    deepEqual(told, [
      `token ${ALL}`,
      'a refused',
      `token ${narrow('a')}`,
      `a ${narrow('a')}`,
      `token ${narrow('b')}`,
      `b ${narrow('b')}`,
    ]);
  });

  it('is asked for again once by eight at the same time', async () => {
    const { tags, told, expired } = await azure();
    await tags('a');
    expired.add(`1|${ALL}`);

    await tags(...EIGHT);

    ok(count(told, /refused/) <= 8);
    equal(count(told, /^token/), 2);
  });
});

describe('a registry that finds a token for all too narrow and does not say so', () => {
  for (const because of ['', 'invalid_token', 'access_denied']) {
    const shown = because === '' ? 'nothing' : because;

    it(`is asked for one per repository from then on: it says ${shown}`, async () => {
      const { tags, told } = await azure({ lets: isNarrow, because });

      for (const name of ['a', 'b', 'a']) await tags(name);

      deepEqual(told, [
        `token ${ALL}`,
        'a refused',
        `token ${narrow('a')}`,
        `a ${narrow('a')}`,
        `token ${narrow('b')}`,
        `b ${narrow('b')}`,
        `a ${narrow('a')}`,
      ]);
    });

    it(`lets eight at the same time in: it says ${shown}`, async () => {
      const { tags, told } = await azure({ lets: isNarrow, because });

      await tags(...EIGHT);

      equal(count(told, /refused/), 8);
      equal(count(told, /^token.*\*/), 1);
    });
  }

  it('after one has let us in elsewhere, is asked with a new one of the same', async () => {
    const lets = (scopes: string, name: string): boolean => name !== 'b' || isNarrow(scopes);
    const { tags, told } = await azure({ lets, because: 'invalid_token' });
    await tags('a');

    await rejects(tags('b'), { code: 'UNAUTHORIZED' });
    await tags('c');

    deepEqual(told.slice(2), ['b refused', `token ${ALL}`, 'b refused', `c ${ALL}`]);
  });
});
