import { Repository } from '../../src/registry/repository.ts';
import { connectTo } from '../support/client.ts';
import { startRegistry } from '../support/registry/registry.ts';
import { blobOf, createStore, putImage, repositoryOf } from '../support/registry/store.ts';
import { sinkContract } from './sink-contract.ts';
import { sourceContract } from './source-contract.ts';

const PATH = 'team/app';

for (const redirectBlobs of [false, true]) {
  sourceContract(`a registry${redirectBlobs ? ' that redirects' : ''}`, async (held) => {
    const store = createStore();
    putImage(store, PATH, 'v1', held);
    const registry = await startRegistry({ store, redirectBlobs });
    const repository = new Repository(connectTo(registry), PATH);
    return {
      open: (tag = 'v1') => repository.source(tag),
      damage: (digest, bytes) => void store.blobs.set(digest, bytes),
      [Symbol.asyncDispose]: () => registry.close(),
    };
  });
}

sinkContract('a registry', async () => {
  const store = createStore();
  const registry = await startRegistry({ store });
  const repository = new Repository(connectTo(registry), PATH);
  return {
    open: (tag = 'v1') => repository.sink(tag),
    blob: (digest) => blobOf(store, PATH, digest),
    manifest: (digest) => repositoryOf(store, PATH).manifests.get(digest)?.bytes,
    tag: (tag) => repositoryOf(store, PATH).tags.get(tag),
    [Symbol.asyncDispose]: () => registry.close(),
  };
});
