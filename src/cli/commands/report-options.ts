/** The options of `report`. */
import type { OptionSpec } from '../command.ts';
import { OBSERVE_OPTIONS } from '../options/observe.ts';
import { RUN_OPTIONS } from '../options/run.ts';

const { 'log-format': logFormat, quiet, debug } = RUN_OPTIONS;

export const REPORT_OPTIONS = {
  workdir: {
    type: 'string',
    default: '.',
    describe:
      'directory of the CSV files and of the records of runs; with --merge, where to write them',
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
  'termination-log': OBSERVE_OPTIONS['termination-log'],
  'log-format': logFormat,
  quiet,
  debug,
} as const satisfies Record<string, OptionSpec>;
