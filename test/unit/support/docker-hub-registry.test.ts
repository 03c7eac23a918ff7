import { deepEqual, equal, match } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { startDockerHub, type DockerHub } from '../../support/docker-hub/docker-hub.ts';
import type { DockerHubOptions } from '../../support/docker-hub/options.ts';
import { askHub, hubBearer, hubToken } from '../../support/docker-hub/requests.ts';
import { image, type BuiltImage } from '../../support/images.ts';
import { createStore, putImage } from '../../support/registry/store.ts';

const APP = image({ seed: 'app' });
const MANIFEST = '/v2/acme/app/manifests/1';
const ACCOUNTS = {
  acme: { password: 'pw', namespaces: ['acme', 'acme-labs'] },
  reader: { password: 'pat', namespaces: ['acme'], may: 'pull' },
} as const;

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

async function start(options: DockerHubOptions = {}): Promise<DockerHub> {
  const store = createStore();
  for (const name of ['acme/app', 'acme/secret', 'other/app']) putImage(store, name, '1', APP);
  const privateRepositories = new Set(['acme/secret']);
  const hub = await startDockerHub({ store, accounts: ACCOUNTS, privateRepositories, ...options });
  closers.push(() => hub.close());
  return hub;
}

function accessIn(authorization: string): unknown {
  const [, claims = ''] = authorization.split('.');
  return (JSON.parse(Buffer.from(claims, 'base64url').toString()) as { access: unknown }).access;
}

describe('the challenge', () => {
  it('names the real token server, no scope and no detail', async () => {
    const hub = await start({ names: 'real' });
    const answer = await askHub(hub, '/v2/');

    equal(answer.status, 401);
    equal(
      answer.headers.get('www-authenticate'),
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"',
    );
    deepEqual(await answer.json(), {
      errors: [{ code: 'UNAUTHORIZED', message: 'authentication required', detail: null }],
    });
  });

  it('names the local one where nothing leads from real names', async () => {
    const hub = await start();
    const challenge = (await askHub(hub, '/v2/')).headers.get('www-authenticate') ?? '';
    match(challenge, new RegExp(`realm="${hub.urls.auth.href}token"`));
  });
});

describe('tokens', () => {
  const cases: [scope: string, login: string | undefined, granted: string[]][] = [
    ['repository:acme/app:pull', undefined, ['pull']],
    ['repository:acme/app:pull,push', undefined, ['pull']],
    ['repository:acme/secret:pull', undefined, []],
    ['repository:acme/none:pull', undefined, []],
    ['repository:acme/secret:pull', 'acme:pw', ['pull']],
    ['repository:acme/none:pull,push', 'acme:pw', ['pull', 'push']],
    ['repository:acme-labs/new:pull,push', 'acme:pw', ['pull', 'push']],
    ['repository:acme/app:pull,push', 'reader:pat', ['pull']],
    ['repository:other/app:pull,push', 'acme:pw', ['pull']],
    ['repository:other/new:pull,push', 'acme:pw', []],
    ['repository:acme:pull,push', 'acme:pw', []],
    ['repository:acme/a/b:pull,push', 'acme:pw', []],
    ['registry:catalog:*', 'acme:pw', []],
  ];
  for (const [scope, login, granted] of cases) {
    it(`grant ${login ?? 'nobody'} of ${scope}: ${granted.join() || 'nothing'}`, async () => {
      const hub = await start();
      const access = accessIn(await hubBearer(hub, scope, login)) as { actions: string[] }[];
      deepEqual(
        access.flatMap(({ actions }) => actions),
        granted,
      );
    });
  }

  it('hold for 300 s, and tell the limit of pulls', async () => {
    let now = Date.UTC(2026, 0, 1);
    const hub = await start({ pullLimit: { anonymous: 100 }, now: () => now });
    const answer = (await (await hubToken(hub, 'repository:acme/app:pull')).json()) as {
      token: string;
      access_token: string;
      expires_in: number;
      issued_at: string;
    };
    const authorization = `Bearer ${answer.token}`;

    deepEqual(
      [answer.expires_in, answer.issued_at, answer.access_token],
      [300, '2026-01-01T00:00:00.000Z', answer.token],
    );
    deepEqual(accessIn(authorization), [
      {
        type: 'repository',
        name: 'acme/app',
        actions: ['pull'],
        parameters: { pull_limit: '100', pull_limit_interval: '21600' },
      },
    ]);
    equal((await askHub(hub, MANIFEST, { authorization })).status, 200);
    now += 300_000;
    equal((await askHub(hub, MANIFEST, { authorization })).status, 401);
  });

  it('are not had with a wrong password', async () => {
    const hub = await start();
    equal((await hubToken(hub, 'repository:acme/app:pull', 'acme:x')).status, 401);
  });
});

describe('what a push may do', () => {
  it('creates a repository in a namespace of the account, and nowhere else', async () => {
    const hub = await start();
    const status = async (name: string): Promise<number> => {
      const authorization = await hubBearer(hub, `repository:${name}:pull,push`, 'acme:pw');
      const path = `/v2/${name}/blobs/uploads/`;
      return (await askHub(hub, path, { method: 'POST', authorization })).status;
    };

    deepEqual(
      await Promise.all(['acme/new', 'acme-labs/new', 'other/new', 'acme', 'acme/a/b'].map(status)),
      [202, 202, 401, 401, 401],
    );
  });

  it('is told to go on at the real name', async () => {
    const hub = await start({ names: 'real' });
    const authorization = await hubBearer(hub, 'repository:acme/new:pull,push', 'acme:pw');
    const path = '/v2/acme/new/blobs/uploads/';
    const { headers } = await askHub(hub, path, { method: 'POST', authorization });
    match(headers.get('location') ?? '', /^https:\/\/registry-1\.docker\.io\/v2\/acme\/new\/blobs/);
  });

  it('mounts within a namespace, not from another one', async () => {
    const hub = await start();
    const status = async (from: string): Promise<number> => {
      const scope = `repository:acme/new:pull,push repository:${from}:pull`;
      const query = new URLSearchParams({ mount: APP.blobs[0]?.digest ?? '', from });
      return (
        await askHub(hub, `/v2/acme/new/blobs/uploads/?${query}`, {
          method: 'POST',
          authorization: await hubBearer(hub, scope, 'acme:pw'),
        })
      ).status;
    };

    equal(await status('other/app'), 202);
    equal(await status('acme/app'), 201);
  });
});

describe('what there is not', () => {
  it('is a catalog, or referrers', async () => {
    const hub = await start();
    const authorization = await hubBearer(hub, 'repository:acme/app:pull registry:catalog:*');

    const catalog = await askHub(hub, '/v2/_catalog', { authorization });
    const referrers = await askHub(hub, `/v2/acme/app/referrers/${APP.root.digest}`, {
      authorization,
    });

    equal(catalog.status, 401);
    match(catalog.headers.get('www-authenticate') ?? '', /error="insufficient_scope"$/);
    equal(referrers.status, 404);
  });
});

describe('blobs', () => {
  const blob = (of: BuiltImage): string => `/v2/acme/app/blobs/${of.blobs[0]?.digest}`;

  it('come from the CDN, whole or in part, but not with a password', async () => {
    const hub = await start();
    const authorization = await hubBearer(hub, 'repository:acme/app:pull');
    const answer = await askHub(hub, blob(APP), { authorization });
    const location = answer.headers.get('location') ?? '';

    equal(answer.status, 307);
    equal(new URL(location).origin, hub.urls.cdn.origin);
    equal((await fetch(location, { headers: { authorization } })).status, 400);
    const part = await fetch(location, { headers: { range: 'bytes=1-' } });
    equal(part.status, 206);
    deepEqual(Buffer.from(await part.arrayBuffer()), APP.blobs[0]?.bytes.subarray(1));
    equal(hub.requests.cdn.length, 2);
  });

  it('are redirected to the real name of the CDN', async () => {
    const hub = await start({ names: 'real' });
    const authorization = await hubBearer(hub, 'repository:acme/app:pull');
    const location =
      (await askHub(hub, blob(APP), { authorization })).headers.get('location') ?? '';
    equal(new URL(location).origin, 'https://production.cloudflare.docker.com');
  });
});

it('commits the faults of each origin', async () => {
  const hub = await start();
  const fault = (status: number) => [{ match: {}, effect: { status } }];
  hub.setFaults({ registry: fault(500), auth: fault(501), api: fault(502), cdn: fault(503) });

  const answers = await Promise.all(Object.values(hub.urls).map((url) => fetch(url)));

  deepEqual(
    answers.map(({ status }) => status),
    [500, 501, 502, 503],
  );
  deepEqual(
    Object.values(hub.requests).map(({ length }) => length),
    [1, 1, 1, 1],
  );
});
