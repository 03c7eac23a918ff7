/** Runs `crawl`. */
import { join } from 'node:path';

import { RegistrySyncError } from '../../base/errors.ts';
import { repositoryPath } from '../../image/reference.ts';
import type { RegistryClient } from '../../registry/client.ts';
import { crawl, type CrawlReport } from '../../sync/crawl.ts';
import { CsvFile } from '../../sync/csv.ts';
import {
  createRepositoryFilter,
  namedRepository,
  readRepositories,
} from '../../sync/repository-filter.ts';
import { parseShard } from '../../sync/shard.ts';
import { createTagFilter } from '../../sync/tag-filter.ts';
import { REPOSITORY_COLUMNS, TAG_COLUMNS } from '../../sync/tag-row.ts';
import { catalogOf } from '../catalog-of.ts';
import type { Io, RunIo, Values } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { readAccess } from '../options/access.ts';
import { readRegistry } from '../options/registry-name.ts';
import { connect, createRuntime, type Runtime } from '../runtime.ts';
import type { CRAWL_OPTIONS } from './crawl-options.ts';

type CrawlValues = Values<typeof CRAWL_OPTIONS>;

/** Resolves to the exit code. */
export async function runCrawl(values: CrawlValues, io: RunIo): Promise<number> {
  const azureCloud = values['azure-cloud'];
  const registry = readRegistry('registry', {
    host: values.registry,
    name: values['registry-name'],
    cloud: azureCloud,
  });
  const wants = createRepositoryFilter(repositoryOptions(values));
  const filter = createTagFilter(tagOptions(values), Date.now());
  const repositories = await listedRepositories(registry, values);
  const runtime = await createRuntime(values, io);
  const access = readAccess(values, '');
  const kind = values['registry-kind'];
  const client = connect(runtime, { registry, kind, access, azureCloud, variables: 'SOURCE' });
  const catalog = await catalogOf(client);
  if (values['verify-counts'] && catalog.count === undefined) throw noCounts(client);
  io.shutdown.graceMs = 0; // nothing is lost: the old files stay
  const { workdir } = values;
  await using repositoriesFile = await CsvFile.create(
    join(workdir, 'repositories.csv'),
    REPOSITORY_COLUMNS,
  );
  await using tagsFile = await CsvFile.create(join(workdir, 'tags.csv'), TAG_COLUMNS);
  const report = await crawl({
    catalog,
    repositories,
    namespace: values.namespace,
    verifyCounts: values['verify-counts'],
    wants,
    filter,
    latest: values.latest,
    mayBeEmpty: values.shard !== undefined,
    skipPrivate: values['skip-private'],
    jobs: values.jobs,
    explain: values.explain ? explainTo(io) : () => {},
    files: { repositories: repositoriesFile, tags: tagsFile },
    log: runtime.log,
    signal: io.shutdown.signal,
  });
  const { failures } = report;
  if (failures.length > 0 && !values['allow-partial']) throw incomplete(report);
  await repositoriesFile.finish();
  await tagsFile.finish();
  await repositoriesFile.commit();
  await tagsFile.commit();
  describe(report, runtime, client.traffic.requests, workdir);
  return failures.length > 0 ? EXIT.partial : EXIT.ok;
}

function noCounts({ registry }: RegistryClient): RegistrySyncError {
  const message = `--verify-counts: ${registry} does not say how many tags a repository has (registries of Azure do)`;
  return new RegistrySyncError('USAGE', message);
}

function repositoryOptions(values: CrawlValues) {
  const { namespace, repository, 'repository-regex': repositoryRegex } = values;
  const shard = values.shard === undefined ? undefined : parseShard(values.shard);
  return { namespace, repository, repositoryRegex, shard };
}

function tagOptions(values: CrawlValues) {
  return {
    tagRegex: values['tag-regex'],
    excludeTagRegex: values['exclude-tag-regex'],
    tagMinAge: values['tag-min-age'],
    tagMaxAge: values['tag-max-age'],
    semver: values.semver,
  };
}

/** Docker Hub's `redis` is `library/redis`. */
async function listedRepositories(
  registry: string,
  values: CrawlValues,
): Promise<readonly string[] | undefined> {
  const from = values['repositories-from'];
  const named = namedRepository(repositoryOptions(values));
  const listed = from === undefined ? [named ?? []].flat() : await readRepositories(from);
  if (listed.length === 0) return undefined;
  return listed.map((path) => repositoryPath(registry, path));
}

function explainTo(io: Io): (repository: string, tag: string, reason: string | undefined) => void {
  return (repository, tag, reason) => {
    const verdict = reason === undefined ? 'keep' : 'drop';
    const because = reason === undefined ? '' : `  ${reason}`;
    io.stdout.write(`${verdict}  ${repository}:${tag}${because}\n`);
  };
}

function incomplete({ failures }: CrawlReport): RegistrySyncError {
  const shown = failures.slice(0, 10).map(({ message }) => `\n  ${message}`);
  const more =
    failures.length > shown.length ? `\n  and ${failures.length - shown.length} more` : '';
  const message = `${failures.length} repositories could not be read, so nothing was written (see --allow-partial, --skip-private):${shown.join('')}${more}`;
  return new RegistrySyncError(failures[0]?.code ?? 'UNAVAILABLE', message);
}

function describe(
  { repositories, tags, dropped, skipped, failures }: CrawlReport,
  { log }: Runtime,
  requests: number,
  workdir: string,
): void {
  const facts = { repositories, tags, dropped, skipped, failed: failures.length, requests };
  if (failures.length > 0) log.warn({ ...facts, workdir }, 'crawl is incomplete');
  else log.info({ ...facts, workdir }, 'crawl is complete');
}
