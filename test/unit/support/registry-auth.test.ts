import { deepEqual, equal, match } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { image } from '../../support/images.ts';
import { startTokenServer } from '../../support/registry/auth.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../support/registry/registry.ts';
import { putImage } from '../../support/registry/store.ts';

const USERS = {
  root: { password: 'secret' },
  reader: { password: 'pw', may: ['repository:public/*:pull'] },
};
const ROOT = `Basic ${Buffer.from('root:secret').toString('base64')}`;
const READER = `Basic ${Buffer.from('reader:pw').toString('base64')}`;
const LIST = '/v2/public/a/tags/list';

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

async function start(options: RegistryOptions): Promise<Registry> {
  const registry = await startRegistry(options);
  putImage(registry.store, 'public/a', '1', image());
  putImage(registry.store, 'private/a', '1', image());
  closers.push(() => registry.close());
  return registry;
}

function ask(
  registry: Registry,
  path: string,
  authorization?: string,
  method = 'GET',
): Promise<Response> {
  const headers = authorization === undefined ? {} : { authorization };
  return fetch(new URL(path, registry.url), { method, headers });
}

/** The challenge that an answer ends in, without its realm. */
function challengeOf(response: Response): string {
  const header = response.headers.get('www-authenticate') ?? '';
  return header.replace(/realm="[^"]*",/, '');
}

/** An access token, as a header, from whatever realm the registry names. */
async function bearer(registry: Registry, scope: string, authorization?: string): Promise<string> {
  const challenge = (await ask(registry, '/v2/')).headers.get('www-authenticate') ?? '';
  const realm = new URL(/realm="([^"]*)"/.exec(challenge)?.[1] ?? '');
  realm.search = new URLSearchParams({ service: 'registry.test', scope }).toString();
  const headers = authorization === undefined ? {} : { authorization };
  const { token } = (await (await fetch(realm, { headers })).json()) as { token: string };
  return `Bearer ${token}`;
}

/** A POST for a token. */
function form(fields: Record<string, string>): RequestInit {
  const asked = { service: 'registry.test', scope: 'repository:public/a:pull' };
  return { method: 'POST', body: new URLSearchParams({ ...asked, ...fields }) };
}

describe('Basic', () => {
  it('lets in who may, and says what is wrong with the others', async () => {
    const registry = await start({ auth: { scheme: 'basic', users: USERS } });

    equal((await ask(registry, LIST, ROOT)).status, 200);
    equal((await ask(registry, LIST, READER)).status, 200);
    equal((await ask(registry, '/v2/private/a/tags/list', READER)).status, 403);
    const refused = await ask(registry, LIST);
    deepEqual([refused.status, challengeOf(refused)], [401, 'Basic realm="registry.test"']);
    equal((await ask(registry, LIST, 'Basic eDp5')).status, 401);
  });
});

describe('Bearer', () => {
  it('challenges for what the request needs', async () => {
    const registry = await start({ auth: { scheme: 'bearer', users: USERS } });
    const challenge = async (path: string, method = 'GET'): Promise<string> =>
      challengeOf(await ask(registry, path, undefined, method));
    const service = 'Bearer service="registry.test"';

    equal(await challenge('/v2/'), service);
    equal(await challenge('/v2/_catalog'), `${service},scope="registry:catalog:*"`);
    equal(await challenge(LIST), `${service},scope="repository:public/a:pull"`);
    equal(
      await challenge('/v2/b/blobs/uploads/?mount=sha256:0&from=public/a', 'POST'),
      `${service},scope="repository:b:pull,push repository:public/a:pull"`,
    );
  });

  it('grants what is both asked for and allowed', async () => {
    const registry = await start({ auth: { scheme: 'bearer', users: USERS } });
    const token = await bearer(
      registry,
      'repository:public/a:pull,push repository:private/a:pull',
      READER,
    );

    equal((await ask(registry, LIST, token)).status, 200);
    const refused = await ask(registry, '/v2/private/a/tags/list', token);
    match(challengeOf(refused), /scope="repository:private\/a:pull",error="insufficient_scope"$/);
    const [request] = registry.tokenRequests;
    deepEqual(
      [request?.authorization, request?.user, request?.granted],
      [READER, 'reader', ['repository:public/a:pull']],
    );
  });

  it('lets tokens expire', async () => {
    let now = 0;
    const registry = await start({
      auth: { scheme: 'bearer', users: USERS, expiresInSeconds: 10, now: () => now },
    });
    const token = await bearer(registry, 'repository:public/a:pull', ROOT);

    equal((await ask(registry, LIST, token)).status, 200);
    now = 10_000;
    match(challengeOf(await ask(registry, LIST, token)), /error="invalid_token"$/);
  });

  it('gives strangers what it gives to all, if anything', async () => {
    const anonymous = ['repository:public/*:pull'];
    const open = await start({ auth: { scheme: 'bearer', users: USERS, anonymous } });
    const closed = await start({ auth: { scheme: 'bearer', users: USERS } });
    const token = await bearer(open, 'repository:public/a:pull,push');

    equal((await ask(open, LIST, token)).status, 200);
    equal((await ask(closed, '/token')).status, 401);
  });

  it('can deny the catalog to everybody', async () => {
    const registry = await start({ catalog: 'denied', auth: { scheme: 'bearer', users: USERS } });
    const token = await bearer(registry, 'registry:catalog:*', ROOT);

    const refused = await ask(registry, '/v2/_catalog', token);

    match(challengeOf(refused), /scope="registry:catalog:\*",error="insufficient_scope"$/);
  });
});

describe('a token server of its own', () => {
  it('serves registries, by GET and by POST', async () => {
    const server = await startTokenServer({ users: USERS, identityTokens: { known: 'root' } });
    closers.push(() => server.close());
    const registry = await start({ auth: { scheme: 'bearer', server } });
    const password = form({
      grant_type: 'password',
      username: 'reader',
      password: 'pw',
      access_type: 'offline',
    });

    const first = (await (await fetch(server.url, password)).json()) as Record<string, string>;
    const refresh = form({ grant_type: 'refresh_token', refresh_token: first.refresh_token ?? '' });
    const second = (await (await fetch(server.url, refresh)).json()) as Record<string, string>;

    equal((await ask(registry, LIST, `Bearer ${first.access_token}`)).status, 200);
    equal((await ask(registry, LIST, `Bearer ${second.token}`)).status, 200);
    equal(
      (await ask(registry, LIST, await bearer(registry, 'repository:public/a:pull', ROOT))).status,
      200,
    );
    const known = form({ grant_type: 'refresh_token', refresh_token: 'known' });
    equal((await fetch(server.url, known)).status, 200);
    equal(
      (await fetch(server.url, form({ grant_type: 'refresh_token', refresh_token: 'x' }))).status,
      401,
    );
    deepEqual(
      registry.tokenRequests.map(({ user }) => user),
      ['reader', 'reader', 'root', 'root', undefined],
    );
  });

  it('can be of the terse kind', async () => {
    const server = await startTokenServer({
      users: USERS,
      expiresInSeconds: 'absent',
      field: 'access_token',
      format: 'jwt',
      refusePost: 405,
    });
    closers.push(() => server.close());

    const answer = (await (
      await fetch(server.url, { headers: { authorization: ROOT } })
    ).json()) as object;

    deepEqual(Object.keys(answer), ['access_token', 'issued_at']);
    equal((await fetch(server.url, form({ grant_type: 'password' }))).status, 405);
  });

  it('gives no token that holds elsewhere', async () => {
    const server = await startTokenServer({ users: USERS });
    closers.push(() => server.close());
    const registry = await start({ auth: { scheme: 'bearer', server, service: 'other.test' } });

    const token = await bearer(registry, 'repository:public/a:pull', ROOT);

    match(challengeOf(await ask(registry, LIST, token)), /error="invalid_token"$/);
  });
});
