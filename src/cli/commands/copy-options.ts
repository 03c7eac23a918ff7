/** The options of `copy`. */
import type { OptionSpec } from '../command.ts';
import { accessOptions } from '../options/access.ts';
import { GLOBAL_OPTIONS } from '../options/global.ts';
import { RETRY_OPTIONS, storeOptions } from '../options/image-access.ts';
import { UNBUILT_OPTIONS } from '../options/unbuilt.ts';

const WHAT = 'What is copied:';
const HOW = 'How it is kept:';
const SOURCE = 'Access to the source (or SOURCE_USERNAME and SOURCE_PASSWORD):';
const DEST = 'Access to the destination (or TARGET_USERNAME and TARGET_PASSWORD):';

export const COPY_OPTIONS = {
  all: {
    type: 'boolean',
    alias: 'a',
    default: false,
    group: WHAT,
    describe: 'all images of a list, and the list',
  },
  'multi-arch': {
    type: 'string',
    group: WHAT,
    describe:
      'system (the image for this machine; what is done unless told), all, index-only, or platforms, as in linux/amd64,linux/arm64',
  },
  'remove-signatures': {
    type: 'boolean',
    default: false,
    group: WHAT,
    describe: 'no signatures: none are copied yet',
  },
  format: {
    type: 'string',
    alias: 'f',
    choices: ['oci', 'v2s2', 'v2s1'],
    group: HOW,
    describe: 'form of the manifest: oci, v2s2 or v2s1; as it is unless given',
  },
  'preserve-digests': {
    type: 'boolean',
    default: false,
    group: HOW,
    describe: 'fail rather than change a digest',
  },
  'additional-tag': {
    type: 'strings',
    group: HOW,
    describe: 'further NAME:TAG in a docker-archive or docker-daemon (repeatable)',
  },
  digestfile: { type: 'string', group: HOW, describe: 'file that the digest is written to' },
  'dest-compress': {
    type: 'boolean',
    default: false,
    group: HOW,
    describe: 'compress layers (dir: only)',
  },
  'dest-decompress': {
    type: 'boolean',
    default: false,
    group: HOW,
    describe: 'decompress layers (dir: only)',
  },
  'dest-compress-format': {
    type: 'string',
    choices: ['gzip', 'zstd', 'zstd:chunked'],
    group: HOW,
    describe: 'how layers are compressed: gzip or zstd',
  },
  'dest-compress-level': { type: 'integer', min: 1, group: HOW, describe: 'and how hard' },
  'dest-force-compress-format': {
    type: 'boolean',
    default: false,
    group: HOW,
    describe: 'all layers in that format, also those that are there in another',
  },
  'dest-oci-accept-uncompressed-layers': {
    type: 'boolean',
    default: false,
    group: HOW,
    describe: 'oci: may hold layers that are not compressed',
  },
  'dest-precompute-digests': {
    type: 'boolean',
    default: false,
    hidden: true,
    describe: 'without effect: digests are always known before',
  },
  'image-parallel-copies': {
    type: 'integer',
    min: 0,
    describe: 'how many large blobs are moved at the same time; 24 unless given',
  },
  'dry-run': { type: 'boolean', default: false, describe: 'only say what would be copied' },
  quiet: { type: 'boolean', alias: 'q', default: false, describe: 'no lines on what is done' },
  ...RETRY_OPTIONS,
  authfile: { type: 'string', describe: 'auth.json or config.json with credentials of both sides' },
  'tls-verify': { type: 'boolean', hidden: true, describe: 'of both sides' },
  ...accessOptions('src-', SOURCE),
  ...storeOptions('src-', SOURCE),
  ...accessOptions('dest-', DEST),
  ...storeOptions('dest-', DEST),
  screds: { type: 'string', hidden: true, describe: 'is --src-creds' },
  dcreds: { type: 'string', hidden: true, describe: 'is --dest-creds' },
  ...UNBUILT_OPTIONS,
  ...GLOBAL_OPTIONS,
} as const satisfies Record<string, OptionSpec>;
