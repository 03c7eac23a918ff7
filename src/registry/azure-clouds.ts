/**
 * Azure's clouds, and what each calls its registries and its identity service. Data only: Azure's
 * packages are loaded when a registry of Azure's is really spoken to.
 *
 * Sources: KnownContainerRegistryAudience of @azure/container-registry; AzureAuthorityHosts of
 * @azure/identity.
 */
export interface AzureCloud {
  readonly name: AzureCloudName;
  /** Of registries: `NAME.azurecr.io`. */
  readonly suffix: string;
  readonly authorityHost: string;
  /** What tokens are for; a registry may be told to refuse those of the resource manager. */
  readonly audiences: readonly string[];
}

export const AZURE_CLOUD_NAMES = ['public', 'china', 'usgovernment'] as const;
export type AzureCloudName = (typeof AZURE_CLOUD_NAMES)[number];

const REGISTRIES = 'https://containerregistry.azure.net';

const CLOUDS: readonly AzureCloud[] = [
  {
    name: 'public',
    suffix: 'azurecr.io',
    authorityHost: 'https://login.microsoftonline.com',
    audiences: [REGISTRIES, 'https://management.azure.com'],
  },
  {
    name: 'china',
    suffix: 'azurecr.cn',
    authorityHost: 'https://login.chinacloudapi.cn',
    audiences: ['https://management.chinacloudapi.cn', REGISTRIES],
  },
  {
    name: 'usgovernment',
    suffix: 'azurecr.us',
    authorityHost: 'https://login.microsoftonline.us',
    audiences: ['https://management.usgovcloudapi.net', REGISTRIES],
  },
];

/**
 * Whom tokens are for. One for the resource manager opens far more than a registry, so it is for hosts
 * of Azure's own only, or where the cloud was named.
 */
export function audiencesFor(
  registry: string,
  cloud: AzureCloud,
  isCloudGiven: boolean,
): readonly string[] {
  return isIn(registry, cloud) || isCloudGiven ? cloud.audiences : [REGISTRIES];
}

/** The cloud of that name; else the one that the registry's host is in; else the public one. */
export function azureCloudOf(registry: string, name?: AzureCloudName): AzureCloud {
  const [publicCloud] = CLOUDS;
  const found = CLOUDS.find((cloud) =>
    name === undefined ? isIn(registry, cloud) : cloud.name === name,
  );
  return found ?? (publicCloud as AzureCloud);
}

function isIn(registry: string, { suffix }: AzureCloud): boolean {
  return registry.replace(/:\d+$/, '').endsWith(`.${suffix}`);
}
