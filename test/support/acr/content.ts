/**
 * Manifests and blobs as `/v2` gives and takes them, with Azure's locks, redirects and delays.
 *
 * Sources: OCI Distribution 1.1; recordings published with Azure/azure-sdk-for-js and -for-go.
 */
import { isDigest } from '../registry/endpoint.ts';
import { getManifest, putManifest } from '../registry/manifests.ts';
import { empty, refusal, type Reply } from '../registry/reply.ts';
import { digestOf, repositoryOf } from '../registry/store.ts';
import { disallowed, unknownBlob, unknownManifest } from './answers.ts';
import { deleteManifestAndTags, isManifestLocked } from './manifest-list.ts';
import type { AcrCall, AcrState } from './state.ts';
import { deleteTag } from './tags.ts';

/** `GET` and `HEAD /v2/NAME/manifests/REFERENCE`. */
export async function pullManifest(state: AcrState, call: AcrCall): Promise<Reply> {
  const { name, reference, exchange } = call;
  const digest = targetOf(state, call);
  if (digest === undefined) return unknownManifest(reference);
  const locks = [state.metadata.repository(name), state.metadata.manifest(name, digest)];
  if (!isDigest(reference)) locks.push(state.metadata.tag(name, reference));
  if (locks.some(({ attributes }) => !attributes.readEnabled)) return disallowed();
  const mediaType = state.store.repositories.get(name)?.manifests.get(digest)?.mediaType ?? '';
  if (!accepts(exchange.headers.accept, mediaType)) {
    const message = `manifest found, but the Accept header does not support ${mediaType}`;
    return refusal(404, { code: 'MANIFEST_UNKNOWN', message, detail: { mediaType } });
  }
  return await getManifest(state, call);
}

/** `PUT /v2/NAME/manifests/REFERENCE`. */
export async function pushManifest(state: AcrState, call: AcrCall): Promise<Reply> {
  const { name, reference } = call;
  const existing = targetOf(state, call);
  const { writeEnabled } = state.metadata.locksOf(name);
  const tag = isDigest(reference) ? undefined : reference;
  const isLocked =
    existing !== undefined &&
    (tag === undefined
      ? isManifestLocked(state, name, existing)
      : !state.metadata.tag(name, tag).attributes.writeEnabled);
  if (!writeEnabled || isLocked) return disallowed();
  const read = await readBody(call);
  if (isTooEarly(state, name, digestOf(read.bytes))) {
    return refusal(404, {
      code: 'MANIFEST_BLOB_UNKNOWN',
      message: 'blob unknown to registry',
      detail: { digest: digestOf(read.bytes) },
    });
  }
  const reply = await putManifest(state, read.call);
  const digest = reply.headers?.['Docker-Content-Digest'];
  if (reply.status === 201 && digest !== undefined) state.metadata.pushed(name, digest, tag);
  return reply;
}

/** `DELETE /v2/NAME/manifests/REFERENCE`: a tag alone, or a manifest with its tags. */
export function removeManifest(state: AcrState, call: AcrCall): Reply {
  if (isDigest(call.reference)) return deleteManifestAndTags(state, call);
  const reply = deleteTag(state, call);
  return reply.status === 404 ? unknownManifest(call.reference) : reply;
}

/** `GET` and `HEAD /v2/NAME/blobs/DIGEST`. */
export function pullBlob(state: AcrState, { exchange, name, reference }: AcrCall): Reply {
  const size = sizeOfBlob(state, name, reference);
  if (size === undefined) return unknownBlob();
  if (!state.metadata.locksOf(name).readEnabled) return disallowed();
  const digest = { 'Docker-Content-Digest': reference };
  if (exchange.method === 'HEAD') {
    const headers = {
      ...digest,
      'Content-Type': 'application/octet-stream',
      'Content-Length': String(size),
      'Accept-Ranges': 'bytes',
      ETag: `"${reference}"`,
    };
    return { status: 200, headers };
  }
  const location = new URL(state.blobStorage.signedPath(reference), state.storage).href;
  const link = location.replaceAll('&', '&amp;');
  return {
    status: 307,
    headers: { ...digest, 'Content-Type': 'text/html; charset=utf-8', Location: location },
    body: Buffer.from(`<a href="${link}">Temporary Redirect</a>.\n\n`),
  };
}

/** `DELETE /v2/NAME/blobs/DIGEST`: out of this repository only. */
export function removeBlob(state: AcrState, { name, reference }: AcrCall): Reply {
  const deleted = state.store.repositories.get(name)?.blobs.delete(reference) ?? false;
  return deleted ? empty(202, { 'Docker-Content-Digest': reference }) : unknownBlob();
}

/** In bytes; `undefined` when `name` doesn't hold the blob. */
export function sizeOfBlob(state: AcrState, name: string, digest: string): number | undefined {
  if (!state.store.repositories.get(name)?.blobs.has(digest)) return undefined;
  return state.discardedSizes.get(digest) ?? state.store.blobs.get(digest)?.length;
}

/** Makes visible in `name` what some repository holds. */
export function mountBlob(state: AcrState, name: string, digest: string): void {
  repositoryOf(state.store, name).blobs.add(digest);
}

function targetOf(state: AcrState, { name, reference }: AcrCall): string | undefined {
  const held = state.store.repositories.get(name);
  const digest = isDigest(reference) ? reference : held?.tags.get(reference);
  return digest !== undefined && held?.manifests.has(digest) ? digest : undefined;
}

/** The body, and the call with the body still to be read. */
async function readBody(call: AcrCall): Promise<{ bytes: Buffer; call: AcrCall }> {
  const chunks: Buffer[] = [];
  for await (const chunk of call.exchange.body) chunks.push(chunk);
  const exchange = { ...call.exchange, body: replayed(chunks) };
  return { bytes: Buffer.concat(chunks), call: { ...call, exchange } };
}

// eslint-disable-next-line typescript/require-await -- an AsyncIterable is what is called for
async function* replayed(chunks: readonly Buffer[]): AsyncGenerator<Buffer, void, void> {
  yield* chunks;
}

function isTooEarly(state: AcrState, name: string, digest: string): boolean {
  const key = `${name}@${digest}`;
  const early = state.earlyPuts.get(key) ?? 0;
  if (early >= state.geoLag) return false;
  state.earlyPuts.set(key, early + 1);
  return true;
}

function accepts(header: string | undefined, mediaType: string): boolean {
  if (header === undefined || header === '') return true;
  return header
    .split(',')
    .map((range) => range.replace(/;.*$/, '').trim())
    .some((range) => range === '*/*' || range === 'application/*' || range === mediaType);
}
