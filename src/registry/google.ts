/**
 * The lists of Google's registries: all tags of a repository with their digests and dates, and the
 * repositories below it, in one answer.
 *
 * Source: google/go-containerregistry, pkg/v1/google/list.go; recordings of kubernetes-sigs/promo-tools.
 */
import { LRUCache } from 'lru-cache';

import { isError, RegistrySyncError } from '../base/errors.ts';
import { isObject, type JsonObject } from '../image/descriptor.ts';
import { isRepositoryPath } from '../image/reference.ts';
import { bulkCatalog, distributionCatalog, type Catalog, type TagInfo } from './catalog.ts';
import type { RegistryClient } from './client.ts';
import { endpoints } from './endpoints.ts';
import { digestIn, readJson } from './json.ts';
import { pullFrom } from './permissions.ts';

/** A repository of 100,000 images has about 40 MB. Bytes. */
const MAX_LIST_BYTES = 128 * 1024 * 1024;
/** Parts of a path: more than people make, and fewer than would keep a walk busy for ever. */
const MAX_DEPTH = 12;
/** A crawl reads the lists of repositories a few ahead; of so many tags what was read is at hand then. */
const MAX_KEPT = 100_000;

export function googleCatalog(client: RegistryClient): Catalog {
  const kept = new LRUCache<string, readonly TagInfo[]>({
    maxSize: MAX_KEPT,
    sizeCalculation: (tags) => tags.length + 1,
  });

  async function* below(
    path: string,
    seen: Set<string>,
    signal: AbortSignal,
  ): AsyncGenerator<string, void, void> {
    if (seen.has(path) || !isRepositoryPath(path)) return;
    if (path.split('/').length > MAX_DEPTH) throw tooDeep(client.registry, path);
    seen.add(path);
    let list: JsonObject;
    try {
      list = await readList(client, path, signal);
    } catch (error) {
      if (!isError(error, 'UNAUTHORIZED', 'NOT_FOUND')) throw error;
      yield path; // what is wrong with it is told when its tags are read
      return;
    }
    const tags = tagsIn(list);
    if (tags.length > 0 || Object.keys(Object(list.manifest)).length > 0) {
      kept.set(path, tags);
      yield path;
    }
    for (const child of namesIn(list.child)) yield* below(`${path}/${child}`, seen, signal);
  }

  const plain = distributionCatalog(client);
  const catalog = bulkCatalog(plain, async function* (path, signal) {
    const tags = kept.get(path) ?? tagsIn(await readList(client, path, signal));
    kept.delete(path);
    yield { tags };
  });
  return {
    ...catalog,
    // What the catalog lists are the roots.
    async *repositories(signal, namespace) {
      const roots = namespace === undefined ? plain.repositories(signal) : [namespace];
      const seen = new Set<string>();
      for await (const root of roots) yield* below(root, seen, signal);
    },
  };
}

async function readList(
  client: RegistryClient,
  path: string,
  signal: AbortSignal,
): Promise<JsonObject> {
  const what = `tags of ${client.registry}/${path}`;
  const response = await client.expect([200], what, {
    method: 'GET',
    url: (origin) => endpoints.allTags(origin, path),
    gather: MAX_LIST_BYTES,
    permission: pullFrom(path, client),
    signal,
  });
  return readJson(response, MAX_LIST_BYTES, what);
}

function tagsIn(list: JsonObject): TagInfo[] {
  const manifests = isObject(list.manifest) ? list.manifest : {};
  const known = new Map<string, TagInfo>();
  for (const [key, value] of Object.entries(manifests)) {
    const digest = digestIn(key);
    if (digest === undefined || !isObject(value)) continue;
    const dates = {
      createdOn: dateOf(value.timeCreatedMs),
      lastUpdatedOn: dateOf(value.timeUploadedMs),
    };
    for (const tag of namesIn(value.tag)) known.set(tag, { name: tag, digest, ...dates });
  }
  for (const tag of namesIn(list.tags)) if (!known.has(tag)) known.set(tag, { name: tag });
  return [...known.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function namesIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
}

/** Milliseconds as text; of an index the creation is "0". */
function dateOf(value: unknown): string | undefined {
  const ms = Number(value);
  return ms > 0 && ms < 8.64e15 ? new Date(ms).toISOString() : undefined;
}

function tooDeep(registry: string, path: string): RegistrySyncError {
  const message = `${registry}: repositories are nested deeper than ${MAX_DEPTH} levels, as ${path.slice(0, 100)}…`;
  return new RegistrySyncError('PROTOCOL', message);
}
