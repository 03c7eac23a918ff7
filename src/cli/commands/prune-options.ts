/** The options of `prune`, and those of `sync` that say what is where, so that a command line can be copied. */
import type { OptionSpec } from '../command.ts';
import { accessOptions, AZURE_CREDENTIAL } from '../options/access.ts';
import { GLOBAL_OPTIONS } from '../options/global.ts';
import { OBSERVE_OPTIONS } from '../options/observe.ts';
import { AZURE_CLOUD } from '../options/registry-name.ts';
import { inGroup, ROW_NAMES, ROW_SOURCE, ROW_TARGET } from '../options/row-options.ts';
import { RUN_OPTIONS } from '../options/run.ts';

const PHASES = 'The two phases:';
const CHOICE = 'What stays though tags.csv has it not:';
const LIMITS = 'When nothing is deleted:';

/** They say what is copied and how, and no tag is there or not for that. */
const WITHOUT_EFFECT = {
  platform: { type: 'strings', hidden: true, describe: 'of sync; has no effect here' },
  referrers: { type: 'string', hidden: true, describe: 'of sync; has no effect here' },
  'follow-moved': { type: 'boolean', hidden: true, describe: 'of sync; has no effect here' },
  'bandwidth-limit': { type: 'string', hidden: true, describe: 'of sync; has no effect here' },
  ...hidden({
    'override-os': GLOBAL_OPTIONS['override-os'],
    'override-arch': GLOBAL_OPTIONS['override-arch'],
    'override-variant': GLOBAL_OPTIONS['override-variant'],
    policy: GLOBAL_OPTIONS.policy,
    'insecure-policy': GLOBAL_OPTIONS['insecure-policy'],
    tmpdir: GLOBAL_OPTIONS.tmpdir,
  }),
  ...hidden(accessOptions('src-', 'Access to the source, which is not asked:')),
} as const satisfies Record<string, OptionSpec>;

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
    group: CHOICE,
    describe:
      "look at the repositories that the crawl has (repositories, the default), or at all that the target's catalog lists in the namespaces that rows go to (namespace)",
  },
  protect: {
    type: 'strings',
    hasCommas: true,
    group: CHOICE,
    describe:
      'keep tags that match this regular expression, or repository:tag, at their start (repeatable; in both phases)',
  },
  'min-age': {
    type: 'string',
    group: CHOICE,
    describe:
      'keep what was last updated less than so many days ago, as in 30 or 30d, or made, where the registry does not say it',
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
    group: LIMITS,
    describe: 'plan nothing if the crawl began longer ago, as in 36h or 3d (24h)',
  },
  'max-plan-age': {
    type: 'string',
    group: LIMITS,
    describe: 'delete nothing if the plan is older, as in 36h or 3d (24h)',
  },
  'trust-tags-file': {
    type: 'boolean',
    default: false,
    group: LIMITS,
    describe: 'take tags.csv for whole, whatever crawl.json says: for lists made by hand',
  },
  'trust-plan': {
    type: 'boolean',
    default: false,
    group: LIMITS,
    describe: 'delete without another look at tags.csv, as where there is none any more',
  },
  'grace-period': {
    type: 'integer',
    min: 0,
    default: 20,
    describe: 'seconds that running deletions are given after SIGTERM',
  },
  ...GLOBAL_OPTIONS,
  ...WITHOUT_EFFECT,
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

function hidden<const S extends Record<string, OptionSpec>>(
  specs: S,
): { readonly [N in keyof S]: S[N] & { readonly hidden: true } } {
  return Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [name, { ...spec, hidden: true }]),
  ) as never;
}
