/** `registry-sync crawl`: what a registry holds, into repositories.csv and tags.csv. */
import { join } from 'node:path';

import { RegistrySyncError } from '../../base/errors.ts';
import { repositoryPath } from '../../image/reference.ts';
import { distributionCatalog } from '../../registry/catalog.ts';
import { crawl, type CrawlReport } from '../../sync/crawl.ts';
import { CsvFile } from '../../sync/csv.ts';
import {
  createRepositoryFilter,
  namedRepository,
  readRepositories,
} from '../../sync/repository-filter.ts';
import { createTagFilter } from '../../sync/tag-filter.ts';
import { REPOSITORY_COLUMNS, TAG_COLUMNS } from '../../sync/tag-row.ts';
import { defineCommand, type Io, type RunIo, type Values } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { accessOptions, readAccess } from '../options/access.ts';
import { readRegistry } from '../options/registry-name.ts';
import { RUN_OPTIONS } from '../options/run.ts';
import { connect, createRuntime, type Runtime } from '../runtime.ts';

const WHERE = 'Which registry and repositories:';
const WHICH = 'Which tags:';

const OPTIONS = {
  registry: { type: 'string', group: WHERE, describe: 'registry to crawl, HOST[:PORT]' },
  'registry-name': {
    type: 'string',
    group: WHERE,
    describe: 'registry to crawl by its Azure name: NAME means NAME.azurecr.io',
  },
  namespace: {
    type: 'string',
    group: WHERE,
    describe: 'only repositories whose first part is this',
  },
  repository: {
    type: 'string',
    group: WHERE,
    describe: 'only this repository (without the namespace, where one is given); needs no catalog',
  },
  'repository-regex': {
    type: 'string',
    group: WHERE,
    describe: 'only repositories whose name after the namespace matches, at its start',
  },
  'repositories-from': {
    type: 'string',
    group: WHERE,
    describe:
      'file with repositories, one per line, or an earlier repositories.csv: for registries that refuse their catalog',
  },
  'skip-private': {
    type: 'boolean',
    group: WHERE,
    default: false,
    describe: 'leave out repositories that may not be read, instead of failing',
  },
  'tag-regex': {
    type: 'string',
    group: WHICH,
    describe: 'only tags that match, at their start (write $ to match whole tags)',
  },
  'exclude-tag-regex': {
    type: 'string',
    group: WHICH,
    describe: 'no tags that match, at their start',
  },
  'tag-min-age': {
    type: 'integer',
    min: 0,
    group: WHICH,
    describe: 'only tags that were last updated at least so many days ago',
  },
  'tag-max-age': {
    type: 'integer',
    min: 0,
    group: WHICH,
    describe: 'only tags that were last updated at most so many days ago',
  },
  semver: {
    type: 'string',
    group: WHICH,
    describe: 'only versions in this range, as in ">=1.2 <3" or "^2.1"',
  },
  latest: {
    type: 'integer',
    min: 1,
    group: WHICH,
    describe: 'only the newest so many per repository: by date where it is known, else by version',
  },
  explain: {
    type: 'boolean',
    default: false,
    group: WHICH,
    describe: 'print why each tag is kept or dropped',
  },
  'allow-partial': {
    type: 'boolean',
    default: false,
    describe: 'write the CSV files even if repositories could not be read (exit code 3)',
  },
  ...RUN_OPTIONS,
  ...accessOptions('', 'Access to the registry (or SOURCE_USERNAME and SOURCE_PASSWORD):'),
} as const;

export const crawlCommand = defineCommand({
  name: 'crawl',
  summary: 'Write what a registry holds into repositories.csv and tags.csv',
  options: OPTIONS,
  examples: [
    ['$0 crawl --registry-name gsoci --namespace giantswarm', "one namespace of Azure's gsoci"],
    ['$0 crawl --registry r.example.com --semver ">=2" --latest 5', 'the newest versions'],
  ],
  epilogue:
    'Credentials: SOURCE_USERNAME and SOURCE_PASSWORD (or SOURCE_USERNAME_FILE, SOURCE_PASSWORD_FILE), else those of podman, skopeo and docker.\n' +
    'The CSV files appear when the crawl is whole. Exit codes: 0 whole, 3 written in part (--allow-partial), 1 nothing written.',
  run: runCrawl,
});

async function runCrawl(values: Values<typeof OPTIONS>, io: RunIo): Promise<number> {
  const registry = readRegistry('registry', values.registry, values['registry-name']);
  const wants = createRepositoryFilter(repositoryOptions(values));
  const filter = createTagFilter(tagOptions(values), Date.now());
  const repositories = await listedRepositories(registry, values);
  const runtime = await createRuntime(values, io);
  const access = readAccess(values, '');
  const client = connect(runtime, { registry, access, variables: 'SOURCE' });
  io.shutdown.graceMs = 0; // nothing is lost: the old files stay
  const { workdir } = values;
  await using repositoriesFile = await CsvFile.create(
    join(workdir, 'repositories.csv'),
    REPOSITORY_COLUMNS,
  );
  await using tagsFile = await CsvFile.create(join(workdir, 'tags.csv'), TAG_COLUMNS);
  const report = await crawl({
    catalog: distributionCatalog(client),
    repositories,
    wants,
    filter,
    latest: values.latest,
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

function repositoryOptions(values: Values<typeof OPTIONS>) {
  const { namespace, repository, 'repository-regex': repositoryRegex } = values;
  return { namespace, repository, repositoryRegex };
}

function tagOptions(values: Values<typeof OPTIONS>) {
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
  values: Values<typeof OPTIONS>,
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
