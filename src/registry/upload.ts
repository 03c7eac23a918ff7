/**
 * Makes a repository hold a blob, in the cheapest way there is: it does, it can be linked, or it is
 * uploaded.
 *
 * Source: OCI Distribution 1.1, «Pushing Blobs», «Mounting a blob from another repository». The
 * upload is POST, one PATCH with everything and an empty PUT, the form that every registry takes;
 * small blobs go with the PUT, which saves a request.
 */
import {
  isError,
  isRetryable,
  RegistrySyncError,
  throwIfAborted,
  withDetails,
} from '../base/errors.ts';
import { orAborted } from '../base/on-abort.ts';
import { resolveHop } from '../http/origin.ts';
import { backoffMs } from '../http/retry.ts';
import { discard, header, type HttpResponse } from '../http/send.ts';
import type { Descriptor } from '../image/descriptor.ts';
import {
  SMALL_BLOB_BYTES,
  type BlobBytes,
  type BlobOutcome,
  type OpenBlob,
} from '../image/source-and-sink.ts';
import type { Claim } from './blob-directory.ts';
import type { RegistryClient, RegistryRequest } from './client.ts';
import { endpoints } from './endpoints.ts';
import { pushTo } from './permissions.ts';

/** A blob and where it is to be. */
export interface Upload {
  readonly client: RegistryClient;
  /** Of the repository. */
  readonly path: string;
  readonly target: Descriptor;
  readonly open: OpenBlob;
  readonly signal: AbortSignal;
}

/** Waits for its turn (`claim`), then brings the blob unless another way was found meanwhile. */
export async function putBlob(upload: Upload, claim: Claim): Promise<BlobOutcome> {
  const { client, path, target, signal } = upload;
  const { blobs } = client;
  for (;;) {
    throwIfAborted(signal);
    if (claim.failure !== undefined) throw claim.failure;
    if (blobs.holds(path, target.digest)) return 'present';
    const from = blobs.mountSource(target.digest, path);
    const isMine = claim.isFirst || from !== undefined || !blobs.mounts;
    if (claim.isBroughtHere || !isMine) await orAborted(blobs.changed(target.digest), signal);
    else if (blobs.selfLinks.isBeingLearnt) await orAborted(blobs.selfLinks.learnt, signal);
    else return bring(upload, from);
  }
}

/**
 * A registry that links a blob from the repository it is in to that same repository is asked and,
 * where the blob is not there, opened an upload in one request. Whether it does is learnt with the
 * first small blob; a large one would keep all the others waiting.
 */
function bring(upload: Upload, from: string | undefined): Promise<BlobOutcome> {
  const { client, path, target } = upload;
  const { selfLinks } = client.blobs;
  if (client.blobs.isDoubted(path, target.digest)) return send(upload);
  if (selfLinks.work === true) return mountOrSend(upload, from ?? path);
  if (selfLinks.work === false || target.size > SMALL_BLOB_BYTES) return askAndBring(upload, from);
  return selfLinks.learn(async () => {
    const outcome = await askAndBring(upload, from);
    return { outcome, work: await linksToItself(upload) };
  });
}

async function askAndBring(upload: Upload, from: string | undefined): Promise<BlobOutcome> {
  const { client, path, target } = upload;
  if (await isThere(upload)) {
    client.blobs.noteMountable(path, target.digest);
    return 'present';
  }
  return from === undefined ? send(upload) : mountOrSend(upload, from);
}

/** Of a blob that is there. An upload that is opened instead is not needed. */
async function linksToItself(upload: Upload): Promise<boolean | undefined> {
  const { client, path, signal } = upload;
  const { mounted, session } = await tryMount(upload, path);
  if (!mounted && session === undefined) return undefined; // a mishap says nothing
  const mayCancel = client.profile.cancelsUploads && session?.origin === client.origin;
  if (session !== undefined && mayCancel) {
    try {
      const url = (): URL => session;
      await discard(await client.send({ method: 'DELETE', url, permission: pushTo(path), signal }));
    } catch (error) {
      throwIfAborted(signal);
      client.log.debug({ error: String(error) }, 'an upload was not cancelled'); // it will expire
    }
  }
  return mounted;
}

async function isThere({ client, path, target, signal }: Upload): Promise<boolean> {
  const request: RegistryRequest = {
    method: 'HEAD',
    url: (origin) => endpoints.blob(origin, path, target.digest),
    permission: pushTo(path),
    signal,
  };
  const response = await client.send(request);
  await discard(response);
  const size = header(response, 'content-length');
  if (response.status === 200) return size === undefined || Number(size) === target.size;
  // Some registries deny what isn't there; whether we may push is seen when we do.
  if (response.status < 500 && response.status !== 429) return false;
  throw await client.failure(response, `blob ${target.digest} in ${path}`, request);
}

async function mountOrSend(upload: Upload, from: string): Promise<BlobOutcome> {
  const { client, path, target } = upload;
  const { mounted, session } = await tryMount(upload, from);
  if (mounted) client.blobs.noteHeld(path, target.digest);
  if (from === path) return mounted ? 'present' : send(upload, session);
  client.blobs.noteMount(mounted);
  if (mounted) return 'mounted';
  client.blobs.forget(from, target.digest);
  return send(upload, session);
}

/** Linking is a favour: whatever goes wrong with it, the blob can still be uploaded. */
async function tryMount(
  upload: Upload,
  from: string,
): Promise<{ mounted: boolean; session?: URL }> {
  const { client, path, target, signal } = upload;
  const { repository, scopes } = pushTo(path);
  const url = (origin: string): URL =>
    endpoints.mount(origin, path, { digest: target.digest, from });
  try {
    const response = await client.send({
      method: 'POST',
      url,
      permission: {
        repository,
        scopes: from === path ? scopes : [...scopes, `repository:${from}:pull`],
      },
      signal,
    });
    await discard(response);
    if (response.status !== 202) return { mounted: response.status === 201 };
    return { mounted: false, session: locationOf(response, upload, url) };
  } catch (error) {
    throwIfAborted(signal);
    if (!(error instanceof RegistrySyncError)) throw error;
    client.log.debug({ error: error.message, from }, 'mount failed');
    return { mounted: false };
  }
}

/** Uploads, and starts over when the stream broke. `opened` is a session that is there already. */
async function send(upload: Upload, opened?: URL): Promise<BlobOutcome> {
  const { client, path, target, signal } = upload;
  let session = opened;
  let damaged = 0;
  for (let attempt = 1; ; attempt += 1) {
    // Not tried here again: a request without a stream has been repeated as often as it may be.
    session ??= await startUpload(upload);
    try {
      await sendOnce(upload, session);
      break;
    } catch (error) {
      throwIfAborted(signal);
      if (isError(error, 'CONTENT_MISMATCH')) damaged += 1;
      const startsOver = attempt <= client.retry.times && mayStartOver(error, damaged);
      if (!startsOver && !isUnclosed(error)) throw error;
      session = undefined;
      if (startsOver) {
        const { message } = error as Error;
        client.log.debug({ digest: target.digest, attempt, error: message }, 'upload starts over');
        await client.clock.sleep(backoffMs(client.retry, attempt), signal);
      }
      if (await isThere(upload)) break; // only the answer was lost
      if (!startsOver) throw error;
    }
  }
  client.blobs.noteHeld(path, target.digest);
  return 'copied';
}

/**
 * A broken stream and a session that the registry has lost are worth another try. What the source
 * could not give has been tried often enough there, and who asks to come back later means it; wrong
 * bytes may have been damaged on the way, once.
 */
function mayStartOver(error: unknown, damaged: number): boolean {
  if (isError(error, 'CONTENT_MISMATCH')) return damaged === 1;
  if (!(error instanceof RegistrySyncError) || error.details.side === 'source') return false;
  if (error.details.retryAfterMs !== undefined || isUnclosed(error)) return false;
  return isRetryable(error) || error.details.status === 404 || error.details.status === 416;
}

/** What closes an upload has no stream: it has been repeated as often as it may be. */
function isUnclosed(error: unknown): boolean {
  return isError(error, 'UNAVAILABLE', 'RATE_LIMITED') && error.details.closing === true;
}

async function startUpload(upload: Upload): Promise<URL> {
  const { client, path, signal } = upload;
  const url = (origin: string): URL => endpoints.uploads(origin, path);
  const permission = pushTo(path);
  const request: RegistryRequest = { method: 'POST', url, permission, signal };
  const what = `upload to ${client.registry}/${path}`;
  try {
    const response = await client.expect([202], what, request);
    await discard(response);
    return locationOf(response, upload, url);
  } catch (error) {
    throw withCreation(error, client);
  }
}

/** A repository that is not there is denied or not found; what is to be done depends on the registry. */
function withCreation(error: unknown, { profile }: RegistryClient): unknown {
  if (profile.creation === undefined || !isError(error, 'NOT_FOUND', 'UNAUTHORIZED')) return error;
  const { code, details, message, cause } = error;
  return new RegistrySyncError(code, `${message}. ${profile.creation}`, { cause, details });
}

async function sendOnce(upload: Upload, session: URL): Promise<void> {
  const { open } = upload;
  // Opened before the request takes a place at the target: who holds one must not wait to open.
  const first = await open();
  try {
    await sendOpened(upload, session, first);
  } finally {
    if (!(first instanceof Uint8Array)) first.destroy(); // if it was not even begun
  }
}

async function sendOpened(upload: Upload, session: URL, first: BlobBytes): Promise<void> {
  const { client, path, target, open, signal } = upload;
  const body =
    first instanceof Uint8Array ? first : { size: target.size, open: startingWith(first, open) };
  const headers = { 'content-type': 'application/octet-stream' };
  const request = { headers, permission: pushTo(path), signal };
  const what = `upload of ${target.digest} to ${client.registry}/${path}`;
  if (target.size <= client.profile.monolithicBytes) {
    const url = (): URL => closing(session, target);
    // Not repeated by itself: who knows what the session has become.
    const put = { ...request, method: 'PUT' as const, url, body, once: true };
    await discard(await client.expect([201], what, put));
    return;
  }
  const patch: RegistryRequest = { ...request, method: 'PATCH', url: () => session, body };
  const patched = await client.expect([201, 202], what, patch);
  await discard(patched);
  const next = locationOf(patched, upload, () => session);
  const put: RegistryRequest = {
    ...request,
    method: 'PUT',
    url: () => closing(next, target),
    body: new Uint8Array(0),
  };
  try {
    await discard(await client.expect([201], what, put));
  } catch (error) {
    throw withDetails(error, { closing: true });
  }
}

/** Gives what is open already, and then opens anew. */
function startingWith(first: BlobBytes, open: OpenBlob): OpenBlob {
  let given: BlobBytes | undefined = first;
  return async () => {
    const bytes = given ?? (await open());
    given = undefined;
    return bytes;
  };
}

/** Whatever the Location looks like, it is only added to. */
function closing(session: URL, { digest }: Descriptor): URL {
  const url = new URL(session);
  url.search += `${url.search === '' ? '?' : '&'}digest=${digest}`;
  return url;
}

/** Where the upload goes on: relative to what was asked, and nowhere that `resolveHop` won't go. */
function locationOf(
  response: HttpResponse,
  { client, path }: Upload,
  asked: RegistryRequest['url'],
): URL {
  const location = header(response, 'location');
  const base = asked(client.origin ?? `https://${client.registry}`);
  if (location !== undefined) return resolveHop(location, base, 'an upload location');
  const message = `${client.registry} opened no upload to ${path}`;
  throw new RegistrySyncError('PROTOCOL', message);
}
