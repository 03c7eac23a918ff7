/** Why we differ from skopeo 1.9.3 where that is meant. The table of docs/skopeo.md has these sentences. */
export const REASONS = {
  newer: 'Newer versions of skopeo do this; 1.9.3, with which we are compared, does not yet.',
  notFound: 'Exit code 2 says that there is no such image, as newer versions of skopeo say it.',
  digestReported: 'A digest that changes on the way is reported, the old and the new one.',
  steps:
    'Blobs are copied in parallel and named by the digest they get; the images of a list are not counted.',
  syncSteps: 'sync copies images in parallel and reports images, on stderr, not the steps of each.',
  wrongWords: 'A wrong number of words is an error; skopeo 1.9.3 prints its help and ends with 0.',
  loopback: 'A registry on loopback is asked by plain HTTP unless `tls-verify` is given.',
  zstdNeedsNode: 'Writing zstd needs Node 22.15 or later; with an older one it is refused.',
  emptyDirectories: 'Directories that would stay empty are not made.',
  tabs: 'skopeo 1.9.3 loses the last line of a template that ends in a tab stop or without a line end.',
  template:
    'Of Go templates, `html`, `js`, `urlquery` and `block` are left out: nobody was found to use them.',
  confVersion1: 'registries.conf of version 1 is refused: it can not say what version 2 can.',
  strictYaml:
    'What is wrong in the YAML file is an error before anything is copied; skopeo goes on without it.',
  skipped:
    'What could not be listed makes the exit code 1, after all the rest; skopeo skips it and ends with 0.',
  parallel: 'Images are copied in parallel: others may have arrived when one fails.',
  keysInOrder: 'Other entries of auth.json stay where they are; skopeo sorts them.',
  preserve:
    '`--preserve-digests` with a `--format` that changes them is refused; skopeo forgets the format.',
  scopedPort:
    'A port in a scoped destination is left out; skopeo makes a name that no registry can have, and fails.',
  unchanged: 'What is there already is not copied again, and that is said.',
  parents: 'Parent directories of what is written are made.',
  refused: 'What could not have an effect is an error; skopeo ignores it.',
  plainLayers:
    'The layers of a docker-archive are called plain, as they are; skopeo calls them gzip, so the digest of the manifest that is made up for them differs.',
  booleans:
    'Booleans may be yes, no, on and off too, in any case, and may stand in a word of their own.',
  keyOrder: 'What is written anew keeps the order of its keys; skopeo has an order of its own.',
  preserveArchive:
    '`--preserve-digests` to an archive, in which layers have to be plain, is refused: the digests would not stay.',
  indexAlone: 'An index without its images is not converted.',
  schema1Config:
    '`inspect --config` of schema 1 prints the config that is in its history, without layers, whose digests are not known; skopeo prints empty ones, and nothing with `--raw`.',
  dirToDir: 'sync copies from directories to directories too; skopeo leaves that to other tools.',
  shells: 'Completion is for bash, zsh and fish.',
} as const;

export type Reason = keyof typeof REASONS;
