/**
 * What Azure Container Registry knows of a repository, a tag and a manifest besides their content:
 * times and locks. A store that tests fill knows nothing of these, so they come into being when first
 * asked for, and depend on the names alone.
 *
 * Source: the properties in the answers of `/acr/v1`, api-version 2021-07-01.
 */
import { numberOf } from '../seeded.ts';
import type { Store } from '../registry/store.ts';

/** What may be done; all `true` unless somebody locked it. */
export interface Attributes {
  deleteEnabled: boolean;
  writeEnabled: boolean;
  readEnabled: boolean;
  listEnabled: boolean;
}

/** RFC 3339 in UTC with seven fractional digits: `2024-03-07T02:03:10.9030722Z`. */
export type AcrTime = string;

/** Tests may change all of it. */
export interface Properties {
  createdTime: AcrTime;
  lastUpdateTime: AcrTime;
  readonly attributes: Attributes;
}

export interface RepositoryProperties extends Properties {
  /** What the registry claims, where that is to differ from what it holds. */
  tagCount?: number;
  manifestCount?: number;
}

export interface TagProperties extends Properties {
  /** What it pointed at when last seen. */
  digest: string | undefined;
}

export interface ManifestProperties extends Properties {
  /** `Passed`, … where images are scanned; absent elsewhere. */
  quarantineState?: string;
}

const SEEDED_FROM_MS = Date.UTC(2024, 0, 1);
const SEEDED_SPAN_MS = 300 * 24 * 60 * 60 * 1000;
const TICKS_PER_MS = 10_000;

export class Metadata {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #repositories = new Map<string, RepositoryProperties>();
  readonly #tags = new Map<string, TagProperties>();
  readonly #manifests = new Map<string, ManifestProperties>();
  #ticks = 0;

  /** `now` in ms. */
  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  repository(name: string): RepositoryProperties {
    return kept(this.#repositories, name);
  }

  /** The repository's locks; asking for them brings nothing into being. */
  locksOf(name: string): Readonly<Attributes> {
    return (this.#repositories.get(name) ?? fresh('')).attributes;
  }

  /** A tag that points elsewhere than when last asked for has been updated since. */
  tag(name: string, tag: string): TagProperties {
    const digest = this.#store.repositories.get(name)?.tags.get(tag);
    const key = `${name}:${tag}`;
    const properties = kept(this.#tags, key, { digest });
    if (properties.digest !== digest) {
      properties.digest = digest;
      properties.lastUpdateTime = this.stamp();
    }
    return properties;
  }

  manifest(name: string, digest: string): ManifestProperties {
    return kept(this.#manifests, `${name}@${digest}`);
  }

  /** Whether there is such a repository: one that holds manifests, or that a test or a push made. */
  has(name: string): boolean {
    if (this.#repositories.has(name)) return true;
    const held = this.#store.repositories.get(name);
    return held !== undefined && held.manifests.size + held.tags.size > 0;
  }

  /** Notes that a manifest was put, perhaps under a tag. */
  pushed(name: string, digest: string, tag: string | undefined): void {
    const at = this.stamp();
    touch(this.#repositories, name, at);
    touch(this.#manifests, `${name}@${digest}`, at);
    if (tag === undefined) return;
    touch(this.#tags, `${name}:${tag}`, at, { digest }).digest = digest;
  }

  forgetTag(name: string, tag: string): void {
    this.#tags.delete(`${name}:${tag}`);
    this.repository(name).lastUpdateTime = this.stamp();
  }

  forgetManifest(name: string, digest: string): void {
    this.#manifests.delete(`${name}@${digest}`);
    this.repository(name).lastUpdateTime = this.stamp();
  }

  forgetRepository(name: string): void {
    this.#repositories.delete(name);
    for (const [map, parting] of [
      [this.#tags, ':'],
      [this.#manifests, '@'],
    ] as const) {
      for (const key of map.keys()) if (key.startsWith(`${name}${parting}`)) map.delete(key);
    }
  }

  /** Now, and never the same twice. */
  stamp(): AcrTime {
    this.#ticks += 1;
    return timeOf(this.#now(), this.#ticks % TICKS_PER_MS);
  }
}

/** `ticks` are tenths of a microsecond, from 0 to 9999. */
export function timeOf(ms: number, ticks: number): AcrTime {
  return new Date(ms).toISOString().replace('Z', `${String(ticks).padStart(4, '0')}Z`);
}

function kept<T extends object>(map: Map<string, T & Properties>, key: string): T & Properties;
function kept<T extends object>(
  map: Map<string, T & Properties>,
  key: string,
  more: T,
): T & Properties;
function kept(map: Map<string, Properties>, key: string, more: object = {}): Properties {
  let properties = map.get(key);
  if (properties === undefined) {
    properties = { ...fresh(seededTime(key)), ...more };
    map.set(key, properties);
  }
  return properties;
}

function touch<T extends Properties>(
  map: Map<string, T>,
  key: string,
  at: AcrTime,
  more: object = {},
): T {
  const properties = map.get(key) ?? ({ ...fresh(at), ...more } as T);
  properties.lastUpdateTime = at;
  map.set(key, properties);
  return properties;
}

function fresh(at: AcrTime): Properties {
  const attributes = {
    deleteEnabled: true,
    writeEnabled: true,
    readEnabled: true,
    listEnabled: true,
  };
  return { createdTime: at, lastUpdateTime: at, attributes };
}

function seededTime(key: string): AcrTime {
  const ms = SEEDED_FROM_MS + Math.floor(numberOf(key, 1) * SEEDED_SPAN_MS);
  return timeOf(ms, Math.floor(numberOf(key, 2) * TICKS_PER_MS));
}
