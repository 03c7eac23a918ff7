/** The options of `sync`. */
import type { OptionSpec } from '../command.ts';
import { accessOptions, AZURE_CREDENTIAL } from '../options/access.ts';
import { AZURE_CLOUD, REGISTRY_KIND } from '../options/registry-name.ts';
import { RUN_OPTIONS } from '../options/run.ts';

const FROM = 'From where:';
const TO = 'To where:';
const WHAT = 'What, and how:';

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
    default: 'keep',
    group: TO,
    describe:
      'repository at the target: a template of {namespace} {path} {name} {tag} {registry}, with {path:-} joined by "-" and :TAG at its end, or one of keep ({namespace}/{path}), two-components ({namespace}/{path:-}), last ({namespace}/{name})',
  },
  'append-suffix': { type: 'string', group: TO, describe: 'is added to every tag at the target' },
  platform: {
    type: 'strings',
    group: WHAT,
    describe:
      'only this platform of multi-platform images, as linux/arm64 (repeatable); the index is rewritten, so its digest changes',
  },
  referrers: {
    type: 'string',
    choices: ['copied', 'recheck', 'none'],
    default: 'copied',
    group: WHAT,
    describe:
      'signatures, attestations and SBOMs: of images that are copied, of unchanged images too (recheck: manifests of every image are read again), or none',
  },
  'follow-moved': {
    type: 'boolean',
    default: false,
    group: WHAT,
    describe: 'copy what a tag stands for now, not the digest in the CSV (one HEAD per row more)',
  },
  'dry-run': {
    type: 'boolean',
    default: false,
    group: WHAT,
    describe: 'only compare, copy nothing',
  },
  'fail-fast': {
    type: 'boolean',
    default: false,
    group: WHAT,
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
    group: WHAT,
    describe: 'read no faster than so many bytes per second, as in 20MB or 500kB',
  },
  summary: { type: 'string', group: WHAT, describe: 'file for a summary in JSON' },
  ...RUN_OPTIONS,
  'azure-cloud': AZURE_CLOUD,
  'azure-credential': AZURE_CREDENTIAL,
  authfile: { type: 'string', describe: 'auth.json or config.json for both registries' },
  ...accessOptions('src-', 'Access to the source (or SOURCE_USERNAME and SOURCE_PASSWORD):'),
  ...accessOptions('dest-', 'Access to the target (or TARGET_USERNAME and TARGET_PASSWORD):'),
} as const satisfies Record<string, OptionSpec>;
