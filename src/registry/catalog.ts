/**
 * What a registry holds: its repositories and their tags.
 *
 * Source: Docker's `/v2/_catalog` (not part of OCI Distribution), and «Listing Tags».
 */
import { isError, RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import type { Digest } from '../image/digest.ts';
import type { RegistryClient } from './client.ts';
import { endpoints } from './endpoints.ts';
import { headManifest, type Place } from './manifests.ts';
import { CATALOG, pullFrom } from './permissions.ts';
import { listNames, listTags } from './tags.ts';

/** What a list says of a tag. */
export interface TagInfo {
  readonly name: string;
  /** Absent where the list has no digests: `Catalog.digest` asks for it. */
  readonly digest?: Digest | undefined;
  /** RFC 3339, as the registry writes them; absent where it gives none. */
  readonly createdOn?: string | undefined;
  readonly lastUpdatedOn?: string | undefined;
  /** Why the image can't be pulled though it is listed. */
  readonly locked?: string | undefined;
}

/** One answer of a list that says digests. */
export interface TagPage {
  readonly tags: readonly TagInfo[];
  /** Of the whole list, where it says that. */
  readonly total?: number | undefined;
}

/** The tags of a repository with their digests, many at a time. */
export type ListPages = (repository: string, signal: AbortSignal) => AsyncIterable<TagPage>;

export interface Catalog {
  /** `host[:port]` */
  readonly registry: string;
  /** All repositories, or those of a namespace where the registry lists no others. */
  repositories(signal: AbortSignal, namespace?: string): AsyncIterable<string>;
  tags(repository: string, signal: AbortSignal): AsyncIterable<TagInfo>;
  /** What a tag stands for now; `undefined` when it is gone. */
  digest(repository: string, tag: string, signal: AbortSignal): Promise<Digest | undefined>;
  /** How many tags the registry says a repository has; absent where it says nothing of that. */
  count?(repository: string, signal: AbortSignal): Promise<number>;
  /** Absent where lists have no digests. What it says may be behind the registry, or have gaps. */
  readonly pages?: ListPages;
}

const REPOSITORIES_PER_PAGE = 1000; // distribution refuses more

/** The catalog of any registry that speaks the distribution protocol. */
export function distributionCatalog(client: RegistryClient): Catalog {
  const { registry } = client;
  return {
    registry,
    repositories: (signal) => listRepositories(client, signal),
    async *tags(repository, signal) {
      for await (const name of listTags(placeOf(client, repository), signal)) yield { name };
    },
    async digest(repository, tag, signal) {
      return (await headManifest(placeOf(client, repository), tag, signal))?.digest;
    },
  };
}

/**
 * A catalog whose tags come from lists with digests. Where a registry refuses such a list, or has
 * none, its plain one is read.
 */
export function bulkCatalog(plain: Catalog, pages: ListPages): Catalog {
  return {
    ...plain,
    pages,
    async *tags(repository, signal) {
      let hasBegun = false;
      try {
        for await (const { tags } of pages(repository, signal)) {
          hasBegun = true;
          yield* tags;
        }
      } catch (error) {
        if (hasBegun || !isError(error, 'NOT_FOUND', 'REJECTED')) throw error;
        yield* plain.tags(repository, signal);
      }
    },
  };
}

/** Tags of one repository whose digests are kept until their names are read; the others are asked for. */
const MAX_JOINED = 50_000;

/**
 * A catalog whose lists with digests may have gaps: what there is says the plain list, and what is
 * known of it the other one.
 */
export function joinedCatalog(client: RegistryClient, pages: ListPages): Catalog {
  const plain = distributionCatalog(client);
  return {
    ...plain,
    pages,
    async *tags(repository, signal) {
      const known = await collect(pages(repository, signal), client, signal);
      for await (const { name } of plain.tags(repository, signal)) {
        yield known.get(name) ?? { name };
      }
    },
  };
}

async function collect(
  list: AsyncIterable<TagPage>,
  { log, registry }: RegistryClient,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, TagInfo>> {
  const known = new Map<string, TagInfo>();
  try {
    for await (const { tags } of list) {
      for (const tag of tags) known.set(tag.name, tag);
      if (known.size > MAX_JOINED) break;
    }
  } catch (error) {
    throwIfAborted(signal);
    if (!(error instanceof RegistrySyncError)) throw error;
    const level = error.code === 'NOT_FOUND' ? 'debug' : 'warn'; // it may have no such list
    log[level]({ registry, reason: error.message }, 'no digests in bulk: each tag is asked for');
  }
  return known;
}

export function placeOf(client: RegistryClient, path: string): Place {
  return { client, path, permission: pullFrom(path, client), referrers: { areKept: undefined } };
}

async function* listRepositories(
  client: RegistryClient,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  const { registry, profile } = client;
  if (profile.catalog === 'none') {
    const message = `${registry}: ${profile.title} has no list of its repositories for other programs. ${NAME_THEM}`;
    throw new RegistrySyncError('UNSUPPORTED', message);
  }
  const place = { client, permission: CATALOG };
  try {
    yield* listNames(place, signal, {
      first: (origin) => endpoints.catalog(origin, REPOSITORIES_PER_PAGE),
      field: 'repositories',
      what: `catalog of ${registry}`,
    });
  } catch (error) {
    throw refusedCatalog(error);
  }
}

const NAME_THEM = 'Name them with --repositories-from FILE or --repository NAME';

/** A refusal of a list of all repositories says what can be done instead. */
export function refusedCatalog(error: unknown, orElse = 'or use other credentials'): unknown {
  if (!isError(error, 'UNAUTHORIZED', 'NOT_FOUND', 'REJECTED')) return error;
  if (error.details.status === undefined) return error; // not of the registry: there is no identity
  const message =
    `${error.message}. Many registries let nobody, or only administrators, list all repositories: ` +
    `name them with --repositories-from FILE or --repository NAME, ${orElse}`;
  return new RegistrySyncError(error.code, message, { cause: error, details: error.details });
}
