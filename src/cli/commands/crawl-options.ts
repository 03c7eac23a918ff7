/** The options of `crawl`. */
import type { OptionSpec } from '../command.ts';
import { accessOptions } from '../options/access.ts';
import { AZURE_CLOUD, REGISTRY_KIND } from '../options/registry-name.ts';
import { OBSERVE_OPTIONS } from '../options/observe.ts';
import { RUN_OPTIONS } from '../options/run.ts';

const WHERE = 'Which registry and repositories:';
const WHICH = 'Which tags:';

export const CRAWL_OPTIONS = {
  registry: { type: 'string', group: WHERE, describe: 'registry to crawl, HOST[:PORT]' },
  'registry-name': {
    type: 'string',
    group: WHERE,
    describe: 'registry to crawl by its Azure name: NAME means NAME.azurecr.io (see --azure-cloud)',
  },
  'registry-kind': { ...REGISTRY_KIND, group: WHERE },
  'azure-cloud': { ...AZURE_CLOUD, group: WHERE },
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
    describe: 'leave out repositories and images that may not be read, instead of failing',
  },
  'verify-counts': {
    type: 'boolean',
    group: WHERE,
    default: false,
    describe:
      'ask the registry how many tags each repository has, and fail where it lists others (Azure; a request per repository)',
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
  ...OBSERVE_OPTIONS,
  ...accessOptions('', 'Access to the registry (or SOURCE_USERNAME and SOURCE_PASSWORD):'),
} as const satisfies Record<string, OptionSpec>;
