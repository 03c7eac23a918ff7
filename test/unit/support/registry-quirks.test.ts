import { deepEqual, equal, match } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { image } from '../../support/images.ts';
import { quirksOf, type Circumstances, type RegistryKind } from '../../support/registry/quirks.ts';
import { startRegistry, type Registry } from '../../support/registry/registry.ts';
import { ask, locationOf, pushImage, putManifest } from '../../support/registry/requests.ts';
import { putImage } from '../../support/registry/store.ts';

const APP = image({ seed: 'app' });
const USERS = { admin: { password: 'pw' }, user: { password: 'pw', may: ['repository:*:*'] } };
const ADMIN = `Basic ${Buffer.from('admin:pw').toString('base64')}`;
const USER = `Basic ${Buffer.from('user:pw').toString('base64')}`;
const WRONG = `Basic ${Buffer.from('user:x').toString('base64')}`;

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

async function start(kind: RegistryKind, given?: Circumstances): Promise<Registry> {
  const registry = await startRegistry(quirksOf(kind, given));
  for (const tag of ['9', '10']) putImage(registry.store, 'acme/app', tag, APP);
  closers.push(() => registry.close());
  return registry;
}

async function statusOf(registry: Registry, request: string): Promise<number> {
  const [method = '', path = ''] = request.split(' ');
  return (await ask(registry, path, { method })).status;
}

const PUSH = 'POST /v2/acme/new/blobs/uploads/';
const MOUNT = `POST /v2/acme/app/blobs/uploads/?mount=${APP.blobs[0]?.digest}&from=acme/app`;
const REFERRERS = `GET /v2/acme/app/referrers/${APP.root.digest}`;
const CATALOG = 'GET /v2/_catalog';
const MANY_TAGS = 'GET /v2/acme/app/tags/list?n=1001';
const BLOB = `GET /v2/acme/app/blobs/${APP.blobs[0]?.digest}`;
const SEARCH = 'GET /v2/_oci/ext/discover';

describe('kinds of registries', () => {
  const given = { projects: ['acme'] };
  const columns = [PUSH, MOUNT, REFERRERS, CATALOG, MANY_TAGS, BLOB, SEARCH];
  const rows: [RegistryKind, number[]][] = [
    ['distribution 2', [202, 201, 404, 200, 200, 200, 404]],
    ['distribution 3', [202, 201, 404, 200, 200, 200, 404]],
    ['ecr', [404, 202, 200, 404, 405, 307, 404]],
    ['gcr', [202, 202, 404, 200, 200, 200, 404]],
    ['ghcr', [202, 201, 303, 404, 200, 307, 404]],
    ['gitlab', [202, 201, 200, 401, 200, 200, 404]],
    ['harbor', [202, 201, 200, 200, 200, 200, 404]],
    ['quay', [202, 201, 200, 200, 200, 307, 404]],
    ['zot', [202, 201, 200, 200, 200, 200, 200]],
    ['zot without search', [202, 201, 200, 200, 200, 200, 404]],
  ];
  for (const [kind, expected] of rows) {
    it(`${kind}: ${expected.join(' ')}`, async () => {
      const registry = await start(kind, given);
      const statuses = await Promise.all(columns.map((request) => statusOf(registry, request)));
      deepEqual(statuses, expected);
    });
  }
});

describe('pushes by the rules', () => {
  const rows: [RegistryKind, string, number][] = [
    ['ecr', 'acme/app', 202],
    ['ecr', 'acme/other', 404],
    ['harbor', 'acme/a/b/c/d', 202],
    ['harbor', 'other/app', 404],
    ['harbor', 'acme', 404],
    ['gitlab', 'acme/project', 202],
    ['gitlab', 'acme/project/a/b', 202],
    ['gitlab', 'acme/project/a/b/c', 401],
    ['gitlab', 'acme/none', 401],
  ];
  for (const [kind, name, status] of rows) {
    it(`${kind} answers ${status} for ${name}`, async () => {
      const projects = kind === 'gitlab' ? ['acme/project'] : ['acme'];
      const registry = await start(kind, { projects });
      equal(await statusOf(registry, `POST /v2/${name}/blobs/uploads/`), status);
    });
  }
});

describe('Harbor', () => {
  const catalog = async (registry: Registry, authorization?: string): Promise<Response> =>
    await ask(registry, '/v2/_catalog', authorization ? { headers: { authorization } } : {});

  it('shows its catalog by Basic only, and only to who may', async () => {
    const registry = await start('harbor', { users: USERS });
    const challenge = ({ headers }: Response): string => headers.get('www-authenticate') ?? '';
    const token = await ask(registry, '/token?service=harbor-registry&scope=registry:catalog:*', {
      headers: { authorization: ADMIN },
    });
    const bearer = `Bearer ${((await token.json()) as { token: string }).token}`;

    match(challenge(await ask(registry, '/v2/')), /^Bearer /);
    for (const authorization of [undefined, USER, bearer]) {
      const refused = await catalog(registry, authorization);
      deepEqual([refused.status, challenge(refused)], [401, 'Basic realm="harbor"']);
    }
    equal((await catalog(registry, ADMIN)).status, 200);
  });

  it('challenges for Basic who shows too little', async () => {
    const registry = await start('harbor', { users: USERS });
    const refused = await ask(registry, '/v2/acme/app/tags/list', {
      headers: { authorization: 'Bearer nothing' },
    });
    equal(refused.headers.get('www-authenticate'), 'Basic realm="harbor"');
  });

  it('knows where it left off, or refuses', async () => {
    const registry = await start('harbor');
    equal(await statusOf(registry, 'GET /v2/_catalog?n=1&last=acme/app'), 200);
    equal(await statusOf(registry, 'GET /v2/_catalog?n=1&last=acme/gone'), 400);
  });
});

describe('GHCR', () => {
  it('lists the oldest tag first', async () => {
    const registry = await start('ghcr');
    const first = await ask(registry, '/v2/acme/app/tags/list?n=1');
    deepEqual(await first.json(), { name: 'acme/app', tags: ['9'] });
    const second = await ask(registry, '/v2/acme/app/tags/list?n=1&last=9');
    deepEqual(await second.json(), { name: 'acme/app', tags: ['10'] });
  });

  it('sends those who ask for referrers to another host', async () => {
    const registry = await start('ghcr');
    const answer = await ask(registry, REFERRERS.replace('GET ', ''));
    match(locationOf(answer), /^https:\/\/github\.com\//);
  });

  it('takes a body of any size, but no large chunk', async () => {
    const registry = await start('ghcr');
    const patch = async (size: number, range?: string): Promise<number> => {
      const begun = await ask(registry, '/v2/acme/app/blobs/uploads/', { method: 'POST' });
      const headers = range === undefined ? {} : { 'content-range': range };
      const body = new Uint8Array(size);
      return (await ask(registry, locationOf(begun), { method: 'PATCH', headers, body })).status;
    };
    const limit = 4 * 1024 * 1024;

    equal(await patch(limit + 1), 202);
    equal(await patch(limit, `0-${limit - 1}`), 202);
    equal(await patch(limit + 1, `0-${limit}`), 416);
  });
});

it('GitLab answers 403 to a wrong password', async () => {
  const registry = await start('gitlab', { users: USERS });
  const answer = await ask(registry, '/token', { headers: { authorization: WRONG } });
  equal(answer.status, 403);
});

it('Quay gives 100 tags whatever is asked for', async () => {
  const registry = await start('quay');
  for (let at = 0; at < 150; at++) putImage(registry.store, 'acme/many', `t${at}`, APP);
  for (const query of ['', '?n=1000']) {
    const answer = await ask(registry, `/v2/acme/many/tags/list${query}`);
    equal(((await answer.json()) as { tags: string[] }).tags.length, 100);
  }
});

it('Quay takes images, but no config of an unknown kind', async () => {
  const registry = await start('quay');
  await pushImage(registry, 'acme/fine', APP);
  const { config, ...rest } = JSON.parse(APP.root.bytes.toString()) as { config: object };
  const odd = { ...rest, config: { ...config, mediaType: 'application/x-odd' } };
  const manifest = { ...APP.root, bytes: Buffer.from(JSON.stringify(odd)) };

  equal((await putManifest(registry, '/v2/acme/fine/manifests/1', manifest)).status, 400);
});

it('ECR answers PATCH with 201 and the Range from before', async () => {
  const registry = await start('ecr');
  const begun = await ask(registry, '/v2/acme/app/blobs/uploads/', { method: 'POST' });
  const sent = await ask(registry, locationOf(begun), { method: 'PATCH', body: 'abc' });
  deepEqual([sent.status, sent.headers.get('range')], [201, '0-0']);
});
