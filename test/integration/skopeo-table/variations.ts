/** Differences that are meant and that many lines show: when each applies, and to what. */
import * as zlib from 'node:zlib';

import type { Case, Expectation, Outcome } from './case.ts';
import type { Reason } from './reasons.ts';

interface Variation {
  readonly because: Reason;
  readonly excuses: readonly (keyof Expectation)[];
  readonly applies: (skopeo: Outcome, ours: Outcome, test: Case) => boolean;
}

const MISSING =
  /manifest unknown|no such file|not found|no descriptor found|no image found|Invalid source index|name unknown/;
const TLS_ASKED = /--(src-|dest-)?tls-verify(=true| |$)/;
const CAN_ZSTD = 'createZstdCompress' in zlib;

export const VARIATIONS: readonly Variation[] = [
  {
    because: 'notFound',
    excuses: ['code'],
    applies: (skopeo, ours) => skopeo.code === 1 && ours.code === 2 && MISSING.test(skopeo.stderr),
  },
  {
    because: 'wrongWords',
    excuses: ['code', 'stdout'],
    applies: (skopeo, ours) =>
      skopeo.code === 0 && ours.code === 1 && skopeo.stdout.includes('Usage:'),
  },
  {
    because: 'loopback',
    excuses: ['code', 'stdout', 'left'],
    applies: (skopeo, ours, { line, files = {} }) =>
      /server gave HTTP response to HTTPS client/.test(skopeo.stderr) &&
      ours.code === 0 &&
      !TLS_ASKED.test(line) &&
      !Object.values(files).some((text) => text.includes('tls-verify: true')),
  },
  {
    because: 'zstdNeedsNode',
    excuses: ['code', 'stdout', 'left'],
    applies: (_, ours) => !CAN_ZSTD && ours.code === 1 && /zstd by Node/.test(ours.stderr),
  },
  {
    because: 'unchanged',
    excuses: ['stdout'],
    applies: (skopeo, ours) => skopeo.code === 0 && ours.stdout.includes('Nothing to copy'),
  },
  {
    because: 'scopedPort',
    excuses: ['code', 'stdout', 'left'],
    applies: (skopeo, ours, { line }) =>
      line.includes('--scoped') &&
      ours.code === 0 &&
      /Cannot obtain a valid image reference.*invalid reference format/.test(skopeo.stderr),
  },
  {
    because: 'preserve',
    excuses: ['code', 'stdout', 'left'],
    applies: (skopeo, ours, { line }) =>
      /--preserve-digests .*--format/.test(line) &&
      skopeo.code === 0 &&
      /can't be copied with its digests/.test(ours.stderr),
  },
  {
    because: 'plainLayers',
    excuses: ['stdout', 'left'],
    applies: (skopeo, ours, { line }) =>
      /docker-archive:\{s\}/.test(line) && skopeo.code === 0 && ours.code === 0,
  },
  {
    because: 'schema1Config',
    excuses: ['stdout'],
    applies: (skopeo, ours, { line }) =>
      /^inspect --config(?: --raw)? dir:\{s\}\/schema1$/.test(line) &&
      skopeo.code === 0 &&
      ours.code === 0,
  },
  {
    because: 'keyOrder',
    excuses: ['left'],
    applies: (skopeo, ours, { line }) =>
      line.includes('--dest-decompress') && skopeo.code === 0 && ours.code === 0,
  },
  {
    because: 'syncSteps',
    excuses: ['stdout'],
    applies: (skopeo, ours, { line }) =>
      /\bsync\b/.test(line) && skopeo.stdout !== '' && ours.stdout === '',
  },
];

/** A text without what newer versions print in addition, and without what is meant to differ. */
export function likeOlder(text: string): string {
  return text.replace(/^    "LayersData": (?:\[\n.*?^    \]|null|\[\]),?\n/gms, '');
}

/** The steps of a copy, each once, in no order. */
export function progressOf(text: string): string {
  const steps = text
    .split('\n')
    .map((line) => line.replace(/^(Copying (?:blob|config)) .*$/, '$1'))
    .filter((line) => line !== '' && !UNCOMPARED.test(line));
  return [...new Set(steps)].toSorted().join('\n');
}

const UNCOMPARED =
  /^(Storing (list )?signatures|The digest has changed|Getting image list signatures|Copying image|Copying \d+ of \d+)/;
