import { deepEqual, equal, match } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { startDockerHub, type DockerHub } from '../../support/docker-hub/docker-hub.ts';
import type { DockerHubOptions } from '../../support/docker-hub/options.ts';
import { image, index } from '../../support/images.ts';
import { createStore, putImage, type Store } from '../../support/registry/store.ts';

const APP = image({ seed: 'app' });
const ARM = image({ seed: 'arm', platform: { os: 'linux', architecture: 'arm', variant: 'v7' } });
const MULTI = index([
  { image: APP, platform: { os: 'linux', architecture: 'amd64' } },
  { image: ARM, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } },
]);
const TAGS = '/v2/namespaces/acme/repositories/app/tags';

const REPOSITORY_MEMBERS = `
  name namespace repository_type status status_description description
  is_private star_count pull_count last_updated last_modified date_registered
  affiliation media_types content_types categories storage_size
`;
const TAG_MEMBERS = `
  creator id images last_updated last_updater last_updater_username
  name repository full_size v2 tag_status tag_last_pulled
  tag_last_pushed content_type media_type digest
`;

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

async function start(options: DockerHubOptions = {}): Promise<DockerHub> {
  const accounts = { acme: { password: 'pat' }, other: { password: 'x' } };
  const hub = await startDockerHub({ store: seeded(), accounts, ...options });
  closers.push(() => hub.close());
  return hub;
}

function seeded(): Store {
  const store = createStore();
  putImage(store, 'acme/app', 'one', APP);
  putImage(store, 'acme/app', 'multi', MULTI);
  putImage(store, 'acme/secret', '1', APP);
  putImage(store, 'library/app', '1', APP);
  return store;
}

function ask(hub: DockerHub, path: string, token?: string): Promise<Response> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return fetch(new URL(path, hub.urls.api), { headers });
}

function post(hub: DockerHub, path: string, body: object | string): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const headers = { 'content-type': 'application/json' };
  return fetch(new URL(path, hub.urls.api), { method: 'POST', headers, body: text });
}

async function logIn(hub: DockerHub): Promise<string> {
  const answer = await post(hub, '/v2/auth/token', { identifier: 'acme', secret: 'pat' });
  return ((await answer.json()) as { access_token: string }).access_token;
}

interface Page {
  readonly count: number;
  readonly next: string | null;
  readonly previous: string | null;
  readonly results: readonly Record<string, unknown>[];
}

async function page(answer: Response | Promise<Response>): Promise<Page> {
  return (await (await answer).json()) as Page;
}

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

function names({ results }: Page): unknown[] {
  return results.map(({ name }) => name);
}

describe('logins', () => {
  it('give a token in the new way and in the old one', async () => {
    const hub = await start();
    const old = await post(hub, '/v2/users/login', { username: 'acme', password: 'pat' });
    const tokens = [await logIn(hub), ((await old.json()) as { token: string }).token];

    for (const token of tokens) {
      match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
      equal((await ask(hub, '/v2/namespaces/acme/repositories', token)).status, 200);
    }
  });

  const refused: [path: string, body: object | string, status: number][] = [
    ['/v2/auth/token', { identifier: 'acme', secret: 'x' }, 401],
    ['/v2/auth/token', { username: 'acme', password: 'pat' }, 400],
    ['/v2/auth/token', 'no JSON', 400],
    ['/v2/users/login/', { username: 'nobody', password: 'pat' }, 401],
  ];
  for (const [path, body, status] of refused) {
    it(`${path} refuses ${JSON.stringify(body)} with ${status}`, async () => {
      equal((await post(await start(), path, body)).status, status);
    });
  }

  it('don’t hold for ever, and a wrong one is worse than none', async () => {
    let now = 0;
    const hub = await start({ now: () => now });
    const token = await logIn(hub);
    now += 600_000;
    equal((await ask(hub, TAGS, token)).status, 401);
    equal((await ask(hub, TAGS)).status, 200);
  });
});

describe('repositories', () => {
  it('have all members, newest first; private ones for their own', async () => {
    const hub = await start({ privateRepositories: new Set(['acme/secret']) });
    const path = '/v2/namespaces/acme/repositories';
    const open = await page(ask(hub, path));
    const all = await page(ask(hub, path, await logIn(hub)));

    deepEqual([open.count, open.next, open.previous, names(open)], [1, null, null, ['app']]);
    deepEqual(names(all), ['app', 'secret']);
    const [app] = open.results;
    deepEqual(Object.keys(app ?? {}), words(REPOSITORY_MEMBERS));
    deepEqual(
      [app?.['namespace'], app?.['is_private'], app?.['last_updated']],
      ['acme', false, '2024-01-01T00:01:00.000000Z'],
    );
  });

  const statuses: [path: string, status: number][] = [
    ['/v2/repositories/acme/', 200],
    ['/v2/repositories/acme/app/', 200],
    ['/v2/repositories/acme/app/tags/one', 200],
    ['/v2/namespaces/other/repositories', 200],
    ['/v2/namespaces/nobody/repositories', 404],
    ['/v2/namespaces/acme/repositories/none', 404],
    ['/v2/namespaces/acme/repositories/secret/tags', 404],
    ['/v2/namespaces/acme/repositories/app/tags/none', 404],
    ['/v2/_catalog', 404],
  ];
  for (const [path, status] of statuses) {
    it(`${path} is ${status}`, async () => {
      const hub = await start({ privateRepositories: new Set(['acme/secret']) });
      equal((await ask(hub, path)).status, status);
    });
  }
});

describe('tags', () => {
  it('have all members, with the digest of the root', async () => {
    const hub = await start();
    const { count, results } = await page(ask(hub, TAGS));
    const [multi, one] = results;

    deepEqual([count, multi?.['name'], one?.['name']], [2, 'multi', 'one']);
    deepEqual(
      [multi?.['digest'], multi?.['media_type'], one?.['digest']],
      [MULTI.root.digest, MULTI.root.mediaType, APP.root.digest],
    );
    deepEqual(Object.keys(one ?? {}), words(TAG_MEMBERS));
    const images = multi?.['images'] as Record<string, unknown>[];
    deepEqual(
      images.map(({ architecture, variant, digest }) => [architecture, variant, digest]),
      [
        ['amd64', null, APP.root.digest],
        ['arm', 'v7', ARM.root.digest],
      ],
    );
    const [single] = (one?.['images'] ?? []) as Record<string, unknown>[];
    deepEqual([single?.['architecture'], single?.['os']], ['amd64', 'linux']);
  });

  it('come newest push first', async () => {
    const hub = await start();
    hub.pushedAt.set('acme/app:one', Date.UTC(2025, 0, 1));
    deepEqual(names(await page(ask(hub, TAGS))), ['one', 'multi']);
  });
});

describe('pages of tags', () => {
  it('have at most 100, and absolute links', async () => {
    const hub = await start();
    for (let at = 0; at < 103; at++) putImage(hub.store, 'acme/many', `t${at}`, APP);
    const path = '/v2/namespaces/acme/repositories/many/tags';

    equal((await page(ask(hub, path))).results.length, 10);
    const first = await page(ask(hub, `${path}?page_size=1000`));
    const second = await page(fetch(first.next ?? ''));

    equal(first.next, new URL(`${path}?page=2&page_size=100`, hub.urls.api).href);
    deepEqual([first.results.length, first.previous], [100, null]);
    deepEqual(names(second), ['t2', 't1', 't0']);
    deepEqual(
      [second.next, second.previous],
      [null, new URL(`${path}?page=1&page_size=100`, hub.urls.api).href],
    );
    equal((await ask(hub, `${path}?page=3&page_size=100`)).status, 404);
  });

  it('link to the real name', async () => {
    const hub = await start({ names: 'real' });
    const { next } = await page(ask(hub, `${TAGS}?page_size=1`));
    equal(next, `https://hub.docker.com${TAGS}?page=2&page_size=1`);
  });
});

describe('tags in the API', () => {
  it('may be old, or behind the registry', async () => {
    const stale = `sha256:${'0'.repeat(64)}`;
    const hub = await start({
      oldTags: new Set(['acme/app:one']),
      apiLagging: new Map([['acme/app:multi', stale]]),
    });
    const [multi = {}, one = {}] = (await page(ask(hub, TAGS))).results;

    deepEqual(['digest' in one, 'media_type' in one, multi['digest']], [false, false, stale]);
  });

  it('are outside the limit of pulls', async () => {
    const hub = await start({ pullLimit: { anonymous: 1 } });
    await ask(hub, TAGS);
    equal(hub.pulls.count(), 0);
  });
});

describe('the limit of the API', () => {
  for (const [wait, expected] of [
    ['X-Retry-After', '1060'],
    ['Retry-After', '60'],
  ] as const) {
    it(`is said in headers, and when it ends by ${wait}`, async () => {
      const now = (): number => 1_000_000;
      const hub = await start({ apiRateLimit: { requests: 1, wait }, now });
      const [fine, refused] = [await ask(hub, TAGS), await ask(hub, TAGS)];
      const headersOf = ({ headers }: Response): (string | null)[] =>
        ['limit', 'remaining', 'reset'].map((name) => headers.get(`x-ratelimit-${name}`));

      deepEqual([fine.status, headersOf(fine)], [200, ['1', '0', '1060']]);
      deepEqual([refused.status, headersOf(refused)], [429, ['1', '0', '1060']]);
      equal(refused.headers.get(wait), expected);
    });
  }
});
