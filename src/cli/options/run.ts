/** Options that every command has: how hard it tries, and what it says. */
import type { OptionSpec } from '../command.ts';

export const RUN_OPTIONS = {
  workdir: { type: 'string', default: '.', describe: 'directory of the CSV files' },
  jobs: {
    type: 'integer',
    min: 1,
    default: 256,
    describe: 'how many images are worked on at the same time, at most',
  },
  'max-connections': {
    type: 'integer',
    min: 1,
    default: 256,
    describe: 'connections per host, at most: how many are used goes by how fast the host answers',
  },
  'allow-private-host': {
    type: 'strings',
    describe:
      'host that a public registry may lead to although it has a private address, as a token server or storage inside a network; ".example.com" for all below (repeatable)',
  },
  shard: {
    type: 'string',
    describe:
      'I/N: only the repositories of this one of N equal shares (I from 0), as several machines share the work; in a pod of an Indexed Job JOB_COMPLETION_INDEX/JOB_COMPLETIONS unless given',
  },
  'retry-times': {
    type: 'integer',
    min: 0,
    default: 5,
    describe: 'how often a request is repeated when a registry is busy or out of reach',
  },
  'log-format': {
    type: 'string',
    choices: ['text', 'json'],
    default: 'text',
    describe: 'form of the log on stderr: text or json',
  },
  quiet: { type: 'boolean', default: false, describe: 'only warnings and errors' },
  debug: { type: 'boolean', default: false, describe: 'a line per request' },
} as const satisfies Record<string, OptionSpec>;
