/** How a registry is reached and with which credentials: the same words in every command, as in skopeo. */
import type { OptionSpec } from '../command.ts';
import type { CredentialOptions } from '../../registry/credential-chain.ts';

/** Which identity registries of Azure's are shown, when there are no other credentials. */
export const AZURE_CREDENTIAL = {
  type: 'string',
  choices: ['default', 'workload', 'managed', 'env', 'cli', 'none'],
  describe:
    'identity for a registry of Azure: workload, managed, env (AZURE_CLIENT_ID …), cli (az login), default (the first of them that is there), none; without it: default where AZURE_… is set',
} as const satisfies OptionSpec;

const SPECS = {
  creds: { type: 'string', describe: 'credentials as USER:PASSWORD; better in the environment' },
  username: { type: 'string', describe: 'user name' },
  password: { type: 'string', describe: 'password; better in the environment' },
  'registry-token': { type: 'string', describe: 'bearer token that the registry takes as it is' },
  'no-creds': { type: 'boolean', describe: 'go without credentials, whatever files hold' },
  authfile: { type: 'string', describe: 'auth.json or config.json with credentials' },
  'cert-dir': {
    type: 'string',
    describe: 'directory with *.crt of authorities, and *.cert with *.key of our own',
  },
  'tls-verify': {
    type: 'boolean',
    describe: 'false: any certificate will do, and so will plain http',
  },
  'azure-credential': AZURE_CREDENTIAL,
} as const satisfies Record<string, OptionSpec>;

type Names = keyof typeof SPECS;
export type AccessOptions<P extends string> = {
  readonly [N in Names as `${P}${N}`]: (typeof SPECS)[N] & { readonly group: string };
};

/** The options of one side, each with the prefix. */
export function accessOptions<const P extends string>(prefix: P, group: string): AccessOptions<P> {
  return Object.fromEntries(
    Object.entries(SPECS).map(([name, spec]) => [`${prefix}${name}`, { ...spec, group }]),
  ) as unknown as AccessOptions<P>;
}

/** What the options of one side say. */
export interface Access extends CredentialOptions {
  readonly certDir?: string | undefined;
  readonly tlsVerify?: boolean | undefined;
  readonly azureCredential?: AzureCredential | undefined;
}

type AzureCredential = (typeof AZURE_CREDENTIAL.choices)[number];

/** Words that skopeo once had, and still takes. Those of today count more. */
export interface OldNames {
  readonly screds?: string | undefined;
  readonly dcreds?: string | undefined;
  readonly 'tls-verify'?: boolean | undefined;
  readonly 'src-creds'?: string | undefined;
  readonly 'dest-creds'?: string | undefined;
  readonly 'src-tls-verify'?: boolean | undefined;
  readonly 'dest-tls-verify'?: boolean | undefined;
}

/** The same values under the names of today. */
export function withOldNames<V extends OldNames>(values: V): V {
  const { screds, dcreds, 'tls-verify': tlsVerify } = values;
  return {
    ...values,
    'src-creds': values['src-creds'] ?? screds,
    'dest-creds': values['dest-creds'] ?? dcreds,
    'src-tls-verify': values['src-tls-verify'] ?? tlsVerify,
    'dest-tls-verify': values['dest-tls-verify'] ?? tlsVerify,
  };
}

/** What holds for both sides of a sync unless one says otherwise. */
export interface SharedAccess {
  readonly authfile?: string | undefined;
  readonly azureCredential?: string | undefined;
}

/** Reads the options of one side. `shared` are those for both sides. */
export function readAccess(
  values: Readonly<Record<string, unknown>>,
  prefix: string,
  shared: SharedAccess = {},
): Access {
  const text = (name: Names): string | undefined =>
    values[`${prefix}${name}`] as string | undefined;
  const flag = (name: Names): boolean | undefined =>
    values[`${prefix}${name}`] as boolean | undefined;
  return {
    creds: text('creds'),
    username: text('username'),
    password: text('password'),
    registryToken: text('registry-token'),
    noCreds: flag('no-creds'),
    authfile: text('authfile') ?? shared.authfile,
    certDir: text('cert-dir'),
    tlsVerify: flag('tls-verify'),
    azureCredential: (text('azure-credential') ?? shared.azureCredential) as
      AzureCredential | undefined,
  };
}
