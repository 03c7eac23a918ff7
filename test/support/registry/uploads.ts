/**
 * The endpoints that blobs are uploaded and mounted by.
 *
 * Sources: OCI Distribution 1.1, «Pushing blobs», «Mounting a blob from another repository».
 */
import { isDigest, type Call, type Endpoint, type RegistryState } from './endpoint.ts';
import { empty, refusal, type Reply } from './reply.ts';
import { blobOf, putBlob } from './store.ts';
import type { Upload } from './upload.ts';

const MOUNT_REFUSALS: Record<number, string> = {
  401: 'UNAUTHORIZED',
  403: 'DENIED',
  404: 'NAME_UNKNOWN',
  405: 'UNSUPPORTED',
  429: 'TOOMANYREQUESTS',
};

/** `POST /v2/NAME/blobs/uploads/`, perhaps with `mount` and `from`. */
export const startUpload: Endpoint = (state, { exchange, name }) => {
  const mount = exchange.url.searchParams.get('mount');
  const from = exchange.url.searchParams.get('from');
  if (mount !== null) {
    const how = state.behaviour.mount;
    if (typeof how === 'number') {
      const code = MOUNT_REFUSALS[how] ?? 'UNKNOWN';
      return refusal(how, { code, message: 'mounting refused' });
    }
    const bytes = from === null ? undefined : blobOf(state.store, from, mount);
    const isNear = how === 'within namespace' && namespaceOf(from ?? '') === namespaceOf(name);
    if ((how === 'works' || isNear) && bytes !== undefined) {
      putBlob(state.store, name, { digest: mount, bytes });
      return created(name, mount);
    }
  }
  return progress(202, state.uploads.start(name));
};

/** `PATCH` of an upload: one chunk, or all there is. */
export const appendToUpload: Endpoint = async (state, call) => {
  const upload = state.uploads.find(call.name, call.reference);
  if (upload === undefined) return unknownUpload();
  const objection = objectionTo(upload, call) ?? tooLarge(state, call);
  if (objection !== undefined) return objection;
  const { Range: before = '' } = progress(202, upload).headers ?? {};
  await upload.append(call.exchange.body);
  const reply = progress(202, upload);
  if (!state.behaviour.oddPatch) return reply;
  return { status: 201, headers: { ...reply.headers, Range: before } };
};

/** `PUT` of an upload: perhaps a last chunk, then the digest. A wrong digest ends the upload too. */
export const finishUpload: Endpoint = async (state, call) => {
  const upload = state.uploads.find(call.name, call.reference);
  if (upload === undefined) return unknownUpload();
  const digest = call.exchange.url.searchParams.get('digest') ?? '';
  if (!isDigest(digest)) return invalidDigest(digest);
  const objection = objectionTo(upload, call);
  if (objection !== undefined) return objection;
  await upload.append(call.exchange.body);
  state.uploads.end(upload);
  const { bytes, isRight } = upload.finish(digest);
  if (!isRight && !state.behaviour.trusting) return invalidDigest(digest);
  putBlob(state.store, call.name, { digest, bytes });
  return created(call.name, digest);
};

/** `GET` of an upload: how far it got. Takes any Location the upload ever had. */
export const getUpload: Endpoint = (state, call) => {
  const upload = state.uploads.find(call.name, call.reference);
  return upload === undefined ? unknownUpload() : progress(204, upload);
};

/** `DELETE` of an upload: forgets it. Takes any Location the upload ever had. */
export const cancelUpload: Endpoint = (state: RegistryState, call) => {
  const upload = state.uploads.find(call.name, call.reference);
  if (upload === undefined) return unknownUpload();
  state.uploads.end(upload);
  return { status: 204 };
};

/** What is wrong with appending to the upload by this request. */
function objectionTo(upload: Upload, { exchange }: Call): Reply | undefined {
  if (exchange.url.searchParams.get('_state') !== upload.state) {
    const message = 'this is not the latest Location of the upload';
    return refusal(400, { code: 'BLOB_UPLOAD_INVALID', message });
  }
  const range = exchange.headers['content-range'];
  if (range === undefined) return undefined;
  const [, first = '', last = ''] = /^(\d+)-(\d+)$/.exec(range) ?? [];
  const length = exchange.headers['content-length'];
  if (
    first === '' ||
    (length !== undefined && Number(last) - Number(first) + 1 !== Number(length))
  ) {
    return refusal(400, { code: 'BLOB_UPLOAD_INVALID', message: 'Content-Range is not the body' });
  }
  return Number(first) === upload.size ? undefined : progress(416, upload);
}

/** GHCR's refusal of a chunk; what comes without a Content-Range may be of any size. */
function tooLarge({ behaviour }: RegistryState, { exchange }: Call): Reply | undefined {
  const [, first, last] = /^(\d+)-(\d+)$/.exec(exchange.headers['content-range'] ?? '') ?? [];
  if (first === undefined || Number(last) - Number(first) < behaviour.maxChunkBytes)
    return undefined;
  const mib = (behaviour.maxChunkBytes / 1024 / 1024).toFixed(2);
  const message = `the request body is too large and exceeds the maximum permissible limit of ${mib}MiB`;
  return refusal(416, { code: 'SIZE_INVALID', message });
}

function namespaceOf(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf('/')));
}

function progress(status: number, upload: Upload): Reply {
  const { id, repository, size, state } = upload;
  return {
    status,
    headers: {
      Location: `/v2/${repository}/blobs/uploads/${id}?_state=${state}`,
      Range: `0-${Math.max(0, size - 1)}`,
      'Docker-Upload-UUID': id,
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
