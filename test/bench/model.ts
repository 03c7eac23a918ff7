/**
 * A registry as data: what a benchmark serves, copies and compares with. Content is named by digest;
 * what a repository holds follows from its tags.
 */
import type { Content } from './content.ts';

export interface Manifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
  /** Of an index: the digests of its manifests. */
  readonly children: readonly string[];
  /** Digests of its config and its layers, each once. */
  readonly blobs: readonly string[];
}

export interface Repository {
  /** Of two parts, since skopeo keeps the last part of a name only. */
  readonly name: string;
  /** Tag to the digest of its manifest. */
  readonly tags: ReadonlyMap<string, string>;
}

export interface Model {
  /** What it is cached and made anew by: `fleet`, or `fleet/2` for its first two repositories. */
  readonly name: string;
  readonly repositories: readonly Repository[];
  readonly manifests: ReadonlyMap<string, Manifest>;
  readonly blobs: ReadonlyMap<string, Content>;
}

/** What a repository holds. */
export interface Holding {
  readonly tags: ReadonlyMap<string, string>;
  /** Children before their parents. */
  readonly manifests: ReadonlySet<string>;
  readonly blobs: ReadonlySet<string>;
}

/** What is reached from the tags of a repository. */
export function holdingOf(model: Model, { tags }: Repository): Holding {
  const manifests = new Set<string>();
  const blobs = new Set<string>();
  const visit = (digest: string): void => {
    const manifest = manifestOf(model, digest);
    for (const child of manifest.children) visit(child);
    for (const blob of manifest.blobs) blobs.add(blob);
    manifests.add(digest);
  };
  for (const digest of tags.values()) visit(digest);
  return { tags, manifests, blobs };
}

/** @throws {Error} when there is none: the model is wrong then. */
export function manifestOf(model: Model, digest: string): Manifest {
  const manifest = model.manifests.get(digest);
  if (manifest === undefined) throw new Error(`${model.name} has no manifest ${digest}`);
  return manifest;
}

/** @throws {Error} when there is none: the model is wrong then. */
export function blobOf(model: Model, digest: string): Content {
  const blob = model.blobs.get(digest);
  if (blob === undefined) throw new Error(`${model.name} has no blob ${digest}`);
  return blob;
}

/** The same registry with some of its repositories and tags only. */
export function partOf(
  model: Model,
  name: string,
  keeps: (repository: string, nth: number) => boolean,
): Model {
  const repositories = model.repositories.map((repository) => {
    const kept = [...repository.tags].filter((_, nth) => keeps(repository.name, nth));
    return { name: repository.name, tags: new Map(kept) };
  });
  return { ...model, name, repositories: repositories.filter(({ tags }) => tags.size > 0) };
}

export interface Totals {
  readonly repositories: number;
  readonly tags: number;
  /** Distinct ones, as the following. */
  readonly manifests: number;
  readonly blobs: number;
  readonly bytes: number;
}

export function totalsOf(model: Model): Totals {
  const holdings = model.repositories.map((repository) => holdingOf(model, repository));
  const blobs = unionOf(holdings.map((holding) => holding.blobs));
  return {
    repositories: holdings.length,
    tags: holdings.reduce((sum, { tags }) => sum + tags.size, 0),
    manifests: unionOf(holdings.map((holding) => holding.manifests)).size,
    blobs: blobs.size,
    bytes: [...blobs].reduce((sum, digest) => sum + blobOf(model, digest).size, 0),
  };
}

export function unionOf(sets: readonly ReadonlySet<string>[]): Set<string> {
  const all = new Set<string>();
  for (const one of sets) for (const item of one) all.add(item);
  return all;
}
