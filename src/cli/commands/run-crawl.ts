/** Runs `crawl`. */
import { join } from 'node:path';

import { RegistrySyncError } from '../../base/errors.ts';
import { repositoryPath } from '../../image/reference.ts';
import { counted } from '../../base/counted.ts';
import type { RegistryClient } from '../../registry/client.ts';
import type { Measured } from '../../observe/measured.ts';
import { REPOSITORY_COLUMNS, TAG_COLUMNS } from '../../sync/columns.ts';
import { crawl, type CrawlReport, type CrawlSettings } from '../../sync/crawl.ts';
import { noCrawlCounts, type CrawlCounts } from '../../sync/crawl-counts.ts';
import { CsvFile } from '../../sync/csv.ts';
import {
  createRepositoryFilter,
  namedRepository,
  readRepositories,
} from '../../sync/repository-filter.ts';
import { createTagFilter } from '../../sync/tag-filter.ts';
import { catalogOf } from '../catalog-of.ts';
import type { Io, RunIo, Values } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { readAccess } from '../options/access.ts';
import { readRegistry } from '../options/registry-name.ts';
import { readShard } from '../options/shard.ts';
import { runPipeline, type PipelineEnd } from '../pipeline-run.ts';
import { connect, createRuntime } from '../runtime.ts';
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
  const shard = readShard(values.shard, io.env);
  const wants = createRepositoryFilter({ ...repositoryOptions(values), shard });
  const filter = createTagFilter(tagOptions(values), Date.now());
  const repositories = await listedRepositories(registry, values);
  const runtime = await createRuntime(values, io);
  const access = readAccess(values, '');
  const kind = values['registry-kind'];
  const client = connect(runtime, { registry, kind, access, azureCloud, variables: 'SOURCE' });
  const catalog = await catalogOf(client);
  if (values['verify-counts'] && catalog.count === undefined) throw noCounts(client);
  io.shutdown.graceMs = 0; // nothing is lost: the old files stay
  const counts = noCrawlCounts();
  const { workdir } = values;
  const measured = (): Measured => measuredOf(counts, client);
  const run = { command: 'crawl', workdir, options: values, io, runtime, measured } as const;
  const filters = FILTERS.filter((name) => values[name] !== undefined);
  return runPipeline({ ...run, source: registry, shard, filters }, async () => {
    const settings = {
      catalog,
      repositories,
      namespace: values.namespace,
      verifyCounts: values['verify-counts'],
      wants,
      filter,
      latest: values.latest,
      mayBeEmpty: shard !== undefined,
      skipPrivate: values['skip-private'],
      jobs: values.jobs,
      explain: values.explain ? explainTo(io) : () => {},
      log: runtime.log,
      signal: io.shutdown.signal,
    };
    const { screen, showsProgress } = runtime;
    if (showsProgress && !values.explain) await screen.showCounts(() => progressOf(counts));
    try {
      const report = await crawlInto(workdir, values['allow-partial'], settings, counts);
      return summed(report, client.traffic.requests);
    } finally {
      screen.close();
    }
  });
}

/** What prune has to know of. */
const FILTERS = ['namespace', 'repository', 'repository-regex', 'repositories-from'] as const;

/** Both files appear when the crawl is whole, or good enough. */
async function crawlInto(
  workdir: string,
  allowPartial: boolean,
  settings: Omit<CrawlSettings, 'files'>,
  counts: CrawlCounts,
): Promise<CrawlReport> {
  const paths = {
    repositories: join(workdir, 'repositories.csv'),
    tags: join(workdir, 'tags.csv'),
  };
  await using repositories = await CsvFile.create(paths.repositories, REPOSITORY_COLUMNS);
  await using tags = await CsvFile.create(paths.tags, TAG_COLUMNS);
  const report = await crawl({ ...settings, files: { repositories, tags } }, counts);
  if (report.failures.length > 0 && !allowPartial) throw incomplete(report);
  await repositories.finish();
  await tags.finish();
  await repositories.commit();
  await tags.commit();
  return report;
}

function progressOf({ repositories, tags, failed }: CrawlCounts): string {
  const failures = failed > 0 ? `, ${failed} failed` : '';
  return `${repositories} repositories, ${tags} tags${failures}`;
}

function measuredOf(
  { repositories, tags, dropped, skipped, failed }: CrawlCounts,
  { traffic }: RegistryClient,
): Measured {
  return {
    rows: { kept: tags, dropped },
    repositories: { read: repositories, skipped, failed },
    traffic: { source: traffic },
  };
}

function noCounts({ registry }: RegistryClient): RegistrySyncError {
  const message = `--verify-counts: ${registry} does not say how many tags a repository has (registries of Azure do)`;
  return new RegistrySyncError('USAGE', message);
}

function repositoryOptions(values: CrawlValues) {
  const { namespace, repository, 'repository-regex': repositoryRegex } = values;
  return { namespace, repository, repositoryRegex };
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

function summed(report: CrawlReport, requests: number): PipelineEnd {
  const { failures: _, ...found } = report;
  const { repositories, tags, dropped, skipped, failed } = found;
  const counts = { ...found, requests };
  const parts = [
    `${counted(tags, 'tag')} in ${counted(repositories, 'repository')}`,
    ...(dropped > 0 ? [`${counted(dropped, 'tag')} dropped`] : []),
    ...(skipped > 0 ? [`${counted(skipped, 'repository')} skipped`] : []),
    ...(failed > 0 ? [`${counted(failed, 'repository')} failed: the files are incomplete`] : []),
    counted(requests, 'request'),
  ];
  return { exitCode: failed > 0 ? EXIT.partial : EXIT.ok, line: parts.join('; '), counts };
}
