/** Reads manifests of one repository. Source: OCI Distribution 1.1, «Pulling manifests». */
import { isError, RegistrySyncError } from '../base/errors.ts';
import { discard, header, readBody, type HttpResponse } from '../http/send.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { algorithmOf, tryParseDigest, type Digest } from '../image/digest.ts';
import {
  childrenOf,
  MAX_MANIFEST_BYTES,
  readManifest,
  type StoredManifest,
} from '../image/manifest.ts';
import { ACCEPT_MANIFESTS } from '../image/media-types.ts';
import { digestOfManifest } from '../image/schema1.ts';
import type { RegistryClient, RegistryRequest } from './client.ts';
import type { Permission } from './authorize.ts';
import { endpoints } from './endpoints.ts';
import type { Inventory } from './inventory.ts';

/** A repository, and what one may do there. */
export interface Place {
  readonly client: RegistryClient;
  readonly path: string;
  readonly permission: Permission;
  /** Whether the registry keeps the repository's referrers itself; unknown until one was asked for or put. */
  readonly referrers: { areKept: boolean | undefined };
  /** What the registry's lists say of the repository's tags, where they are read. */
  readonly inventory?: Inventory | undefined;
}

/**
 * What a tag or digest stands for, by HEAD; `undefined`: nothing. Registries that don't say the
 * digest are asked for the manifest.
 *
 * @param absent further statuses that mean «nothing» to the caller.
 */
export async function headManifest(
  place: Place,
  reference: string,
  signal: AbortSignal,
  absent: readonly number[] = [],
): Promise<Descriptor | undefined> {
  const { client, path } = place;
  const request = requestFor(place, 'HEAD', reference, signal);
  const what = nameOf(client, path, reference);
  const response = await client.expect([200, 404, ...absent], what, request);
  await discard(response);
  if (response.status !== 200) return undefined;
  const digest = digestHeader(response);
  const size = Number(header(response, 'content-length') ?? Number.NaN);
  const mediaType = header(response, 'content-type')?.split(';')[0] ?? '';
  if (digest !== undefined) return { mediaType, digest, size: Number.isNaN(size) ? 0 : size };
  try {
    return (await getManifest(place, reference, signal)).descriptor;
  } catch (error) {
    if (isError(error, 'NOT_FOUND')) return undefined; // a HEAD that says no digest may say too much
    throw error;
  }
}

/**
 * A manifest, checked: against the digest it was asked by, else against the one that the registry
 * says it has. Damaged bytes are asked for once more.
 *
 * @throws {RegistrySyncError} `NOT_FOUND`, `CONTENT_MISMATCH`, `PROTOCOL`
 */
export async function getManifest(
  place: Place,
  reference: string,
  signal: AbortSignal,
): Promise<StoredManifest> {
  try {
    return await getOnce(place, reference, signal);
  } catch (error) {
    if (!isError(error, 'CONTENT_MISMATCH')) throw error;
    return getOnce(place, reference, signal);
  }
}

async function getOnce(
  place: Place,
  reference: string,
  signal: AbortSignal,
): Promise<StoredManifest> {
  const { client, path } = place;
  const what = nameOf(client, path, reference);
  const response = await client.expect([200], what, requestFor(place, 'GET', reference, signal));
  const bytes = await readBody(response, MAX_MANIFEST_BYTES, what);
  const expected = tryParseDigest(reference) ?? digestHeader(response);
  const algorithm = expected === undefined ? undefined : algorithmOf(expected);
  // Before anything is read from them: damaged bytes may look like anything.
  const digest = digestOfManifest(bytes, algorithm);
  if (expected !== undefined && digest !== expected) {
    const message = `${what} hashes to ${digest}${reference === expected ? '' : `, not ${expected}`}`;
    throw new RegistrySyncError('CONTENT_MISMATCH', message);
  }
  const stored = readManifest(bytes, header(response, 'content-type'), algorithm);
  if (client.isBothSides) noteChildren(place, stored);
  return stored;
}

/** The registry is also the target: what its manifests need can be linked from here. */
function noteChildren({ client, path }: Place, { manifest }: StoredManifest): void {
  for (const { digest } of childrenOf(manifest)) client.blobs.noteMountable(path, digest);
}

function requestFor(
  { path, permission }: Place,
  method: 'GET' | 'HEAD',
  reference: string,
  signal: AbortSignal,
): RegistryRequest {
  return {
    method,
    url: (origin) => endpoints.manifest(origin, path, reference),
    headers: { accept: ACCEPT_MANIFESTS },
    gather: MAX_MANIFEST_BYTES,
    permission,
    signal,
    isPull: method === 'GET',
  };
}

function digestHeader(response: HttpResponse): Digest | undefined {
  return tryParseDigest(header(response, 'docker-content-digest') ?? '');
}

/** `registry/path:tag` or `registry/path@digest`. */
export function nameOf({ registry }: RegistryClient, path: string, reference: string): string {
  return `${registry}/${path}${reference.includes(':') ? '@' : ':'}${reference}`;
}
