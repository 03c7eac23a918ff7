/**
 * What an Azure registry holds, by its own lists: all tags with digests and dates, a thousand per
 * request.
 *
 * Source: protocols of `/acr/v1` as @azure/container-registry 1.1 speaks them.
 */
import { ContainerRegistryClient } from '@azure/container-registry';

import { isError, isRetryable, RegistrySyncError } from '../base/errors.ts';
import { isObject, type JsonObject } from '../image/descriptor.ts';
import {
  bulkCatalog,
  distributionCatalog,
  refusedCatalog,
  type Catalog,
  type TagInfo,
  type TagPage,
} from '../registry/catalog.ts';
import type { RegistryClient } from '../registry/client.ts';
import { digestIn, objectsIn, textIn } from '../registry/json.ts';
import { PageSize } from '../registry/page-size.ts';
import { Advance, pages } from '../registry/pages.ts';
import { CATALOG, metadataOf } from '../registry/permissions.ts';
import { transportTo, type Asked } from './transport.ts';

/** The most that the registry gives. Source: https://github.com/Azure/acr/issues/749 */
const PER_PAGE = 1000;
/** The SDK wants an artifact to list the tags of its repository; which one makes no difference. */
const ANY_ARTIFACT = 'latest';

/** A page of the SDK's: what was listed, and the path of the next one. */
interface SdkPage<T> {
  readonly items: readonly T[];
  /** The name that it begins with; absent: it is empty. */
  readonly first: string | undefined;
  readonly next: string | undefined;
}

/** Asks for one page: at `next`, or the first with so many items. */
type FetchSdkPage<T> = (
  sdk: ContainerRegistryClient,
  settings: { readonly maxPageSize: number; readonly continuationToken?: string },
) => Promise<SdkPage<T>>;

export function azureCatalog(client: RegistryClient): Catalog {
  const sizes = { catalog: new PageSize(PER_PAGE), tags: new PageSize(PER_PAGE) };
  const { registry } = client;
  const inBulk = bulkCatalog(distributionCatalog(client), (repository, signal) =>
    tagPages({ client, size: sizes.tags }, repository, signal),
  );
  return {
    ...inBulk,
    async *repositories(signal) {
      const asked = { what: `catalog of ${registry}`, permission: CATALOG, signal };
      const size = sizes.catalog;
      const start = `/acr/v1/_catalog?n=${size.now}`;
      try {
        yield* sdkPages({ client, size }, asked, start, readRepositories);
      } catch (error) {
        throw refusedCatalog(error, 'or use other credentials (see --azure-credential)');
      }
    },
    async count(repository, signal) {
      const what = `${registry}/${repository}`;
      const asked = { what, permission: metadataOf(repository, client), signal };
      const { tagCount } = await named(what, () =>
        sdkFor(client, asked).getRepository(repository).getProperties(),
      );
      return tagCount;
    },
  };
}

/** Where lists are read, and how large their pages may be. */
interface Lists {
  readonly client: RegistryClient;
  readonly size: PageSize;
}

async function* tagPages(
  lists: Lists,
  repository: string,
  signal: AbortSignal,
): AsyncGenerator<TagPage, void, void> {
  const what = `tags of ${lists.client.registry}/${repository}`;
  const asked = { what, permission: metadataOf(repository, lists.client), signal };
  const start = `/acr/v1/${repository}/_tags?n=${lists.size.now}`;
  yield* sdkPages<TagPage>(lists, asked, start, async (sdk, settings) => {
    let tags: readonly TagInfo[] = [];
    // The SDK makes a Date of each time, and loses four of its seven digits.
    const onResponse = ({ bodyAsText }: { readonly bodyAsText?: string | null }): void => {
      tags = objectsIn(jsonIn(bodyAsText, what).tags).flatMap(readTag);
    };
    const list = sdk.getArtifact(repository, ANY_ARTIFACT).listTagProperties({ onResponse });
    const { value } = await list.byPage(settings).next();
    return { items: [{ tags }], first: tags[0]?.name, next: tokenOf(value) };
  });
}

/** Called before the SDK says what it finds wrong with an answer. */
function jsonIn(text: string | null | undefined, what: string): JsonObject {
  let json: unknown;
  try {
    json = JSON.parse(text ?? '');
  } catch (cause) {
    throw new RegistrySyncError('PROTOCOL', `${what}: the answer is no JSON`, { cause });
  }
  if (isObject(json)) return json;
  throw new RegistrySyncError('PROTOCOL', `${what}: the answer is no JSON object`);
}

async function readRepositories(
  sdk: ContainerRegistryClient,
  settings: { readonly maxPageSize: number; readonly continuationToken?: string },
): Promise<SdkPage<string>> {
  const { value } = await sdk.listRepositoryNames().byPage(settings).next();
  const items: unknown[] = [...((value as readonly unknown[] | undefined) ?? [])];
  if (!items.every((name) => typeof name === 'string')) {
    throw new RegistrySyncError('PROTOCOL', 'the catalog lists something else than names');
  }
  return { items, first: items[0], next: tokenOf(value) };
}

function tokenOf(page: unknown): string | undefined {
  return (page as { continuationToken?: string } | undefined)?.continuationToken;
}

function readTag(entry: JsonObject): TagInfo[] {
  const name = textIn(entry.name);
  if (name === undefined) return [];
  const { changeableAttributes: attributes } = entry;
  const isLocked = isObject(attributes) && attributes.readEnabled === false;
  return [
    {
      name,
      digest: digestIn(entry.digest),
      createdOn: textIn(entry.createdTime),
      lastUpdatedOn: textIn(entry.lastUpdateTime),
      ...(isLocked && { locked: 'its readEnabled is false' }),
    },
  ];
}

/** The items of a list, page by page, each page as large as the registry manages. */
async function* sdkPages<T>(
  { client, size }: Lists,
  asked: Asked,
  start: string,
  fetch: FetchSdkPage<T>,
): AsyncGenerator<T, void, void> {
  const home = `https://${client.registry}`;
  const advance = new Advance(asked.what);
  yield* pages<T>(new URL(start, home), async (url) => {
    const isFirst = url.pathname + url.search === start;
    for (;;) {
      const n = size.now;
      const settings = isFirst
        ? { maxPageSize: n }
        : { maxPageSize: n, continuationToken: withPageSize(url, n) };
      const once = !size.isLeast;
      try {
        const { items, first, next } = await fetchPage(
          { client, size },
          { ...asked, once },
          fetch,
          settings,
        );
        advance.note(first);
        return { items, ...(next !== undefined && { link: `<${next}>; rel="next"` }) };
      } catch (error) {
        if (!once || !isTooLarge(error)) throw error;
        size.noteTooLarge(n);
        client.log.debug({ what: asked.what, n, next: size.now }, 'page was too large');
      }
    }
  });
}

/** One page. What is wrong with the network or with our pace is worth all tries, as anywhere else. */
async function fetchPage<T>(
  { client, size }: Lists,
  asked: Asked,
  fetch: FetchSdkPage<T>,
  settings: Parameters<FetchSdkPage<T>>[1],
): Promise<SdkPage<T>> {
  const read = (how: Asked): Promise<SdkPage<T>> =>
    named(asked.what, () => fetch(sdkFor(client, how), settings));
  try {
    const page = await read(asked);
    size.notePage();
    return page;
  } catch (error) {
    const mayPass =
      isRetryable(error) && (error as RegistrySyncError).details.retryAfterMs === undefined;
    if (asked.once !== true || !mayPass || isTooLarge(error)) throw error;
    return read({ ...asked, once: false });
  }
}

/** A gateway that gave up waiting for the registry, or nobody who answered in time. */
function isTooLarge(error: unknown): boolean {
  if (!isError(error, 'UNAVAILABLE')) return false;
  const { status, reason } = error.details;
  return [408, 502, 504].includes(Number(status)) || reason === 'UND_ERR_HEADERS_TIMEOUT';
}

function withPageSize({ pathname, searchParams }: URL, n: number): string {
  const query = new URLSearchParams(searchParams);
  query.set('n', String(n));
  return `${pathname}?${query}`;
}

/** Without credentials and without tries of its own: both are the transport's. */
function sdkFor(client: RegistryClient, asked: Asked): ContainerRegistryClient {
  return new ContainerRegistryClient(`https://${client.registry}`, {
    httpClient: transportTo(client, asked),
    retryOptions: { maxRetries: 0 },
  });
}

/** What the SDK itself finds wrong with an answer. */
async function named<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'RestError') throw error;
    const message = `${what}: the answer can't be read: ${error.message.slice(0, 200)}`;
    throw new RegistrySyncError('PROTOCOL', message, { cause: error });
  }
}
