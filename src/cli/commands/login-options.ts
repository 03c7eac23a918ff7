/** The options of `login` and `logout`. */
import type { OptionSpec } from '../command.ts';
import { GLOBAL_OPTIONS } from '../options/global.ts';

/** Which file, and how the registry is reached. */
const AUTH_FILE_OPTIONS = {
  authfile: {
    type: 'string',
    describe:
      'the file; REGISTRY_AUTH_FILE or ${XDG_RUNTIME_DIR}/containers/auth.json unless given',
  },
  'compat-auth-file': {
    type: 'string',
    describe: "instead of --authfile: a file in docker's form, as ~/.docker/config.json",
  },
  'tls-verify': {
    type: 'boolean',
    describe: 'false: any certificate will do, and so will plain http',
  },
} as const satisfies Record<string, OptionSpec>;

export const LOGIN_OPTIONS = {
  username: { type: 'string', alias: 'u', describe: 'user name; asked for unless given' },
  password: {
    type: 'string',
    alias: 'p',
    describe: 'password; others on this machine can see it: better --password-stdin',
  },
  'password-stdin': { type: 'boolean', default: false, describe: 'take the password from stdin' },
  'get-login': {
    type: 'boolean',
    default: false,
    describe: 'print who is logged in, and do nothing else',
  },
  verbose: {
    type: 'boolean',
    default: false,
    alias: 'v',
    describe: 'say where the credentials are kept',
  },
  'cert-dir': {
    type: 'string',
    describe: 'directory with *.crt of authorities, and *.cert with *.key of our own',
  },
  ...AUTH_FILE_OPTIONS,
  ...GLOBAL_OPTIONS,
} as const satisfies Record<string, OptionSpec>;

export const LOGOUT_OPTIONS = {
  all: {
    type: 'boolean',
    default: false,
    alias: 'a',
    describe: 'forget the credentials of all registries in the file',
  },
  ...AUTH_FILE_OPTIONS,
  ...GLOBAL_OPTIONS,
} as const satisfies Record<string, OptionSpec>;
