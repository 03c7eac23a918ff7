/** The tags.csv that a prune goes by, with the record of the crawl beside it, and what it wants of the target. */
import { dirname, join } from 'node:path';

import { checkCrawl, checkEnds, checkShard, readListFile } from '../../audit/prune-checks.ts';
import { namespacesOf, Scope } from '../../audit/prune-scope.ts';
import { systemClock } from '../../base/clock.ts';
import { isError, RegistrySyncError } from '../../base/errors.ts';
import { isRepositoryPath } from '../../image/reference.ts';
import type { Catalog } from '../../registry/catalog.ts';
import { readRepositories } from '../../sync/repository-filter.ts';
import { readRecord, recordPath } from '../../sync/run-record.ts';
import { isInShard } from '../../sync/shard.ts';
import { readDuration } from '../options/duration.ts';
import { openRowsOf } from '../row-ends.ts';
import type { ListOfRows, PruneRun, PruneValues } from './prune-run.ts';

/** @throws {RegistrySyncError} `USAGE` when the record can't be read. */
export async function readList(values: PruneValues): Promise<ListOfRows> {
  const path = values['tags-file'] ?? join(values.workdir, 'tags.csv');
  return { path, record: await readRecord(dirname(path), 'crawl') };
}

/** What rows want of the target, and the digest of the file that they are of. */
export interface Wanted {
  readonly scope: Scope;
  readonly digest: string;
}

/**
 * Reads the rows for a plan.
 *
 * @throws {RegistrySyncError} `USAGE` when the list may not be all that the source has.
 */
export async function readWanted(run: PruneRun, list: ListOfRows): Promise<Wanted> {
  const { values, ends, shard } = run;
  const { path, record } = list;
  const crawled = record?.shard;
  checkEnds(ends.source, ends.target);
  const file = await readListFile(path);
  const maxAgeMs = readDuration('max-crawl-age', values['max-crawl-age']);
  if (!values['trust-tags-file']) {
    const at = recordPath(dirname(path), 'crawl');
    const now = systemClock.now();
    checkCrawl({ path: at, record, list: file, source: ends.source, shard, maxAgeMs, now });
  }
  checkShard(crawled, mayMerge(values));
  // What other shards bring to the same repository has to stay: all rows count where there are all.
  const rows = await readRows(run, isWhole(crawled));
  const repositories = await repositoriesBeside(path, run);
  for (const one of repositories) rows.scope.addSource(one);
  if (rows.count === 0 && rows.scope.size > 0) {
    const message = `nothing is planned: ${path} has no rows, though repositories.csv beside it has repositories`;
    throw new RegistrySyncError('USAGE', message);
  }
  return { scope: rows.scope, digest: file.digest };
}

/** Reads the rows that there are now, for another look at those of a plan; `undefined`: there is no list any more. */
export async function readRowsAgain(run: PruneRun): Promise<Scope | undefined> {
  try {
    return (await readRows(run, true)).scope;
  } catch (error) {
    const isAbsent = isError(error, 'USAGE') && isMissing(error.cause);
    if (!isAbsent) throw error;
    run.runtime.log.info('there is no tags.csv to compare the plan with');
    return undefined;
  }
}

async function readRows(
  { values, ends, shard }: PruneRun,
  isOfAll: boolean,
): Promise<{ readonly scope: Scope; readonly count: number }> {
  await using file = await openRowsOf(values, ends, isOfAll ? undefined : shard);
  const scope = new Scope(ends.map, { namespace: values.namespace, shard });
  await scope.addRows(file);
  return { scope, count: file.count };
}

/** Whether two repositories of the source can become one at the target. */
function mayMerge(values: PruneValues): boolean {
  const { 'target-path': path = 'keep', 'target-namespace': to, namespace } = values;
  const isKept = path === 'keep' || path === '{namespace}/{path}';
  return !isKept || (to !== undefined && namespace === undefined);
}

/** Repositories of the crawl that may have no tags left. */
async function repositoriesBeside(path: string, { runtime }: PruneRun): Promise<readonly string[]> {
  const beside = join(dirname(path), 'repositories.csv');
  try {
    return await readRepositories(beside);
  } catch (error) {
    if (!isError(error, 'USAGE')) throw error;
    if (error.message.endsWith(': no repositories')) return [];
    if (!isMissing(error.cause)) throw error;
    runtime.log.warn(
      { path: beside },
      'there is no such file: repositories without any tag left at the source are not looked at',
    );
    return [];
  }
}

function isMissing(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

/** Adds what the target has in the namespaces that rows go to, and the crawl has not. */
export async function addNamespaces(run: PruneRun, scope: Scope, catalog: Catalog): Promise<void> {
  const { values, list, target, shard, io, runtime } = run;
  if (!isWhole(list?.record?.shard)) {
    const message = `--scope namespace: the crawl was of shard ${list?.record?.shard} only, so repositories of the others would be taken for gone: leave --scope out`;
    throw new RegistrySyncError('USAGE', message);
  }
  let repositories = 0;
  for (const namespace of namespacesOf([...scope.repositories], values['target-namespace'])) {
    for await (const path of listed(catalog, namespace, io.shutdown.signal)) {
      const isOfShard = shard === undefined || isInShard(path, shard);
      if (isOfShard && scope.addTarget(path)) repositories += 1;
    }
  }
  const about = { registry: target.registry, repositories };
  runtime.log.info(about, 'repositories are there that the crawl has not');
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
