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
    describe:
      'connections per host, at most: how many are used goes by how fast the host answers',
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
