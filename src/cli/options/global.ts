/** Options that skopeo's commands have in common, before or after the command's name. */
import type { OptionSpec } from '../command.ts';

const GLOBAL = 'Of all commands:';

export const GLOBAL_OPTIONS = {
  debug: { type: 'boolean', default: false, group: GLOBAL, describe: 'a line per request' },
  'log-format': {
    type: 'string',
    choices: ['text', 'json'],
    default: 'text',
    group: GLOBAL,
    describe: 'form of the log on stderr: text or json',
  },
  'command-timeout': {
    type: 'string',
    group: GLOBAL,
    describe: 'give up after so long, as in 90s or 1h30m',
  },
  'override-os': { type: 'string', group: GLOBAL, describe: 'choose images for this system' },
  'override-arch': {
    type: 'string',
    group: GLOBAL,
    describe: 'choose images for this architecture',
  },
  'override-variant': {
    type: 'string',
    group: GLOBAL,
    describe: 'choose images for this variant of the architecture',
  },
  policy: { type: 'string', group: GLOBAL, describe: 'policy.json instead of the usual ones' },
  'insecure-policy': {
    type: 'boolean',
    default: false,
    group: GLOBAL,
    describe: 'take every image, whatever policy.json says',
  },
  'registries.d': {
    type: 'string',
    group: GLOBAL,
    describe: 'directory that says where signatures are',
  },
  'registries-conf': {
    type: 'string',
    group: GLOBAL,
    describe: 'registries.conf instead of the usual ones',
  },
  tmpdir: { type: 'string', group: GLOBAL, describe: 'directory for large temporary files' },
  'user-agent': { type: 'string', group: GLOBAL, hidden: true, describe: 'User-Agent of requests' },
  'user-agent-prefix': {
    type: 'string',
    group: GLOBAL,
    hidden: true,
    describe: 'is put before the User-Agent',
  },
  'max-connections': {
    type: 'integer',
    min: 1,
    default: 256,
    group: GLOBAL,
    describe: 'connections per host, at most',
  },
  'allow-private-host': {
    type: 'strings',
    group: GLOBAL,
    describe: 'host that a public registry may lead to although it has a private address',
  },
} as const satisfies Record<string, OptionSpec>;
