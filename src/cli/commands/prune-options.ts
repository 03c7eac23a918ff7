/** The options of `prune`. */
import type { OptionSpec } from '../command.ts';
import { accessOptions, AZURE_CREDENTIAL } from '../options/access.ts';
import { OBSERVE_OPTIONS } from '../options/observe.ts';
import { AZURE_CLOUD } from '../options/registry-name.ts';
import { inGroup, ROW_NAMES, ROW_SOURCE, ROW_TARGET } from '../options/row-options.ts';
import { RUN_OPTIONS } from '../options/run.ts';

const PHASES = 'The two phases:';
const CHOICE = 'What stays though tags.csv has it not:';
const LIMITS = 'When nothing is deleted:';

export const PRUNE_OPTIONS = {
  plan: { type: 'string', group: PHASES, describe: 'write what would go to this CSV' },
  apply: {
    type: 'string',
    group: PHASES,
    describe: 'delete what this CSV says (the same file with both: plan it and delete it)',
  },
  'dry-run': {
    type: 'boolean',
    default: false,
    group: PHASES,
    describe: 'with --apply: look at each row, and delete nothing',
  },
  ...inGroup('As for sync, which rows:', ROW_SOURCE),
  ...inGroup('As for sync, where they are:', ROW_TARGET),
  ...inGroup('As for sync, where they are:', ROW_NAMES),
  scope: {
    type: 'string',
    choices: ['repositories', 'namespace'],
    default: 'repositories',
    group: CHOICE,
    describe:
      "look at the repositories that the crawl has (repositories), or at all that the target's catalog lists in the namespaces that rows go to (namespace)",
  },
  protect: {
    type: 'strings',
    group: CHOICE,
    describe: 'keep tags that match, or repository:tag, at their start (repeatable)',
  },
  'min-age': {
    type: 'integer',
    min: 0,
    group: CHOICE,
    describe:
      'keep what was last updated less than so many days ago, or made, where the registry does not say it',
  },
  'keep-newest': {
    type: 'integer',
    min: 1,
    group: CHOICE,
    describe:
      'keep the newest so many per repository of those that would go: by date where it is known, else by version',
  },
  'max-percent': {
    type: 'integer',
    min: 0,
    group: LIMITS,
    describe:
      'plan nothing if more of the tags would go (10; 100 for repositories that are named together with --keep-newest)',
  },
  'allow-empty-repositories': {
    type: 'boolean',
    default: false,
    group: LIMITS,
    describe: 'repositories may be left without a tag',
  },
  'max-crawl-age': {
    type: 'string',
    default: '24h',
    group: LIMITS,
    describe: 'plan nothing if the crawl ended longer ago, as in 36h',
  },
  'max-plan-age': {
    type: 'string',
    default: '24h',
    group: LIMITS,
    describe: 'delete nothing if the plan is older, as in 36h',
  },
  'trust-tags-file': {
    type: 'boolean',
    default: false,
    group: LIMITS,
    describe: 'take tags.csv for whole, whatever crawl.json says: for lists made by hand',
  },
  ...RUN_OPTIONS,
  jobs: {
    type: 'integer',
    min: 1,
    default: 64,
    describe: 'how many images are deleted at the same time, at most',
  },
  ...OBSERVE_OPTIONS,
  'azure-cloud': AZURE_CLOUD,
  'azure-credential': AZURE_CREDENTIAL,
  authfile: { type: 'string', describe: 'auth.json or config.json with credentials' },
  ...accessOptions('dest-', 'Access to the target (or TARGET_USERNAME and TARGET_PASSWORD):'),
} as const satisfies Record<string, OptionSpec>;
