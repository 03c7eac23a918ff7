import { MemoryRepository } from '../support/memory-image.ts';
import { sinkContract } from './sink-contract.ts';
import { sourceContract } from './source-contract.ts';

const nothing = async (): Promise<void> => {};

sourceContract('memory', async (held) => {
  const repository = new MemoryRepository().hold('v1', held);
  return {
    open: (tag = 'v1') => repository.source(tag),
    damage: (digest, bytes) => void repository.blobs.set(digest, bytes),
    [Symbol.asyncDispose]: nothing,
  };
});

sinkContract('memory', async () => {
  const repository = new MemoryRepository();
  return {
    open: (tag = 'v1') => repository.sink(tag),
    blob: (digest) => repository.blobs.get(digest),
    manifest: (digest) => repository.manifests.get(digest)?.bytes,
    tag: (tag) => repository.tags.get(tag),
    [Symbol.asyncDispose]: nothing,
  };
});
