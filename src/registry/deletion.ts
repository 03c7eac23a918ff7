/** Deletes manifests. Source: OCI Distribution 1.1, «Content Management», «Deleting manifests». */
import { RegistrySyncError } from '../base/errors.ts';
import { discard } from '../http/send.ts';
import type { Digest } from '../image/digest.ts';
import { endpoints } from './endpoints.ts';
import { headManifest, nameOf, type Place } from './manifests.ts';

const NOT_ALLOWED = 405;

/**
 * Deletes by the digest that `reference` has now: by the name of a tag most registries delete nothing,
 * or the tag alone. Resolves to the digest.
 */
export async function deleteManifest(
  place: Place,
  reference: string,
  signal: AbortSignal,
): Promise<Digest> {
  const { client, path, permission } = place;
  const what = nameOf(client, path, reference);
  const found = await headManifest(place, reference, signal);
  if (found === undefined) {
    throw new RegistrySyncError('NOT_FOUND', `${what}: there is no such image to delete`);
  }
  const { digest } = found;
  const request = {
    method: 'DELETE' as const,
    url: (origin: string) => endpoints.manifest(origin, path, digest),
    permission,
    signal,
  };
  const response = await client.send(request);
  if (response.status === 202 || response.status === 200 || response.status === 204) {
    await discard(response);
    return digest;
  }
  const error = await client.failure(response, what, request);
  if (response.status !== NOT_ALLOWED) throw error;
  const message = `${error.message}: ${client.registry} does not let images be deleted this way; if it is yours, deletion has to be switched on there`;
  throw new RegistrySyncError(error.code, message, { details: error.details });
}
