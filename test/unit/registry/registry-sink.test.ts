import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { silentLog } from '../../../src/base/log.ts';
import { parseDigest } from '../../../src/image/digest.ts';
import { Inventory } from '../../../src/registry/inventory.ts';
import type { RegistryKind } from '../../../src/registry/profile.ts';
import { Repository } from '../../../src/registry/repository.ts';
import { NEVER, putInto, storedManifest } from '../../support/client.ts';
import { image } from '../../support/images.ts';
import { asked, knownClient, refusal, type Answering } from '../../support/known-client.ts';

const { root } = image();
const HERE = parseDigest(root.digest);
const OTHER = parseDigest(`sha256:${'0'.repeat(64)}`);
const FOUND = { status: 200, headers: { 'docker-content-digest': HERE, 'content-length': '5' } };

/** A repository of which a list says some tags; `lists` counts how often it was read. */
async function listed(answer: Answering = () => FOUND) {
  const known = await knownClient('r.test', answer);
  const lists: string[] = [];
  const inventory = new Inventory({
    registry: 'r.test',
    async *pages(repository) {
      lists.push(repository);
      yield {
        tags: [{ name: '1', digest: HERE }, { name: 'moved', digest: OTHER }, { name: 'none' }],
      };
    },
    wanted: () => 10,
    clock: known.clock,
    log: silentLog(),
  });
  return { ...known, lists, repository: new Repository(known.client, 'a', inventory) };
}

describe('the head of what is written to', () => {
  it('costs no request where a list says what is hoped', async () => {
    const { repository, requests } = await listed();

    const head = await repository.sink('1').head(NEVER, HERE);

    deepEqual([head?.digest, requests.length], [HERE, 0]);
  });

  for (const [shown, tag, hoped] of [
    ['says another digest', 'moved', HERE],
    ['says no digest', 'none', HERE],
    ['does not have the tag', 'new', HERE],
    ['says another than is hoped', '1', OTHER],
  ] as const) {
    it(`is asked for where a list ${shown}`, async () => {
      const { repository, requests } = await listed();

      equal((await repository.sink(tag).head(NEVER, hoped))?.digest, HERE);
      deepEqual(asked(requests), [`HEAD /v2/a/manifests/${tag}`]);
    });
  }

  it('is asked for where nothing is hoped, and no list is read', async () => {
    const { repository, requests, lists } = await listed();

    await repository.sink('1').head(NEVER);

    deepEqual([asked(requests), lists], [['HEAD /v2/a/manifests/1'], []]);
  });

  it('by a digest is asked for, and no list is read', async () => {
    const { repository, requests, lists } = await listed();

    await repository.sink(HERE).head(NEVER, HERE);

    deepEqual([asked(requests), lists], [[`HEAD /v2/a/manifests/${HERE}`], []]);
  });

  it('is asked for after we have written the tag, even if that failed', async () => {
    for (const status of [201, 403]) {
      const { repository, requests } = await listed(({ method }) =>
        method === 'PUT' ? { status } : FOUND,
      );
      await repository.sink('moved').head(NEVER, OTHER);
      await putInto(repository.sink('moved'), { ...image(), blobs: [] }).catch(() => {});
      await repository.sink('moved').head(NEVER, OTHER);

      deepEqual(asked(requests), ['PUT /v2/a/manifests/moved', 'HEAD /v2/a/manifests/moved']);
    }
  });

  it('of a sibling is answered from the same list', async () => {
    const { repository, requests } = await listed();

    equal((await repository.sink('x').sibling('1').head(NEVER, HERE))?.digest, HERE);
    deepEqual(requests, []);
  });

  it('is nothing where it is missing or denied', async () => {
    for (const status of [403, 404]) {
      const { repository } = await listed(() => ({ status }));

      equal(await repository.sink('new').head(NEVER, HERE), undefined);
    }
  });
});

/** Puts a manifest at a registry that refuses it so many times; the requests that it took. */
async function put(
  kind: RegistryKind,
  refusals: number,
  answer = refusal(404, 'MANIFEST_BLOB_UNKNOWN'),
) {
  let left = refusals;
  const known = await knownClient(
    'r.test',
    ({ url }) => {
      if (url.pathname === '/v2/') return undefined;
      left -= 1;
      return left >= 0 ? answer : { status: 201 };
    },
    { kind, times: 5 },
  );
  const sink = new Repository(known.client, 'a').sink('1');
  return {
    ...known,
    done: () => sink.putManifest(storedManifest(root), 'root', NEVER),
    child: () => sink.putManifest(storedManifest(root), 'child', NEVER),
  };
}

describe('a manifest whose blobs the registry has not heard of', () => {
  for (const refusals of [1, 2, 3]) {
    it(`is put again after ${refusals} refusals of Azure, each after a while`, async () => {
      const { done, requests, clock } = await put('acr', refusals);

      await done();

      deepEqual([requests.length, clock.slept.length], [refusals + 1, refusals]);
      ok(clock.slept.every((ms) => ms >= 50 && ms <= 400));
    });
  }

  it('is put four times at Azure, and then refused', async () => {
    const { done, requests } = await put('acr', 9);

    await rejects(done(), { code: 'NOT_FOUND', message: /MANIFEST_BLOB_UNKNOWN/ });
    equal(requests.length, 4);
  });

  it('is put again whatever the status is', async () => {
    const { done, requests } = await put('acr', 1, refusal(400, 'MANIFEST_BLOB_UNKNOWN'));

    await done();

    equal(requests.length, 2);
  });

  it('is put again as a child too', async () => {
    const { child, requests } = await put('acr', 1);

    await child();

    equal(requests.length, 2);
  });

  for (const kind of ['generic', 'docker-hub', 'distribution'] as const) {
    it(`is put once at ${kind}`, async () => {
      const { done, requests } = await put(kind, 1);

      await rejects(done(), { code: 'NOT_FOUND' });
      equal(requests.length, 1);
    });
  }

  it('is put once at Azure where nothing is to be repeated', async () => {
    const { client, requests } = await knownClient('a.azurecr.io', ({ url }) =>
      url.pathname === '/v2/' ? undefined : refusal(404, 'MANIFEST_BLOB_UNKNOWN'),
    );

    await rejects(
      new Repository(client, 'a').sink('1').putManifest(storedManifest(root), 'root', NEVER),
      { code: 'NOT_FOUND' },
    );
    equal(requests.length, 1);
  });
});

describe('a manifest that Azure refuses for another reason', () => {
  for (const [status, code] of [
    [400, 'MANIFEST_INVALID'],
    [404, 'NAME_UNKNOWN'],
    [405, 'REGISTRY_DISALLOWED_OPERATION'],
    [403, 'DENIED'],
  ] as const) {
    it(`is put once: ${code}`, async () => {
      const { done, requests } = await put('acr', 1, refusal(status, code));

      await rejects(done());
      equal(requests.length, 1);
    });
  }

  it('as it is locked is said to be refused for good', async () => {
    const { done } = await put('acr', 1, refusal(405, 'REGISTRY_DISALLOWED_OPERATION', 'no'));

    await rejects(done(), {
      code: 'REJECTED',
      message:
        /refused for good: the image, its repository or the registry is locked, or its storage is full .*\(405, REGISTRY_DISALLOWED_OPERATION no\)/,
    });
  });
});

describe('an upload that is refused', () => {
  for (const [kind, status, hint] of [
    ['ecr', 404, /aws ecr create-repository/],
    ['google', 403, /gcloud artifacts repositories create/],
    ['gitlab', 403, /GROUP\/PROJECT/],
    ['harbor', 404, /project/],
  ] as const) {
    it(`says how repositories are made at ${kind}`, async () => {
      const { client } = await knownClient(
        'r.test',
        ({ method, url }) =>
          url.pathname === '/v2/' || method === 'HEAD'
            ? undefined
            : refusal(status, 'NAME_UNKNOWN'),
        { kind },
      );

      await rejects(putInto(new Repository(client, 'a/b').sink('1'), image()), { message: hint });
    });
  }

  it('says nothing of that where a push makes the repository', async () => {
    const { client } = await knownClient('r.test', ({ method, url }) =>
      url.pathname === '/v2/' || method === 'HEAD' ? undefined : refusal(403, 'DENIED'),
    );

    await rejects(putInto(new Repository(client, 'a').sink('1'), image()), {
      message: /\(403, DENIED no\); used no credentials$/,
    });
  });
});
