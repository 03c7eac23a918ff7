/** The options of `report`. */
import type { OptionSpec } from '../command.ts';
import { OBSERVE_OPTIONS } from '../options/observe.ts';
import { RUN_OPTIONS } from '../options/run.ts';

const { 'log-format': logFormat, quiet, debug } = RUN_OPTIONS;

export const REPORT_OPTIONS = {
  // Without a default: what --merge writes must not land where somebody happens to be.
  workdir: {
    type: 'string',
    describe:
      'directory of the CSV files and of the records of runs, "." unless given; with --merge, which needs it, where to write them',
  },
  out: { type: 'string', describe: 'write a page for browsers to this file, as report.html' },
  previous: {
    type: 'string',
    describe:
      'the workdir of an earlier run, or a directory with one per run, of which the newest is taken: what has changed since',
  },
  merge: {
    type: 'strings',
    describe:
      'the workdir of a shard, or its results.csv: all that are given are joined into --workdir (repeatable)',
  },
  'run-id': OBSERVE_OPTIONS['run-id'],
  'termination-log': OBSERVE_OPTIONS['termination-log'],
  'log-format': logFormat,
  quiet,
  debug,
} as const satisfies Record<string, OptionSpec>;
