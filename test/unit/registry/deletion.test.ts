import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';

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
