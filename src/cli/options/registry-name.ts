/** Registries by their host, or by the short name that Azure gives them. */
import { parseRegistry } from '../../image/reference.ts';
import {
  AZURE_CLOUD_NAMES,
  azureCloudOf,
  type AzureCloudName,
} from '../../registry/azure-clouds.ts';
import { REGISTRY_KINDS } from '../../registry/profile.ts';
import { exactlyOne, type OptionSpec } from '../command.ts';

export interface GivenRegistry {
  readonly host: string | undefined;
  readonly name: string | undefined;
  /** The one that a short name is of; the public one unless given. */
  readonly cloud?: AzureCloudName | undefined;
}

/**
 * The registry that `--x HOST` or `--x-name NAME` means: a NAME without a dot is Azure's.
 *
 * @throws {RegistrySyncError} `USAGE` unless exactly one of them is given.
 */
export function readRegistry(option: string, given: GivenRegistry): string {
  const name = given.name && fullName(given.name, given.cloud);
  return parseRegistry(exactlyOne({ [option]: given.host, [`${option}-name`]: name }));
}

function fullName(name: string, cloud: AzureCloudName | undefined): string {
  const isFull = /[.:]/.test(name) || name === 'localhost';
  return isFull ? name : `${name}.${azureCloudOf('', cloud).suffix}`;
}

export const REGISTRY_KIND = {
  type: 'string',
  choices: REGISTRY_KINDS,
  describe: `what it is, where its host does not say so, as for a domain of your own: ${REGISTRY_KINDS.join(', ')}`,
} as const satisfies OptionSpec;

export const AZURE_CLOUD = {
  type: 'string',
  choices: AZURE_CLOUD_NAMES,
  describe: `cloud that short names and identities of Azure belong to: ${AZURE_CLOUD_NAMES.join(', ')}`,
} as const satisfies OptionSpec;
