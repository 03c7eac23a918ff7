/** The options that `sync` has as skopeo's, besides those of both ways to sync. */
import type { OptionSpec } from '../command.ts';
import { SIGNING_OPTIONS } from '../options/unbuilt.ts';

const WHICH = "As skopeo's sync, with --src:";
const NAMES = "As skopeo's sync, names at the destination:";
const HOW = "As skopeo's sync, how images are copied:";

export const SKOPEO_SYNC_OPTIONS = {
  src: {
    type: 'string',
    alias: 's',
    group: WHICH,
    describe:
      'what SOURCE is: docker (a repository, or one image of it), dir (a tree of directories), yaml (a file with a list)',
  },
  dest: {
    type: 'string',
    alias: 'd',
    group: WHICH,
    describe:
      'what DESTINATION is: docker (a registry, or a path in it), dir (a directory), oci (one OCI layout)',
  },
  filter: {
    type: 'string',
    group: WHICH,
    describe: 'only tags that match this regular expression of Go somewhere (use ^ and $)',
  },
  exclude: {
    type: 'string',
    group: WHICH,
    describe: 'no tags that match this regular expression of Go',
  },
  'keep-going': {
    type: 'boolean',
    default: false,
    group: WHICH,
    describe: 'go on after a failure, and fail at the end',
  },
  digestfile: {
    type: 'string',
    group: WHICH,
    describe: 'file for the digest and the name of each image at the destination',
  },
  scoped: {
    type: 'boolean',
    default: false,
    group: NAMES,
    describe: 'names are the whole source, with its registry',
  },
  'destination-path-style': {
    type: 'string',
    group: NAMES,
    describe:
      'last (the last part of the name: the default), scoped, scoped-without-registry, flat (parts joined by "-": a/b/c is a-b-c), flat:SEPARATOR; or --target-path',
  },
  'prepend-image-suffix': {
    type: 'string',
    group: NAMES,
    describe: 'is put before the last part of each name',
  },
  all: {
    type: 'boolean',
    alias: 'a',
    default: false,
    group: HOW,
    describe: 'images for several platforms with all of them, instead of the one for this machine',
  },
  format: {
    type: 'string',
    alias: 'f',
    choices: ['oci', 'v2s1', 'v2s2'],
    group: HOW,
    describe: 'form of the manifests: oci, v2s2 (Docker), v2s1 (Docker, until 2016)',
  },
  'preserve-digests': {
    type: 'boolean',
    default: false,
    group: HOW,
    describe: 'fail where a digest would change (think of --all)',
  },
  'remove-signatures': {
    type: 'boolean',
    default: false,
    group: HOW,
    describe: 'copy no signatures (none are copied anyway, unless --referrers says so)',
  },
  'retry-delay': {
    type: 'string',
    group: HOW,
    describe: 'the same wait before each repetition, as in 5s, instead of a growing one',
  },
  ...SIGNING_OPTIONS,
  // What skopeo once had, and still takes.
  'tls-verify': { type: 'boolean', hidden: true, describe: '--src-tls-verify, --dest-tls-verify' },
  screds: { type: 'string', hidden: true, describe: '--src-creds' },
  dcreds: { type: 'string', hidden: true, describe: '--dest-creds' },
} as const satisfies Record<string, OptionSpec>;
