/**
 * What a registry holds: its repositories and their tags.
 *
 * Source: Docker's `/v2/_catalog` (not part of OCI Distribution), and «Listing Tags».
 */
import { isError, RegistrySyncError } from '../base/errors.ts';
import type { Digest } from '../image/digest.ts';
import type { RegistryClient } from './client.ts';
import { endpoints } from './endpoints.ts';
import { headManifest, pullFrom, type Place } from './manifests.ts';
import { listNames, listTags } from './tags.ts';

/** What a list says of a tag. */
export interface TagInfo {
  readonly name: string;
  /** Absent where the list has no digests: `Catalog.digest` asks for it. */
  readonly digest?: Digest;
  /** RFC 3339, as the registry writes them; absent where it gives none. */
  readonly createdOn?: string;
  readonly lastUpdatedOn?: string;
}

export interface Catalog {
  /** `host[:port]` */
  readonly registry: string;
  repositories(signal: AbortSignal): AsyncIterable<string>;
  tags(repository: string, signal: AbortSignal): AsyncIterable<TagInfo>;
  /** What a tag stands for now; `undefined` when it is gone. */
  digest(repository: string, tag: string, signal: AbortSignal): Promise<Digest | undefined>;
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

function placeOf(client: RegistryClient, path: string): Place {
  return { client, path, permission: pullFrom(path), referrers: { areKept: undefined } };
}

async function* listRepositories(
  client: RegistryClient,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  const place = { client, permission: { scopes: ['registry:catalog:*'] } };
  try {
    yield* listNames(place, signal, {
      first: (origin) => endpoints.catalog(origin, REPOSITORIES_PER_PAGE),
      field: 'repositories',
      what: `catalog of ${client.registry}`,
    });
  } catch (error) {
    if (!isError(error, 'UNAUTHORIZED', 'NOT_FOUND', 'REJECTED')) throw error;
    const message =
      `${error.message}. Many registries let nobody, or only administrators, list all repositories: ` +
      'name them with --repositories-from FILE or --repository NAME, or use other credentials';
    throw new RegistrySyncError(error.code, message, { cause: error, details: error.details });
  }
}
