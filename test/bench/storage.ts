/**
 * Writes a model as docker-registry 2.8 keeps it in a file system, so that a registry can be started
 * on it. Written once, and kept in the temporary directory for the next run.
 *
 * Source: distribution registry/storage/paths.go, 2.8.
 */
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { CACHE } from './cache.ts';
import { chunksOf, type Content } from './content.ts';
import { blobOf, holdingOf, manifestOf, type Model, type Repository } from './model.ts';

/** The directory with the model in it; not to be written to. */
export function storageOf(model: Model): string {
  const path = join(CACHE, 'storage', model.name.replaceAll(/[^a-z0-9]/g, '-'));
  if (existsSync(path)) return path;
  const unfinished = `${path}.${process.pid}`;
  rmSync(unfinished, { recursive: true, force: true });
  writeModel(model, join(unfinished, 'docker/registry/v2'));
  renameSync(unfinished, path);
  return path;
}

function writeModel(model: Model, root: string): void {
  const written = new Set<string>();
  for (const repository of model.repositories) {
    writeRepository(model, repository, join(root, 'repositories', repository.name));
    const { manifests, blobs } = holdingOf(model, repository);
    for (const digest of [...manifests, ...blobs]) {
      if (written.has(digest)) continue;
      written.add(digest);
      const hex = hexOf(digest);
      const path = join(root, 'blobs/sha256', hex.slice(0, 2), hex, 'data');
      if (blobs.has(digest)) writeChunks(path, chunksOf(blobOf(model, digest) satisfies Content));
      else writeChunks(path, [manifestOf(model, digest).bytes]);
    }
  }
}

function writeRepository(model: Model, repository: Repository, root: string): void {
  const { tags, manifests, blobs } = holdingOf(model, repository);
  const link = (folder: string, digest: string): void =>
    writeChunks(join(root, folder, 'link'), [Buffer.from(digest)]);
  for (const digest of blobs) link(`_layers/sha256/${hexOf(digest)}`, digest);
  for (const digest of manifests) link(`_manifests/revisions/sha256/${hexOf(digest)}`, digest);
  for (const [tag, digest] of tags) {
    link(`_manifests/tags/${tag}/current`, digest);
    link(`_manifests/tags/${tag}/index/sha256/${hexOf(digest)}`, digest);
  }
}

function hexOf(digest: string): string {
  return digest.slice('sha256:'.length);
}

function writeChunks(path: string, chunks: Iterable<Buffer>): void {
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, 'w');
  for (const chunk of chunks) writeSync(file, chunk);
  closeSync(file);
}
