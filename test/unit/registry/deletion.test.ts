import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';

import type { RegistrySyncError } from '../../../src/base/errors.ts';
import { parseDigest } from '../../../src/image/digest.ts';
import { placeOf } from '../../../src/registry/catalog.ts';
import { deleteByDigest, untag } from '../../../src/registry/deletion.ts';
import { everythingIn } from '../../../src/registry/permissions.ts';
import { Repository } from '../../../src/registry/repository.ts';
import { connectTo, NEVER, password } from '../../support/client.ts';
import { image } from '../../support/images.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../support/registry/registry.ts';
import { putImage, repositoryOf } from '../../support/registry/store.ts';

const IMAGE = image();
let registry: Registry;
afterEach(() => registry.close());

async function start(options: RegistryOptions = {}): Promise<void> {
  registry = await startRegistry(options);
  putImage(registry.store, 'a', 'v1', IMAGE);
  putImage(registry.store, 'a', 'v2', image({ seed: 'other' }));
}

describe('Repository.delete', () => {
  it('deletes by digest what a tag stands for, and nothing else', async () => {
    await start();
    const digest = await new Repository(connectTo(registry), 'a').delete('v1', NEVER);

    equal(digest, IMAGE.root.digest);
    deepEqual([...repositoryOf(registry.store, 'a').tags.keys()], ['v2']);
    const deletions = registry.requests.filter(({ method }) => method === 'DELETE');
    deepEqual(
      deletions.map(({ path }) => path),
      [`/v2/a/manifests/${digest}`],
    );
  });

  it('learns from the registry which scope it wants', async () => {
    const users = { me: { password: 'x', may: ['repository:a:pull,delete'] } };
    await start({ auth: { scheme: 'bearer', users } });
    const client = connectTo(registry, { credentials: password('me', 'x') });
    await new Repository(client, 'a').delete('v1', NEVER);

    deepEqual([...repositoryOf(registry.store, 'a').tags.keys()], ['v2']);
  });

  it('is refused without that right, and nothing is gone', async () => {
    const users = { me: { password: 'x', may: ['repository:a:pull,push'] } };
    await start({ auth: { scheme: 'bearer', users } });
    const client = connectTo(registry, { credentials: password('me', 'x') });

    await rejects(new Repository(client, 'a').delete('v1', NEVER), { code: 'UNAUTHORIZED' });
    ok(repositoryOf(registry.store, 'a').tags.has('v1'));
  });

  it('is NOT_FOUND where there is nothing, but not the absence of an image to be read', async () => {
    await start();
    const deleting = new Repository(connectTo(registry), 'a').delete('v9', NEVER);

    await rejects(deleting, { code: 'NOT_FOUND', details: {} });
  });
});

describe('untag', () => {
  const place = () => ({ ...placeOf(connectTo(registry), 'a'), permission: everythingIn('a') });

  it('takes away a tag and leaves the image', async () => {
    await start();

    equal(await untag(place(), 'v1', NEVER), 'deleted');
    equal(await untag(place(), 'v1', NEVER), 'gone');
    ok(repositoryOf(registry.store, 'a').manifests.has(IMAGE.root.digest));
  });

  /** Status and code of registries that delete no tags, and of other refusals. */
  const ANSWERS = [
    [405, 'UNSUPPORTED', true],
    [405, '', true],
    [400, 'UNSUPPORTED', true],
    [400, 'DIGEST_INVALID', true],
    [405, 'REGISTRY_DISALLOWED_OPERATION', false],
    [400, 'NAME_INVALID', false],
    [403, 'DENIED', false],
  ] as const;
  for (const [status, code, isUnable] of ANSWERS) {
    it(`${isUnable ? 'is told as unable' : 'fails'} by ${status} ${code}`, async () => {
      await start();
      const body = JSON.stringify({ errors: code === '' ? [] : [{ code, message: 'no' }] });
      const headers = { 'content-type': 'application/json' };
      registry.setFaults([{ match: { method: 'DELETE' }, effect: { status, headers, body } }]);

      if (isUnable) equal(await untag(place(), 'v1', NEVER), 'unable');
      else await rejects(untag(place(), 'v1', NEVER), { name: 'RegistrySyncError' });
    });
  }
});

describe('deleteByDigest', () => {
  const DIGEST = parseDigest(IMAGE.root.digest);

  it('says of a registry that deletes nothing how that is switched on, and that it is for all', async () => {
    await start({ tagDeletion: 'nothing' });
    const place = { ...placeOf(connectTo(registry), 'a'), permission: everythingIn('a') };

    await rejects(deleteByDigest(place, DIGEST, NEVER), (error: RegistrySyncError) => {
      match(error.message, /REGISTRY_STORAGE_DELETE_ENABLED=true/);
      equal(error.details.isForAll, true);
      return true;
    });
  });

  it('counts what is not there as gone', async () => {
    await start();
    const place = { ...placeOf(connectTo(registry), 'a'), permission: everythingIn('a') };

    equal(await deleteByDigest(place, DIGEST, NEVER), 'deleted');
    equal(await deleteByDigest(place, DIGEST, NEVER), 'gone');
  });
});
