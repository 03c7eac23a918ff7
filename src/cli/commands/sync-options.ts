/** The options of `sync`: of rows of a CSV, and as skopeo's. */
import type { OptionSpec } from '../command.ts';
import { accessOptions, AZURE_CREDENTIAL } from '../options/access.ts';
import { AZURE_CLOUD, REGISTRY_KIND } from '../options/registry-name.ts';
import { GLOBAL_OPTIONS } from '../options/global.ts';
import { RUN_OPTIONS } from '../options/run.ts';
import { SKOPEO_SYNC_OPTIONS } from './skopeo-sync-options.ts';

const FROM = 'Rows of tags.csv, without --src, from where:';
const TO = 'Rows of tags.csv, to where:';
const ROWS = 'Rows of tags.csv, what of them:';
const WHAT = 'Both ways to sync:';

/** Groups of options that mean nothing with `--src`. */
export const ROW_GROUPS: readonly string[] = [FROM, TO, ROWS];

export const SYNC_OPTIONS = {
  'source-registry': { type: 'string', group: FROM, describe: 'registry to read, HOST[:PORT]' },
  'source-registry-name': {
    type: 'string',
    group: FROM,
    describe: 'registry to read by its Azure name: NAME means NAME.azurecr.io',
  },
  'source-registry-kind': { ...REGISTRY_KIND, group: FROM },
  namespace: { type: 'string', group: FROM, describe: 'only rows of this namespace' },
  'tags-file': { type: 'string', group: FROM, describe: 'CSV to read instead of WORKDIR/tags.csv' },
  'target-registry': { type: 'string', group: TO, describe: 'registry to write, HOST[:PORT]' },
  'target-registry-name': {
    type: 'string',
    group: TO,
    describe: 'the same; a NAME without a dot means NAME.azurecr.io',
  },
  'target-registry-kind': { ...REGISTRY_KIND, group: TO },
  'target-namespace': {
    type: 'string',
    group: TO,
    describe: "stands in for the source's namespace; may have several parts",
  },
  'target-path': {
    type: 'string',
    group: WHAT,
    describe:
      'repository at the target (in DESTINATION): a template of {namespace} {path} {repository} {name} {tag} {registry}, with {path:-} joined by "-" and :TAG at its end, or one of keep ({namespace}/{path}: the default of rows), two-components ({namespace}/{path:-}), last ({namespace}/{name})',
  },
  'append-suffix': { type: 'string', group: WHAT, describe: 'is added to every tag at the target' },
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
