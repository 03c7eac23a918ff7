/**
 * Uploads with Azure's rules: the newest `_state` only, no chunked ranges, no large body at once.
 *
 * Sources: recordings published with Azure/azure-sdk-for-go; goharbor/harbor#23015 and #23016;
 * oras-project/artifacts#55.
 */
import { isDigest } from '../registry/endpoint.ts';
import { empty, refusal, type Reply } from '../registry/reply.ts';
import { putBlob, repositoryOf } from '../registry/store.ts';
import type { Upload } from '../registry/upload.ts';
import { plainText } from './answers.ts';
import { mountBlob, sizeOfBlob } from './content.ts';
import type { AcrCall, AcrState } from './state.ts';

/** The most that one PUT or POST may bring. */
const MAX_AT_ONCE_BYTES = 20 * 1024 * 1024;

/** `POST /v2/NAME/blobs/uploads/`, perhaps with `mount` and `from`, or with `digest` and the body. */
export async function startUpload(state: AcrState, call: AcrCall): Promise<Reply> {
  const { exchange, name } = call;
  const mount = exchange.url.searchParams.get('mount');
  const from = exchange.url.searchParams.get('from');
  if (mount !== null && from !== null && state.behaviour.mount === 'works') {
    if (sizeOfBlob(state, from, mount) !== undefined) {
      mountBlob(state, name, mount);
      return created(name, mount);
    }
  }
  const upload = state.uploads.start(name);
  const digest = exchange.url.searchParams.get('digest');
  return digest === null ? progress(202, upload) : await finish(state, call, upload);
}

/** `PATCH` of an upload: one chunk, or all there is. */
export async function appendToUpload(state: AcrState, call: AcrCall): Promise<Reply> {
  const upload = latest(state, call);
  if (upload === undefined) return unknownUpload();
  const objection = objectionTo(upload, call);
  if (objection !== undefined) return objection;
  await upload.append(call.exchange.body);
  return progress(202, upload);
}

/** `PUT` of an upload: perhaps a last chunk, then the digest. A wrong digest ends the upload too. */
export async function finishUpload(state: AcrState, call: AcrCall): Promise<Reply> {
  const upload = latest(state, call);
  if (upload === undefined) return unknownUpload();
  const objection = objectionTo(upload, call);
  return objection ?? (await finish(state, call, upload));
}

/** `GET` of an upload: how far it got. Takes any Location the upload ever had. */
export function getUpload(state: AcrState, { name, reference }: AcrCall): Reply {
  const upload = state.uploads.find(name, reference);
  return upload === undefined ? unknownUpload() : progress(204, upload);
}

/** `DELETE` of an upload: forgets it. */
export function cancelUpload(state: AcrState, { name, reference }: AcrCall): Reply {
  const upload = state.uploads.find(name, reference);
  if (upload === undefined) return unknownUpload();
  state.uploads.end(upload);
  return { status: 204 };
}

async function finish(state: AcrState, call: AcrCall, upload: Upload): Promise<Reply> {
  const { exchange, name } = call;
  const digest = exchange.url.searchParams.get('digest') ?? '';
  if (!isDigest(digest)) return invalidDigest(digest);
  if (Number(exchange.headers['content-length'] ?? 0) > MAX_AT_ONCE_BYTES) return tooLarge();
  try {
    await upload.append(atMost(exchange.body, MAX_AT_ONCE_BYTES));
  } catch (error) {
    if (error instanceof TooMuch) return tooLarge();
    throw error;
  }
  state.uploads.end(upload);
  const { size } = upload;
  const { bytes, isRight } = upload.finish(digest);
  if (!isRight && !state.behaviour.trusting) return invalidDigest(digest);
  if (bytes.length === size) putBlob(state.store, name, { digest, bytes });
  else discard(state, name, digest, size);
  return created(name, digest);
}

/** Notes a blob whose bytes are gone. */
function discard(state: AcrState, name: string, digest: string, size: number): void {
  state.discardedSizes.set(digest, size);
  repositoryOf(state.store, name).blobs.add(digest);
}

class TooMuch extends Error {}

async function* atMost(
  body: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncGenerator<Buffer, void, void> {
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw new TooMuch();
    yield chunk;
  }
}

function latest(state: AcrState, { exchange, name, reference }: AcrCall): Upload | undefined {
  const upload = state.uploads.find(name, reference);
  return exchange.url.searchParams.get('_state') === upload?.state ? upload : undefined;
}

/** What is wrong with appending to the upload by this request. */
function objectionTo(upload: Upload, { exchange }: AcrCall): Reply | undefined {
  const range = exchange.headers['content-range'];
  if (range === undefined) return undefined;
  const length = exchange.headers['content-length'];
  if (length === undefined) {
    const message = 'provided content length did not match content size';
    return refusal(400, { code: 'CONTENT_LENGTH_INVALID', message });
  }
  const [, first = '', last = ''] = /^(\d+)-(\d+)$/.exec(range) ?? [];
  if (first === '') return invalidRange(range, 'the range is not of the form FIRST-LAST');
  if (Number(last) - Number(first) + 1 !== Number(length)) {
    return invalidRange(range, 'the range is not as long as the content');
  }
  if (Number(first) === upload.size) return undefined;
  return invalidRange(range, `the upload is at ${upload.size}`);
}

function invalidRange(range: string, reason: string): Reply {
  return refusal(416, {
    code: 'BLOB_UPLOAD_RANGE_INVALID',
    message: 'invalid content range',
    detail: { Range: range, Reason: reason },
  });
}

function progress(status: number, { id, repository, size, state }: Upload): Reply {
  return {
    status,
    headers: {
      Location: `/v2/${repository}/blobs/uploads/${id}?_nouploadcache=false&_state=${state}`,
      Range: `0-${Math.max(0, size - 1)}`,
      'Docker-Upload-Uuid': id,
      ...(status !== 204 && { 'Content-Length': '0' }),
    },
  };
}

function created(name: string, digest: string): Reply {
  return empty(201, {
    Location: `/v2/${name}/blobs/${digest}`,
    'Docker-Content-Digest': digest,
  });
}

function unknownUpload(): Reply {
  const message = 'blob upload unknown to registry';
  return refusal(404, { code: 'BLOB_UPLOAD_UNKNOWN', message });
}

function invalidDigest(digest: string): Reply {
  const message = 'provided digest did not match uploaded content';
  return refusal(400, { code: 'DIGEST_INVALID', message, detail: { Digest: digest } });
}

function tooLarge(): Reply {
  return plainText(413, '413 Request Entity Too Large - AzureContainerRegistry\n');
}
