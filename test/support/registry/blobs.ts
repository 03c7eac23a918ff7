/**
 * Blobs: read, whole or in part, from the registry or from the storage it redirects to; deleted.
 *
 * Sources: OCI Distribution 1.1, «Pulling blobs»; RFC 9110 §14 for ranges.
 */
import type { Endpoint } from './endpoint.ts';
import type { Exchange, Handler } from './listener.ts';
import { empty, refusal, type Reply } from './reply.ts';
import { blobOf, type Store } from './store.ts';

const STORAGE_PATH = '/storage/';
const SIGNATURE = 'sig'; // what stands for the signature in the query of a storage URL

/** `GET` and `HEAD /v2/NAME/blobs/DIGEST`. HEAD is never redirected. */
export const getBlob: Endpoint = (state, { exchange, name, reference }) => {
  const bytes = blobOf(state.store, name, reference);
  if (bytes === undefined) return unknownBlob(reference);
  const digest = { 'Docker-Content-Digest': reference };
  if (state.storage === undefined || exchange.method === 'HEAD') {
    return ranged(bytes, exchange, { ...digest, ETag: `"${reference}"` });
  }
  const target = new URL(`${STORAGE_PATH}${reference}?${SIGNATURE}=1`, state.storage);
  return empty(307, { ...digest, Location: target.href });
};

/** `DELETE /v2/NAME/blobs/DIGEST`: out of this repository only. */
export const deleteBlob: Endpoint = (state, { name, reference }) => {
  const deleted = state.store.repositories.get(name)?.blobs.delete(reference) ?? false;
  return deleted ? empty(202) : unknownBlob(reference);
};

/**
 * The origin that blobs are redirected to. Like S3 and Azure, it refuses a request that shows an
 * Authorization besides the signature in its URL; it knows neither repositories nor digest headers.
 */
export function storageHandler(store: Store): Handler {
  return (exchange) => {
    const { pathname, searchParams } = exchange.url;
    if (exchange.headers.authorization !== undefined) return storageError(400, 'InvalidArgument');
    if (!searchParams.has(SIGNATURE)) return storageError(403, 'AuthenticationFailed');
    const bytes = store.blobs.get(decodeURIComponent(pathname.slice(STORAGE_PATH.length)));
    if (bytes === undefined) return storageError(404, 'BlobNotFound');
    return ranged(bytes, exchange, {});
  };
}

export function storageError(status: number, code: string): Reply {
  return {
    status,
    headers: { 'Content-Type': 'application/xml' },
    body: Buffer.from(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`),
  };
}

function unknownBlob(digest: string): Reply {
  const message = 'blob unknown to registry';
  return refusal(404, { code: 'BLOB_UNKNOWN', message, detail: digest });
}

/** The bytes that `Range` asks for; all of them when it is absent or is not understood. */
export function ranged(bytes: Buffer, exchange: Exchange, extra: Record<string, string>): Reply {
  const headers = {
    'Content-Type': 'application/octet-stream',
    'Accept-Ranges': 'bytes',
    ...extra,
  };
  const match = /^bytes=(\d*)-(\d*)$/.exec(exchange.headers.range ?? '');
  const [, first = '', last = ''] = match ?? [];
  if (first === '' && last === '') return { status: 200, headers, body: bytes };
  const size = bytes.length;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (start >= size || start > end) return empty(416, { 'Content-Range': `bytes */${size}` });
  return {
    status: 206,
    headers: { ...headers, 'Content-Range': `bytes ${start}-${end}/${size}` },
    body: bytes.subarray(start, end + 1),
  };
}
