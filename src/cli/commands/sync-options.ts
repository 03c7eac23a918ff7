/** The options of `sync`: of rows of a CSV, and as skopeo's. */
import type { OptionSpec } from '../command.ts';
import { accessOptions, AZURE_CREDENTIAL } from '../options/access.ts';
import { AZURE_CLOUD } from '../options/registry-name.ts';
import { GLOBAL_OPTIONS } from '../options/global.ts';
import { OBSERVE_OPTIONS, REPORT_PAGE_OPTIONS } from '../options/observe.ts';
import { inGroup, ROW_NAMES, ROW_SOURCE, ROW_TARGET } from '../options/row-options.ts';
import { RUN_OPTIONS } from '../options/run.ts';
import { SKOPEO_SYNC_OPTIONS } from './skopeo-sync-options.ts';

const FROM = 'Rows of tags.csv, without --src, from where:';
const TO = 'Rows of tags.csv, to where:';
const ROWS = 'Rows of tags.csv, what of them:';
const WHAT = 'Both ways to sync:';

/** Groups of options that mean nothing with `--src`. */
export const ROW_GROUPS: readonly string[] = [FROM, TO, ROWS];

export const SYNC_OPTIONS = {
  ...inGroup(FROM, ROW_SOURCE),
  ...inGroup(TO, ROW_TARGET),
  ...inGroup(WHAT, ROW_NAMES),
  platform: {
    type: 'strings',
    group: WHAT,
    describe:
      'only this platform of multi-platform images, as linux/arm64 (repeatable); the index is rewritten, so its digest changes',
  },
  referrers: {
    type: 'string',
    choices: ['copied', 'recheck', 'none'],
    group: WHAT,
    describe:
      'signatures, attestations and SBOMs: of images that are copied, of unchanged images too (recheck: manifests of every image are read again), or none; rows: copied unless given, as skopeo: none',
  },
  'follow-moved': {
    type: 'boolean',
    default: false,
    group: ROWS,
    describe: 'copy what a tag stands for now, not the digest in the CSV (one HEAD per row more)',
  },
  'dry-run': {
    type: 'boolean',
    default: false,
    group: WHAT,
    describe: 'only say what would be copied',
  },
  repair: {
    type: 'boolean',
    default: false,
    group: ROWS,
    describe:
      'copy again the rows of WORKDIR/verify.csv (or --tags-file) that are not ok, whatever the target says it has, and look at what came of it',
  },
  'fail-fast': {
    type: 'boolean',
    default: false,
    group: ROWS,
    describe: 'start no new row after the first that fails',
  },
  'grace-period': {
    type: 'integer',
    min: 0,
    default: 20,
    group: WHAT,
    describe: 'seconds that running images are given after SIGTERM',
  },
  'bandwidth-limit': {
    type: 'string',
    group: ROWS,
    describe: 'read no faster than so many bytes per second, as in 20MB or 500kB',
  },
  summary: { type: 'string', group: ROWS, describe: 'file for a summary in JSON' },
  ...SKOPEO_SYNC_OPTIONS,
  ...GLOBAL_OPTIONS,
  ...RUN_OPTIONS,
  ...OBSERVE_OPTIONS,
  ...REPORT_PAGE_OPTIONS,
  jobs: {
    type: 'integer',
    min: 1,
    describe: 'how many images are worked on at the same time, at most (rows: 256, as skopeo: 16)',
  },
  'retry-times': {
    type: 'integer',
    min: 0,
    describe:
      'how often a request is repeated when a registry is busy or out of reach (rows: 5, as skopeo: 2)',
  },
  'azure-cloud': AZURE_CLOUD,
  'azure-credential': AZURE_CREDENTIAL,
  authfile: { type: 'string', describe: 'auth.json or config.json for both registries' },
  ...accessOptions('src-', 'Access to the source (or SOURCE_USERNAME and SOURCE_PASSWORD):'),
  ...accessOptions('dest-', 'Access to the target (or TARGET_USERNAME and TARGET_PASSWORD):'),
} as const satisfies Record<string, OptionSpec>;
