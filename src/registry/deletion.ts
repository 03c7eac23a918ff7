/**
 * Deletes manifests and tags.
 *
 * Sources: OCI Distribution 1.1, «Content Management», «Deleting tags», «Deleting Manifests»; the API of Azure's
 * registries, version 2021-07-01, `_tags`.
 */
import { RegistrySyncError } from '../base/errors.ts';
import { discard, type HttpResponse } from '../http/send.ts';
import type { Digest } from '../image/digest.ts';
import type { RegistryRequest } from './client.ts';
import { endpoints } from './endpoints.ts';
import { headManifest, nameOf, type Place } from './manifests.ts';

/** What came of it: `gone`: it was not there; `unable`: the registry does no such thing. */
export type Removal = 'deleted' | 'gone' | 'unable';

/**
 * Deletes by the digest that `reference` has now: by the name of a tag most registries delete nothing,
 * or the tag alone. Resolves to the digest.
 */
export async function deleteManifest(
  place: Place,
  reference: string,
  signal: AbortSignal,
): Promise<Digest> {
  const { client, path } = place;
  const what = nameOf(client, path, reference);
  const found = await headManifest(place, reference, signal);
  if (found === undefined) {
    throw new RegistrySyncError('NOT_FOUND', `${what}: there is no such image to delete`);
  }
  const { digest } = found;
  const request = deletionOf(place, digest, signal);
  const response = await client.send(request);
  if (isDone(response)) {
    await discard(response);
    return digest;
  }
  throw await refusal(place, response, { what, request });
}

/**
 * Deletes a manifest, and with it whatever tags it has: whoever asks knows that nobody needs them.
 *
 * @throws {RegistrySyncError} `REJECTED` when the registry refuses, with `details.isForAll` when it deletes nothing
 * at all.
 */
export async function deleteByDigest(
  place: Place,
  digest: Digest,
  signal: AbortSignal,
): Promise<'deleted' | 'gone'> {
  const request = deletionOf(place, digest, signal);
  const response = await place.client.send(request);
  if (isDone(response) || response.status === 404) {
    await discard(response);
    return response.status === 404 ? 'gone' : 'deleted';
  }
  throw await refusal(place, response, { what: nameOf(place.client, place.path, digest), request });
}

/** Takes away a tag alone, as the protocol has it; many registries can't. */
export async function untag(place: Place, tag: string, signal: AbortSignal): Promise<Removal> {
  const request = deletionOf(place, tag, signal);
  const response = await place.client.send(request);
  if (isDone(response) || response.status === 404) {
    await discard(response);
    return response.status === 404 ? 'gone' : 'deleted';
  }
  const what = nameOf(place.client, place.path, tag);
  const error = await place.client.failure(response, what, request);
  if (isUnable(error)) return 'unable';
  throw error;
}

/** Takes away a tag alone, by Azure's own API. */
export async function untagAtAzure(
  { client, path, permission }: Place,
  tag: string,
  signal: AbortSignal,
): Promise<Removal> {
  const url = (origin: string): URL => endpoints.acrTag(origin, path, tag);
  const request = { method: 'DELETE' as const, url, permission, signal };
  const response = await client.expect([200, 202, 404], nameOf(client, path, tag), request);
  await discard(response);
  return response.status === 404 ? 'gone' : 'deleted';
}

function deletionOf(
  { path, permission }: Place,
  reference: string,
  signal: AbortSignal,
): RegistryRequest {
  const url = (origin: string): URL => endpoints.manifest(origin, path, reference);
  return { method: 'DELETE', url, permission, signal };
}

function isDone({ status }: HttpResponse): boolean {
  return status === 202 || status === 200 || status === 204;
}

/** What is locked is refused with the same status by Azure, but says so. */
const OF_THE_IMAGE = /\bREGISTRY_DISALLOWED_OPERATION\b/;
/** distribution said DIGEST_INVALID of a tag before it said UNSUPPORTED: distribution#3174. */
const NO_SUCH_THING = /\b(?:UNSUPPORTED|DIGEST_INVALID)\b/;

/** Registries that can't, say 405, or 400 with a code. */
function isUnable({ details: { status, codes = '' } }: RegistrySyncError): boolean {
  if (status === 405) return !OF_THE_IMAGE.test(String(codes));
  return (status === 400 || status === 501) && NO_SUCH_THING.test(String(codes));
}

async function refusal(
  { client }: Place,
  response: HttpResponse,
  { what, request }: { readonly what: string; readonly request: RegistryRequest },
): Promise<RegistrySyncError> {
  const error = await client.failure(response, what, request);
  if (!isUnable(error)) return error;
  const message = `${error.message}: ${client.registry} does not let images be deleted this way; if it is yours, deletion has to be switched on there (distribution: REGISTRY_STORAGE_DELETE_ENABLED=true)`;
  return new RegistrySyncError(error.code, message, {
    details: { ...error.details, isForAll: true },
  });
}
