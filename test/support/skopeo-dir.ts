/**
 * Images in skopeo's `dir:` layout, to and from memory.
 *
 * Source: containers-transports(5), «dir:»: `manifest.json`, `<hex>.manifest.json` for the children
 * of an index, blobs by the hex of their digests.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { digestOf } from '../../src/image/digest.ts';
import { readManifest } from '../../src/image/manifest.ts';
import type { BuiltImage } from './images.ts';
import { MemoryRepository } from './memory-image.ts';

export async function writeDir(
  path: string,
  { root, manifests, blobs }: BuiltImage,
): Promise<void> {
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'version'), 'Directory Transport Version: 1.1\n');
  await writeFile(join(path, 'manifest.json'), root.bytes);
  for (const { digest, bytes } of manifests) {
    await writeFile(join(path, `${digest.slice('sha256:'.length)}.manifest.json`), bytes);
  }
  for (const { digest, bytes } of blobs) {
    await writeFile(join(path, digest.slice('sha256:'.length)), bytes);
  }
}

/** What is in a directory, as a repository with the tag `latest`. */
export async function readDir(path: string): Promise<MemoryRepository> {
  const repository = new MemoryRepository(`dir:${path}`);
  for (const name of await readdir(path)) {
    const bytes = await readFile(join(path, name));
    if (/^[0-9a-f]{64}$/.test(name)) repository.blobs.set(digestOf(bytes), bytes);
    if (!name.endsWith('manifest.json')) continue;
    const stored = readManifest(bytes, undefined);
    repository.manifests.set(stored.descriptor.digest, stored);
    if (name === 'manifest.json') repository.tags.set('latest', stored.descriptor.digest);
  }
  return repository;
}
