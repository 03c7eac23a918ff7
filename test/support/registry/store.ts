/**
 * The content of an emulated registry: what tests seed, compare and, if they must, tamper with.
 */
import { createHash } from 'node:crypto';

import type { BuiltImage } from '../images.ts';

export interface StoredManifest {
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** What one repository holds. A blob is visible in it only when its digest is in `blobs`. */
export interface StoredRepository {
  /** Tag to digest. */
  readonly tags: Map<string, string>;
  /** By digest. */
  readonly manifests: Map<string, StoredManifest>;
  /** Digests. */
  readonly blobs: Set<string>;
}

export interface Store {
  /** By name. */
  readonly repositories: Map<string, StoredRepository>;
  /** The bytes behind the digests, shared by all repositories. */
  readonly blobs: Map<string, Buffer>;
}

export function createStore(): Store {
  return { repositories: new Map(), blobs: new Map() };
}

/** The repository called `name`; an empty one is made if there is none. */
export function repositoryOf(store: Store, name: string): StoredRepository {
  let repository = store.repositories.get(name);
  if (repository === undefined) {
    repository = { tags: new Map(), manifests: new Map(), blobs: new Set() };
    store.repositories.set(name, repository);
  }
  return repository;
}

/** The bytes of a blob, if `name` holds it. */
export function blobOf(store: Store, name: string, digest: string): Buffer | undefined {
  return store.repositories.get(name)?.blobs.has(digest) ? store.blobs.get(digest) : undefined;
}

/** Makes a blob visible in the repository `name`, which comes into being if need be. */
export function putBlob(store: Store, name: string, blob: { digest: string; bytes: Buffer }): void {
  store.blobs.set(blob.digest, blob.bytes);
  repositoryOf(store, name).blobs.add(blob.digest);
}

/**
 * Seeds an image: its blobs, its child manifests, its root, and the tag unless that is `undefined`.
 * Nothing is checked, so content that no registry would take can be seeded too.
 */
export function putImage(
  store: Store,
  name: string,
  tag: string | undefined,
  image: BuiltImage,
): void {
  const repository = repositoryOf(store, name);
  for (const blob of image.blobs) putBlob(store, name, blob);
  for (const { digest, mediaType, bytes } of [...image.manifests, image.root]) {
    repository.manifests.set(digest, { mediaType, bytes });
  }
  if (tag !== undefined) repository.tags.set(tag, image.root.digest);
}

/** Every tag as `repository:tag`, sorted, with the digest it points at: for `deepEqual`. */
export function snapshot(store: Store): Record<string, string> {
  const rows = [...store.repositories].flatMap(([name, { tags }]) =>
    [...tags].map(([tag, digest]): [string, string] => [`${name}:${tag}`, digest]),
  );
  return Object.fromEntries(rows.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** `sha256:…` of the bytes, or of another algorithm. */
export function digestOf(bytes: Buffer | string, algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}
