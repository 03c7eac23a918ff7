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
import {
  checkCrawl,
  checkEnds,
  checkMerge,
  digestOfFile,
  doubtOfEnd,
  readListFile,
  repositoryFilters,
} from './prune-checks.ts';
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
  readonly targetPath: string | undefined;
  /** Of this run. */
  readonly shard: Shard | undefined;
  readonly log: Log;
}

export interface ListLimits {
  /** The list is whole, whatever its record says. */
  readonly isTrusted: boolean;
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
  await checkEnds(source, target, settings.log);
  const list = await readListFile(path, 'run crawl first');
  if (!limits.isTrusted) {
    const { maxAgeMs, now } = limits;
    const at = recordPath(dirname(path), 'crawl');
    checkCrawl({ path: at, record, list, source, shard, maxAgeMs, now });
  }
  if (mayMerge(settings)) checkMerge(record, limits.isTrusted);
  // What other shards bring to the same repository has to stay: all rows count where there are all.
  const rowsOf = isWhole(crawled) ? undefined : shard;
  const { scope, rows } = await readScope(settings, { rowsOf, digest: list.digest });
  if (rows === 0 && scope.size > 0) {
    const message = `nothing is planned: ${path} has no rows, though repositories.csv beside it has repositories`;
    throw new RegistrySyncError('USAGE', message);
  }
  return { scope, digest: list.digest };
}

/** Whether repositories that the crawl has and others can become one at the target. */
function mayMerge({
  record,
  targetPath = 'keep',
  targetNamespace,
  namespace,
}: ListSettings): boolean {
  const isKept = targetPath === 'keep' || targetPath === '{namespace}/{path}';
  const isOfOne = namespace !== undefined || record?.filters?.includes('namespace') === true;
  return !isKept || (targetNamespace !== undefined && !isOfOne);
}

interface ScopeWish {
  /** Rows of other shards are not read. */
  readonly rowsOf?: Shard | undefined;
  /** The digest of the file that was looked at. */
  readonly digest: Digest;
  /** Repositories of the target whose rows are kept. */
  readonly keptFor?: Iterable<string>;
}

async function readScope(
  settings: ListSettings,
  { rowsOf, digest, keptFor }: ScopeWish,
): Promise<{ readonly scope: Scope; readonly rows: number }> {
  const { path, namespace, shard, log } = settings;
  await using file = await openRows({ path, map: mapOfAll(settings), shard: rowsOf });
  const scope = new Scope(settings.map, { namespace, shard }, keptFor);
  const rows = await scope.addRows(file);
  if (rows === 0 && file.count > 0 && shard === undefined) {
    const message = `${path}: no rows of the namespace ${JSON.stringify(namespace)}`;
    throw new RegistrySyncError('USAGE', message);
  }
  for (const one of await repositoriesBeside(path, log)) scope.addSource(one);
  const now = await digestOfFile(path);
  if (now === digest) return { scope, rows };
  const message = `${path} was changed while it was read: wait until the crawl has ended, and try again`;
  throw new RegistrySyncError('USAGE', message);
}

/**
 * Rows of other namespaces are wanted where they go, if they go anywhere: whether they meet those of this one is the
 * business of sync.
 */
function mapOfAll({ map, namespace }: ListSettings): MapRow {
  return (row) => {
    if (namespace === undefined || row.namespace === namespace) return map(row);
    const registry = `line-${row.line}.invalid`;
    try {
      const { source, target } = map(row);
      return { source, target: { ...target, registry } };
    } catch (error) {
      if (!isError(error, 'USAGE')) throw error;
      const nowhere = { registry, path: 'nowhere' };
      return { source: nowhere, target: nowhere };
    }
  };
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
  const filters = repositoryFilters(record?.filters);
  if (filters !== undefined) {
    const message = `--scope namespace: the crawl looked at some repositories only (${filters}), so all others would be taken for gone: leave --scope out`;
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
 * @param plan says the list that it was made by, and the repositories whose rows are kept.
 * @throws {RegistrySyncError} `USAGE` when there is none, or one that may lack what is back.
 */
export async function readListAgain(
  settings: ListSettings,
  { planned, keptFor }: { readonly planned: PlanList; readonly keptFor: Iterable<string> },
): Promise<ListAgain> {
  const { path, record, targetNamespace } = settings;
  const absent = `nothing is deleted, as tags of the plan may be back at the source: say by --workdir or --tags-file where the tags.csv of the plan is, or give --trust-plan to do without`;
  const { digest } = await readListFile(path, absent);
  const doubt = record === undefined ? undefined : doubtOfRecord(record, path, planned);
  if (doubt !== undefined && (digest !== planned.digest || record?.source !== planned.source)) {
    const message = `nothing is deleted: ${path} is not the one that the plan was made by, and ${doubt}. Run crawl and plan again, say by --workdir where the list of the plan is, or give --trust-plan to do without`;
    throw new RegistrySyncError('USAGE', message);
  }
  const { scope } = await readScope({ ...settings, shard: undefined }, { digest, keptFor });
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
