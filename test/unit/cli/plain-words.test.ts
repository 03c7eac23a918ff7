import { deepEqual, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { defineCommand } from '../../../src/cli/command.ts';
import { plainWords } from '../../../src/cli/plain-words.ts';

const fetchCommand = defineCommand({
  name: 'fetch',
  summary: 'Fetch',
  words: { usage: 'A B', least: 2, most: 2 },
  options: {
    all: { type: 'boolean', alias: 'a', describe: '' },
    quiet: { type: 'boolean', alias: 'q', describe: '' },
    format: { type: 'string', alias: 'f', describe: '' },
    tag: { type: 'strings', describe: '' },
    debug: { type: 'boolean', describe: '' },
    timeout: { type: 'string', describe: '' },
    deep: { type: 'string', bare: 'some', describe: '' },
  },
  examples: [],
  load: async () => async () => 0,
});
const otherCommand = defineCommand({
  name: 'other',
  summary: 'Other',
  options: { format: { type: 'boolean', alias: 'f', describe: '' } },
  examples: [],
  load: async () => async () => 0,
});
const COMMANDS = [fetchCommand, otherCommand];

/** What is written, and what yargs gets. */
const READ: [string, string][] = [
  ['fetch a b', 'fetch a b'],
  ['--debug fetch a b', 'fetch --debug a b'],
  ['--timeout 5s fetch a b', 'fetch --timeout=5s a b'],
  ['--timeout fetch fetch a b', 'fetch --timeout=fetch a b'],
  ['fetch a --all b', 'fetch a --all b'],
  ['fetch --deep a b', 'fetch --deep=some a b'],
  ['fetch --deep=all a b', 'fetch --deep=all a b'],
  ['--deep fetch a b', 'fetch --deep=some a b'],
  ['fetch a b --format oci', 'fetch a b --format=oci'],
  ['fetch -a a b', 'fetch --all a b'],
  ['fetch -aq a b', 'fetch --all --quiet a b'],
  ['fetch -f oci a b', 'fetch --format=oci a b'],
  ['fetch -foci a b', 'fetch --format=oci a b'],
  ['fetch -f=oci a b', 'fetch --format=oci a b'],
  ['fetch -aqf oci a b', 'fetch --all --quiet --format=oci a b'],
  ['fetch -aqfoci a b', 'fetch --all --quiet --format=oci a b'],
  ['-f fetch fetch a b', 'fetch --format=fetch a b'],
  ['fetch -a=false a b', 'fetch --all=false a b'],
  ['fetch --all=F a b', 'fetch --all=false a b'],
  ['fetch --all=0 --quiet=T a', 'fetch --all=false --quiet=true a'],
  ['fetch --tag x --tag=y', 'fetch --tag=x --tag=y'],
  ['fetch --format -x', 'fetch --format=-x'],
  ['fetch --format --all', 'fetch --format --all'],
  ['fetch --unknown a', 'fetch --unknown a'],
  ['fetch -ax a', 'fetch --all -x a'],
  ['fetch --format= a', 'fetch a'],
  ['fetch -- -a', 'fetch -- -a'],
  ['other -f a', 'other --format a'],
  ['fetch other b', 'fetch other b'],
  ['nothing --all', 'nothing --all'],
];

describe('plainWords', () => {
  for (const [written, plain] of READ) {
    it(`reads ${written}`, () => {
      deepEqual(plainWords(written.split(' '), COMMANDS), plain.split(' '));
    });
  }

  it('takes an empty word for no value', () => {
    deepEqual(plainWords(['fetch', '--format', '', 'a'], COMMANDS), ['fetch', 'a']);
  });

  it('refuses what is no boolean', () => {
    throws(() => plainWords(['fetch', '--all=maybe'], COMMANDS), {
      code: 'USAGE',
      message: '--all: "maybe" is neither true nor false',
    });
  });
});
