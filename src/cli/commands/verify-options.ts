/** The options of `verify`: those of `sync` that say what is where, so that a command line can be copied. */
import type { OptionSpec } from '../command.ts';
import { accessOptions, AZURE_CREDENTIAL } from '../options/access.ts';
import { GLOBAL_OPTIONS } from '../options/global.ts';
import { OBSERVE_OPTIONS } from '../options/observe.ts';
import { AZURE_CLOUD } from '../options/registry-name.ts';
import { inGroup, ROW_NAMES, ROW_SOURCE, ROW_TARGET } from '../options/row-options.ts';
import { RUN_OPTIONS } from '../options/run.ts';

const FROM = 'Which rows:';
const TO = 'Where they are:';
const WHAT = 'What is checked:';

/** Of sync: it says what else is copied, which no row of tags.csv is about. */
const WITHOUT_EFFECT = {
  referrers: { type: 'string', hidden: true, describe: 'of sync; has no effect here' },
} as const satisfies Record<string, OptionSpec>;

export const VERIFY_OPTIONS = {
  deep: {
    type: 'string',
    choices: ['manifests', 'bytes'],
    bare: 'manifests',
    group: WHAT,
    describe:
      'look into images: every manifest is read and every blob asked for (--deep, --deep=manifests), or every byte is read too (--deep=bytes)',
  },
  platform: {
    type: 'strings',
    group: WHAT,
    describe: 'as it was given to sync: the index is then another than the one of the source',
  },
  ...inGroup(FROM, ROW_SOURCE),
  ...inGroup(TO, { ...ROW_TARGET, ...ROW_NAMES }),
  'grace-period': {
    type: 'integer',
    min: 0,
    default: 20,
    describe: 'seconds that running checks are given after SIGTERM',
  },
  'bandwidth-limit': {
    type: 'string',
    describe: 'read no faster than so many bytes per second, as in 20MB or 500kB',
  },
  ...WITHOUT_EFFECT,
  ...GLOBAL_OPTIONS,
  ...RUN_OPTIONS,
  ...OBSERVE_OPTIONS,
  'azure-cloud': AZURE_CLOUD,
  'azure-credential': AZURE_CREDENTIAL,
  authfile: { type: 'string', describe: 'auth.json or config.json for both registries' },
  ...accessOptions('src-', 'Access to the source, with --platform:'),
  ...accessOptions('dest-', 'Access to the target (or TARGET_USERNAME and TARGET_PASSWORD):'),
} as const satisfies Record<string, OptionSpec>;
