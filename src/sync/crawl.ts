/** Writes down what a registry holds: repositories.csv and tags.csv, both whole or not at all. */
import { mapInOrder } from '../base/concurrent.ts';
import { isError, RegistrySyncError, withName, type ErrorCode } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Digest } from '../image/digest.ts';
import { isRepositoryPath, isTag } from '../image/reference.ts';
import type { Catalog, TagInfo } from '../registry/catalog.ts';
import { noCrawlCounts, type CrawlCounts } from './crawl-counts.ts';
import type { CsvFile } from './csv.ts';
import { Newest, type TagFilter } from './tag-filter.ts';
import { splitPath } from './tag-row.ts';

export interface CrawlSettings {
  readonly catalog: Catalog;
  /** Instead of the catalog's own list. */
  readonly repositories?: readonly string[] | undefined;
  /** The only one that is wanted, for registries that list nothing beyond a namespace. */
  readonly namespace?: string | undefined;
  readonly wants: (path: string) => boolean;
  readonly filter: TagFilter;
  /** Only the newest so many of each repository. */
  readonly latest?: number | undefined;
  /** What may not be read is left out instead of counted as a failure. */
  readonly skipPrivate: boolean;
  /** A repository of which the registry counts more or fewer tags than it lists is a failure. */
  readonly verifyCounts?: boolean;
  /** No repository at all is fine, as for a shard. */
  readonly mayBeEmpty?: boolean;
  readonly jobs: number;
  /** Told of each tag, and why it was dropped if it was. */
  readonly explain: (repository: string, tag: string, reason: string | undefined) => void;
  readonly files: { readonly repositories: CsvFile; readonly tags: CsvFile };
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface CrawlReport extends Readonly<CrawlCounts> {
  readonly failures: readonly RegistrySyncError[];
}

/** Repositories whose first pages are fetched ahead of the one that is written. */
const REPOSITORIES_AHEAD = 8;

/** What one repository gives: tags, or the reason why there are no more. */
type Found = { readonly repository: string } & (
  { readonly tag: TagInfo } | { readonly error: RegistrySyncError }
);

/** A tag with all that its row needs; without a digest it is gone. */
type Resolved = { readonly repository: string } & (
  | { readonly tag: TagInfo; readonly digest: Digest | undefined }
  | { readonly error: RegistrySyncError }
);

/**
 * Crawls. The files are written but not yet committed: that is for who knows whether the report is
 * good enough.
 *
 * @throws {RegistrySyncError} when there is nothing to be had at all: the catalog is refused, no
 * repository is wanted.
 */
export async function crawl(
  settings: CrawlSettings,
  counts: CrawlCounts = noCrawlCounts(),
): Promise<CrawlReport> {
  const failures = new Map<string, RegistrySyncError>();
  const found = tagsOf(settings, counts);
  for await (const item of mapInOrder(found, settings.jobs, (one) => resolve(one, settings))) {
    if ('error' in item) {
      if (!failures.has(item.repository)) failures.set(item.repository, item.error);
      counts.failed = failures.size;
    } else {
      await writeTag(item, settings, counts);
    }
  }
  const isEmpty = counts.repositories === 0;
  if (isEmpty && (counts.skipped > 0 || settings.mayBeEmpty !== true)) {
    throw nothingMatched(settings, counts);
  }
  return { ...counts, failures: [...failures.values()] };
}

/** What ends the crawl instead of spoiling a repository. */
const FATAL: ReadonlySet<ErrorCode> = new Set(['CANCELLED', 'USAGE']);

async function* tagsOf(
  settings: CrawlSettings,
  counts: CrawlCounts,
): AsyncGenerator<Found, void, void> {
  const started = mapInOrder(wantedRepositories(settings), REPOSITORIES_AHEAD, (repository) =>
    start(repository, settings, counts),
  );
  for await (const { repository, first, rest } of started) {
    try {
      yield* chosen(repository, prepend(await first, rest), settings, counts);
    } catch (error) {
      if (!(error instanceof RegistrySyncError) || FATAL.has(error.code)) throw error;
      if (settings.skipPrivate && isPrivate(error)) {
        counts.skipped += 1;
        settings.log.warn({ repository, reason: error.message }, 'repository is skipped');
        continue;
      }
      settings.log.error({ repository, error: error.message }, 'repository failed');
      yield { repository, error };
    }
    counts.repositories += 1;
    if (!isRepositoryPath(repository)) continue;
    const { namespace, repository: name } = splitPath(repository);
    await settings.files.repositories.write([namespace, name]);
  }
}

/** Azure's registries say of what is locked that the operation is not allowed. */
function isPrivate({ code, details }: RegistrySyncError): boolean {
  const { codes } = details;
  return code === 'UNAUTHORIZED' || /\bREGISTRY_DISALLOWED_OPERATION\b/.test(String(codes));
}

async function* wantedRepositories(settings: CrawlSettings): AsyncGenerator<string, void, void> {
  const { catalog, repositories, namespace, wants, signal, log } = settings;
  const all = repositories ?? catalog.repositories(signal, namespace);
  for await (const path of all) {
    if (wants(path)) yield path;
    else log.debug({ repository: path }, 'repository is not wanted');
  }
}

interface Started {
  readonly repository: string;
  readonly first: Promise<IteratorResult<TagInfo, unknown>>;
  readonly rest: AsyncIterator<TagInfo>;
}

/** Asks for the first page. That it fails is seen in its turn. */
async function start(
  repository: string,
  settings: CrawlSettings,
  counts: CrawlCounts,
): Promise<Started> {
  const rest = tagsIn(repository, settings, counts)[Symbol.asyncIterator]();
  const first = rest.next();
  await first.catch(() => {});
  return { repository, first, rest };
}

/** The tags that the registry lists. Its names become parts of URLs and files, so they are looked at first. */
async function* tagsIn(
  repository: string,
  settings: CrawlSettings,
  counts: CrawlCounts,
): AsyncGenerator<TagInfo, void, void> {
  const { catalog, repositories, signal, log } = settings;
  if (!isRepositoryPath(repository)) {
    const shown = JSON.stringify(repository.slice(0, 300));
    const message = `catalog of ${catalog.registry}: ${shown} is no name of a repository`;
    throw new RegistrySyncError('PROTOCOL', message);
  }
  try {
    let listed = 0;
    for await (const tag of catalog.tags(repository, signal)) {
      listed += 1;
      yield tag;
    }
    if (settings.verifyCounts === true) await verifyCount(repository, listed, settings);
  } catch (error) {
    if (repositories !== undefined || !isWithoutTags(error)) throw error;
    counts.unknown += 1;
    log.warn({ repository }, 'repository has never had a tag');
  }
}

async function verifyCount(
  repository: string,
  listed: number,
  { catalog, signal }: CrawlSettings,
): Promise<void> {
  const counted = await catalog.count?.(repository, signal);
  if (counted === undefined || counted === listed) return;
  const message = `${catalog.registry}/${repository}: the registry counts ${counted} tags and lists ${listed}: crawl again, as tags may have come or gone meanwhile; if it stays so its lists have gaps, or tags are hidden (listEnabled is false)`;
  throw new RegistrySyncError('PROTOCOL', message);
}

/**
 * distribution lists repositories with blobs alone in its catalog, as a push that was given up leaves
 * them, and denies knowing them when their tags are asked for.
 */
function isWithoutTags(error: unknown): boolean {
  return isError(error, 'NOT_FOUND') && /\bNAME_UNKNOWN\b/.test(String(error.details.codes));
}

async function* prepend(
  first: IteratorResult<TagInfo, unknown>,
  rest: AsyncIterator<TagInfo>,
): AsyncGenerator<TagInfo, void, void> {
  for (let result = first; result.done !== true; result = await rest.next()) yield result.value;
}

/** The tags of a repository that pass the filters. */
async function* chosen(
  repository: string,
  tags: AsyncIterable<TagInfo>,
  settings: CrawlSettings,
  counts: CrawlCounts,
): AsyncGenerator<Found, void, void> {
  const { filter, latest, explain, catalog } = settings;
  const drop = (tag: TagInfo, reason: string): void => {
    counts.dropped += 1;
    explain(repository, tag.name, reason);
  };
  const newest = latest === undefined ? undefined : new Newest(latest);
  const tooOld = (tag: TagInfo): void => drop(tag, `is not among the newest ${latest}`);
  for await (const tag of tags) {
    const reason = filter(tag);
    if (reason !== undefined) {
      drop(tag, reason);
      continue;
    }
    if (!isTag(tag.name)) {
      const shown = JSON.stringify(tag.name.slice(0, 300));
      const message = `${catalog.registry}/${repository}: the registry lists ${shown}, which is no tag`;
      throw new RegistrySyncError('PROTOCOL', message);
    }
    if (tag.locked !== undefined) {
      const error = lockedTag(`${catalog.registry}/${repository}:${tag.name}`, tag.locked);
      if (!settings.skipPrivate) yield { repository, error };
      else {
        counts.locked += 1;
        drop(tag, `can't be pulled: ${tag.locked}`);
      }
    } else if (newest === undefined) yield { repository, tag };
    else {
      newest.add(tag);
      newest.takeDropped().forEach(tooOld);
    }
  }
  if (newest === undefined) return;
  const kept = newest.take();
  newest.takeDropped().forEach(tooOld);
  for (const tag of kept) yield { repository, tag };
}

function lockedTag(name: string, why: string): RegistrySyncError {
  const hint = 'unlock it, or leave such images out with --skip-private';
  return new RegistrySyncError('UNAUTHORIZED', `${name} can't be pulled, as ${why}: ${hint}`);
}

async function resolve(found: Found, settings: CrawlSettings): Promise<Resolved> {
  if ('error' in found) return found;
  const { repository, tag } = found;
  const { catalog, signal } = settings;
  try {
    const digest = tag.digest ?? (await catalog.digest(repository, tag.name, signal));
    return { repository, tag, digest };
  } catch (error) {
    if (!(error instanceof RegistrySyncError) || FATAL.has(error.code)) throw error;
    settings.log.error({ repository, tag: tag.name, error: error.message }, 'tag failed');
    const named = withName(error, `${repository}:${tag.name}`) as RegistrySyncError;
    return { repository, error: named };
  }
}

async function writeTag(
  { repository: path, tag, digest }: Extract<Resolved, { tag: TagInfo }>,
  { files, explain, log }: CrawlSettings,
  counts: CrawlCounts,
): Promise<void> {
  if (digest === undefined) {
    counts.dropped += 1;
    counts.vanished += 1;
    explain(path, tag.name, 'is listed, but there is no manifest under it');
    log.warn({ repository: path, tag: tag.name }, 'tag has no manifest');
    return;
  }
  counts.tags += 1;
  explain(path, tag.name, undefined);
  const { namespace, repository } = splitPath(path);
  const { name, createdOn = '', lastUpdatedOn = '' } = tag;
  await files.tags.write([namespace, repository, name, createdOn, lastUpdatedOn, digest]);
}

function nothingMatched(
  { catalog, repositories }: CrawlSettings,
  { skipped }: CrawlCounts,
): RegistrySyncError {
  if (skipped > 0) {
    const message = `${catalog.registry}: none of the ${skipped} wanted repositories may be read, so nothing was written: check the credentials`;
    return new RegistrySyncError('UNAUTHORIZED', message);
  }
  const where = repositories === undefined ? `the catalog of ${catalog.registry}` : 'the list';
  const message = `no repository of ${where} is wanted: check --namespace, --repository and --repository-regex, and what the credentials may see`;
  return new RegistrySyncError('USAGE', message);
}
