/** Registries by their host, or by the short name that Azure gives them. */
import { parseRegistry } from '../../image/reference.ts';
import { exactlyOne } from '../command.ts';

/**
 * The registry that `--x HOST` or `--x-name NAME` means: a NAME without a dot is Azure's.
 *
 * @throws {RegistrySyncError} `USAGE` unless exactly one of them is given.
 */
export function readRegistry(
  option: string,
  host: string | undefined,
  name: string | undefined,
): string {
  return parseRegistry(exactlyOne({ [option]: host, [`${option}-name`]: name && fullName(name) }));
}

function fullName(name: string): string {
  return /[.:]/.test(name) || name === 'localhost' ? name : `${name}.azurecr.io`;
}
