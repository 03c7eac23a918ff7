import { deepEqual, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { copyCommand } from '../../../../src/cli/commands/copy.ts';
import {
  readShape,
  type CopyValues,
  type WantedShape,
} from '../../../../src/cli/commands/copy-shape.ts';
import { readMachine } from '../../../../src/cli/options/machine.ts';
import { parseCommandLine } from '../../../../src/cli/parse.ts';
import type { Transport } from '../../../../src/store/location.ts';

async function values(words: string): Promise<CopyValues> {
  const argv = ['copy', 'dir:a', 'dir:b', ...words.split(' ').filter(Boolean)];
  const parsed = await parseCommandLine(argv, {}, { commands: [copyCommand], version: '1' });
  return (parsed as unknown as { values: CopyValues }).values;
}

async function shape(words: string, to: Transport = 'docker'): Promise<WantedShape> {
  return readShape(await values(words), to);
}

const SYSTEM = readMachine({
  'override-os': undefined,
  'override-arch': undefined,
  'override-variant': undefined,
});
const PLAIN = {
  choice: { kind: 'system', platform: SYSTEM },
  form: undefined,
  compression: undefined,
  preserveDigests: false,
};

/** Options, the destination, what differs from a plain copy. */
const READ: [string, Transport, object][] = [
  ['', 'docker', {}],
  ['--all', 'docker', { choice: { kind: 'all' } }],
  ['-a', 'docker', { choice: { kind: 'all' } }],
  ['--multi-arch all', 'docker', { choice: { kind: 'all' } }],
  ['--multi-arch system', 'docker', {}],
  ['--multi-arch=index-only', 'docker', { choice: { kind: 'index-only' } }],
  [
    '--multi-arch linux/amd64,linux/arm/v7',
    'docker',
    {
      choice: {
        kind: 'platforms',
        platforms: [
          { os: 'linux', architecture: 'amd64' },
          { os: 'linux', architecture: 'arm', variant: 'v7' },
        ],
      },
    },
  ],
  [
    '--override-os windows --override-arch arm --override-variant v7',
    'docker',
    { choice: { kind: 'system', platform: { os: 'windows', architecture: 'arm', variant: 'v7' } } },
  ],
  ['-f oci', 'docker', { form: 'oci' }],
  ['--format v2s2', 'docker', { form: 'docker' }],
  ['--format=v2s1', 'docker', { form: 'schema1' }],
  ['--preserve-digests', 'docker', { preserveDigests: true }],
  ['--dest-compress', 'dir', { compression: { format: 'gzip' } }],
  ['--dest-compress --dest-compress-format zstd', 'dir', { compression: { format: 'zstd' } }],
  ['--dest-compress --dest-compress-level 9', 'dir', { compression: { format: 'gzip', level: 9 } }],
  ['--dest-compress-format zstd', 'dir', {}],
  ['--dest-compress', 'docker', {}],
  ['--dest-decompress', 'dir', { compression: { format: 'plain' } }],
  ['--dest-decompress', 'docker', {}],
  ['--dest-compress-format zstd', 'oci', { compression: { format: 'zstd' } }],
  [
    '--dest-compress-format zstd --dest-compress-level 19',
    'docker',
    { compression: { format: 'zstd', level: 19 } },
  ],
];

describe('readShape', () => {
  for (const [words, to, expected] of READ) {
    it(`reads ${words || 'nothing'} for ${to}`, async () => {
      deepEqual(await shape(words, to), { ...PLAIN, ...expected });
    });
  }

  const refused: [string, RegExp][] = [
    ['--all --multi-arch system', /^give only one of --all and --multi-arch$/],
    ['--multi-arch foo', /^--multi-arch: "foo" is none of system, all, index-only/],
    ['--dest-compress --dest-decompress', /^give only one of/],
    [
      '--dest-compress-format zstd:chunked',
      /^--dest-compress-format zstd:chunked is not supported/,
    ],
    ['--dest-compress-level 10', /gzip has levels from 1 to 9$/],
    ['--dest-force-compress-format', /needs --dest-compress-format$/],
    ['--format bogus', /"bogus" is none of oci, v2s2, v2s1$/],
  ];
  for (const [words, message] of refused) {
    it(`refuses ${words}`, async () => {
      await rejects(shape(words), { message });
    });
  }
});
