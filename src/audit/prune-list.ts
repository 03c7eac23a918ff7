/** The tags.csv that a prune goes by: what it wants of the target, for a plan and again before anything is deleted. */
import { dirname, join } from 'node:path';

import { isError, RegistrySyncError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { isAbsent } from '../files/file-failure.ts';
import type { Digest } from '../image/digest.ts';
import { isRepositoryPath } from '../image/reference.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { MapRow } from '../sync/mapping.ts';
import { readAnyRepositories } from '../sync/repository-filter.ts';
import { openRows } from '../sync/rows.ts';
import { recordPath, type RunRecord } from '../sync/run-record.ts';
import { isInShard, type Shard } from '../sync/shard.ts';
import { checkCrawl, checkEnds, checkShard, doubtOfEnd, readListFile } from './prune-checks.ts';
import type { PlanList } from './prune-plan.ts';
import { namespacesOf, Scope } from './prune-scope.ts';

/** A tags.csv, and where its rows go. */
export interface ListSettings {
  readonly path: string;
  /** Of the last crawl into the same directory. */
  readonly record: RunRecord | undefined;
  /** Registries, `host[:port]`. */
  readonly source: string;
  readonly target: string;
  readonly map: MapRow;
  readonly namespace: string | undefined;
  readonly targetNamespace: string | undefined;
  /** Of this run. */
  readonly shard: Shard | undefined;
  readonly log: Log;
}

export interface ListLimits {
  /** The list is whole, whatever its record says. */
  readonly isTrusted: boolean;
  /** Whether two repositories of the source can become one at the target. */
  readonly mayMerge: boolean;
  readonly maxAgeMs: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What rows want of the target, and the digest of the file that they are of. */
export interface Wanted {
  readonly scope: Scope;
  readonly digest: Digest;
}

/**
 * Reads the rows for a plan.
 *
 * @throws {RegistrySyncError} `USAGE` when the list may not be all that the source has.
 */
export async function readWanted(settings: ListSettings, limits: ListLimits): Promise<Wanted> {
  const { path, record, source, target, shard } = settings;
  const crawled = record?.shard;
  checkEnds(source, target);
  const list = await readListFile(path, 'run crawl first');
  if (!limits.isTrusted) {
    const { maxAgeMs, now } = limits;
    const at = recordPath(dirname(path), 'crawl');
    checkCrawl({ path: at, record, list, source, shard, maxAgeMs, now });
  }
  checkShard(crawled, limits.mayMerge);
  // What other shards bring to the same repository has to stay: all rows count where there are all.
  const { scope, rows } = await readScope(settings, isWhole(crawled) ? undefined : shard);
  if (rows === 0 && scope.size > 0) {
    const message = `nothing is planned: ${path} has no rows, though repositories.csv beside it has repositories`;
    throw new RegistrySyncError('USAGE', message);
  }
  return { scope, digest: list.digest };
}

/** @param rowsOf rows of other shards are not read. */
async function readScope(
  { path, map, namespace, shard, log }: ListSettings,
  rowsOf: Shard | undefined,
): Promise<{ readonly scope: Scope; readonly rows: number }> {
  await using file = await openRows({ path, map, namespace, shard: rowsOf });
  const scope = new Scope(map, { namespace, shard });
  await scope.addRows(file);
  for (const one of await repositoriesBeside(path, log)) scope.addSource(one);
  return { scope, rows: file.count };
}

/** Repositories of the crawl that may have no tags left. */
async function repositoriesBeside(path: string, log: Log): Promise<readonly string[]> {
  const beside = join(dirname(path), 'repositories.csv');
  try {
    return await readAnyRepositories(beside);
  } catch (error) {
    if (!isError(error, 'USAGE') || !isAbsent(error.cause)) throw error;
    log.warn(
      { path: beside },
      'there is no such file: repositories without any tag left at the source are not looked at',
    );
    return [];
  }
}

/**
 * Adds what the target has in the namespaces that rows go to, and the crawl has not.
 *
 * @throws {RegistrySyncError} `USAGE` when the crawl did not look at all repositories.
 */
export async function addNamespaces(
  { record, target, targetNamespace, shard, log }: ListSettings,
  scope: Scope,
  { catalog, signal }: { readonly catalog: Catalog; readonly signal: AbortSignal },
): Promise<void> {
  if (!isWhole(record?.shard)) {
    const message = `--scope namespace: the crawl was of shard ${record?.shard} only, so repositories of the others would be taken for gone: leave --scope out`;
    throw new RegistrySyncError('USAGE', message);
  }
  let repositories = 0;
  for (const namespace of namespacesOf(scope.repositories, targetNamespace)) {
    for await (const path of listed(catalog, namespace, signal)) {
      const isOfShard = shard === undefined || isInShard(path, shard);
      if (isOfShard && scope.addTarget(path)) repositories += 1;
    }
  }
  log.info({ registry: target, repositories }, 'repositories are there that the crawl has not');
}

async function* listed(
  catalog: Catalog,
  namespace: string,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  const [first = ''] = namespace.split('/');
  for await (const path of catalog.repositories(signal, first)) {
    if (path.startsWith(`${namespace}/`) && isRepositoryPath(path)) yield path;
  }
}

/** Whether a crawl was not of a share only. */
function isWhole(crawled: string | undefined): boolean {
  return crawled === undefined || crawled === '0/1';
}

/** A tags.csv by the time when its plan is applied. */
export interface ListAgain {
  readonly scope: Scope;
  /** Why a repository of the plan is not one that the list answers for; `undefined`: it is. */
  readonly doubtOf: (repository: string) => string | undefined;
}

/**
 * Reads the rows that there are by now: a tag that is back at the source stays.
 *
 * @param planned the list that the plan was made by.
 * @throws {RegistrySyncError} `USAGE` when there is none, or one that may lack what is back.
 */
export async function readListAgain(settings: ListSettings, planned: PlanList): Promise<ListAgain> {
  const { path, record, targetNamespace } = settings;
  const absent = `nothing is deleted, as tags of the plan may be back at the source: say by --workdir or --tags-file where the tags.csv of the plan is, or give --trust-plan to do without`;
  const { digest } = await readListFile(path, absent);
  const doubt = record === undefined ? undefined : doubtOfRecord(record, path, planned);
  if (doubt !== undefined && (digest !== planned.digest || record?.source !== planned.source)) {
    const message = `nothing is deleted: ${path} is not the one that the plan was made by, and ${doubt}. Run crawl and plan again, say by --workdir where the list of the plan is, or give --trust-plan to do without`;
    throw new RegistrySyncError('USAGE', message);
  }
  const { scope } = await readScope({ ...settings, shard: undefined }, undefined);
  const namespaces =
    planned.scope === 'namespace' ? namespacesOf(scope.repositories, targetNamespace) : [];
  const reason = `${path} has nothing of this repository: it is not the one of the plan, or plan again`;
  const isCovered = (repository: string): boolean =>
    scope.has(repository) || namespaces.some((one) => repository.startsWith(`${one}/`));
  return { scope, doubtOf: (repository) => (isCovered(repository) ? undefined : reason) };
}

function doubtOfRecord(record: RunRecord, path: string, planned: PlanList): string | undefined {
  const { source = planned.source } = record;
  if (source !== planned.source) return `is of ${source}, not of ${planned.source}`;
  return doubtOfEnd(record, recordPath(dirname(path), 'crawl'));
}

/** Why a tag of a plan has to stay after all, by the list and by `--protect`. */
export function reasonToStay(
  again: ListAgain | undefined,
  isProtected: (repository: string, tag: string) => boolean,
): (repository: string, tag: string) => string | undefined {
  return (repository, tag) => {
    if (isProtected(repository, tag)) return 'is protected';
    if (again?.scope.isWanted(repository, tag) === true) return 'tags.csv has this tag now';
    return again?.doubtOf(repository);
  };
}
