/** Images of docker-archives, to be read. */
import { RegistrySyncError } from '../base/errors.ts';
import type { StoreSettings } from './open.ts';

/** The images of an archive, and the names that they have there. */
export async function listArchive(
  path: string,
  _settings: StoreSettings,
  _signal: AbortSignal,
): Promise<readonly { readonly index: number; readonly tags: readonly string[] }[]> {
  throw new RegistrySyncError('UNSUPPORTED', `docker-archive:${path}: is not built yet`);
}
