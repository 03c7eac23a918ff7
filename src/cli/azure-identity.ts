/** Who we are in Azure, where a registry of Azure's is spoken to. Azure's packages are loaded then only. */
import { isError, RegistrySyncError } from '../base/errors.ts';
import type { AzureCredentialKind } from '../azure/credentials.ts';
import type { Send } from '../http/send.ts';
import { azureCloudOf, type AzureCloudName } from '../registry/azure-clouds.ts';
import type { CloudIdentity } from '../registry/credential-chain.ts';
import type { Credentials } from '../registry/credentials.ts';
import type { RegistryProfile } from '../registry/profile.ts';
import type { Runtime } from './runtime.ts';

export interface AzureOptions {
  readonly registry: string;
  readonly profile: RegistryProfile;
  /** What was asked for; absent: what the environment hints at. */
  readonly credential?: AzureCredentialKind | 'none' | undefined;
  readonly cloud?: AzureCloudName | undefined;
}

/** How a registry answers that knows nothing of the identity, or of identities at all. */
const NOBODY = ['UNAUTHORIZED', 'NOT_FOUND', 'REJECTED', 'PROTOCOL'] as const;

/** Variables by which Azure tells a program who it is. */
const HINTS = [
  'AZURE_CLIENT_ID',
  'AZURE_TENANT_ID',
  'AZURE_FEDERATED_TOKEN_FILE',
  'AZURE_TOKEN_CREDENTIALS',
  'IDENTITY_ENDPOINT',
  'MSI_ENDPOINT',
];

/**
 * The identity to use with a registry. Without an option it is looked for only where a variable hints
 * at one: outside of Azure the search would take seconds, and a public registry needs none.
 *
 * @throws {RegistrySyncError} `USAGE` when one is asked for and the registry is none of Azure's.
 */
export function azureIdentity(
  { env, secrets, signal, log }: Runtime,
  { registry, profile, credential, cloud }: AzureOptions,
  send: Send,
): CloudIdentity | undefined {
  const isChosen = credential !== undefined;
  if (profile.kind !== 'acr') {
    if (!isChosen || credential === 'none') return undefined;
    const message = `--azure-credential ${credential} is for registries of Azure's, and ${registry} is not known to be one: say so with --registry-kind acr`;
    throw new RegistrySyncError('USAGE', message);
  }
  const hint = HINTS.find((name) => Boolean(env[name]));
  const kind = credential ?? (hint === undefined ? 'none' : 'default');
  if (kind === 'none') return undefined;
  let hasWorked = false;
  async function find(): Promise<Credentials> {
    const { azureCredentials } = await import('../azure/credentials.ts');
    const found = await azureCredentials({
      kind: kind as AzureCredentialKind,
      registry,
      cloud: azureCloudOf(registry, cloud),
      isCloudGiven: cloud !== undefined,
      send,
      hide: (secret) => secrets.addPassing(secret),
      env,
      signal,
    });
    hasWorked = true;
    return found;
  }
  return {
    isChosen,
    async find() {
      try {
        return await find();
      } catch (error) {
        // A variable may be set for something else, and many registries need nobody's identity.
        if (isChosen || hasWorked || !isError(error, ...NOBODY)) throw error;
        const reason = `${hint} is set, but: ${error.message}`;
        log.warn(
          { registry, reason },
          'no identity in Azure, going on without (--azure-credential none says so)',
        );
        return undefined;
      }
    },
  };
}
