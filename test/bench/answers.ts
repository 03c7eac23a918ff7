/**
 * What a registry in memory answers: the distribution protocol as docker-registry 2.8 speaks it, as
 * far as the measured tools ask. Digests of uploads are believed and layers are not kept.
 *
 * Source: OCI Distribution 1.1; answers seen from docker-registry 2.8.2.
 */
import type { RequestClass } from '../support/counting-proxy.ts';
import { bytesContent } from './content.ts';
import { listReply } from './list-reply.ts';
import { errorReply, reply, streamed, type Reply } from './reply.ts';
import { parameterOf, type Route } from './route.ts';
import { heldIn, keepManifest, type Store } from './store.ts';

export interface Asked {
  readonly route: Route;
  readonly contentType: string;
  /** Bytes of the body. */
  readonly size: number;
  /** Of manifests only: other bodies are not kept. */
  readonly body: Buffer;
}

const OK = reply(200, 'docker-distribution-api-version: registry/2.0\r\n', Buffer.from('{}'));
const NO_BLOB = errorReply(404, 'BLOB_UNKNOWN');
const NO_BLOB_HEAD = reply(404);
const NO_MANIFEST = errorReply(404, 'MANIFEST_UNKNOWN');
const NO_NAME = errorReply(404, 'NAME_UNKNOWN');
const NO_UPLOAD = errorReply(404, 'BLOB_UPLOAD_UNKNOWN');
const NOT_FOUND = reply(404);

type Answer = (store: Store, asked: Asked) => Reply;

const ANSWERS: Partial<Record<RequestClass, Answer>> = {
  ping: () => OK,
  catalog: (store, { route }) =>
    listReply('repositories', [...store.repositories.keys()].toSorted(), route),
  tags: (store, { route }) => {
    const held = store.repositories.get(route.name);
    return held === undefined
      ? NO_NAME
      : listReply('tags', [...held.tags.keys()].toSorted(), route);
  },
  'manifest HEAD': readManifest,
  'manifest GET': readManifest,
  'manifest PUT': putManifest,
  'blob HEAD': readBlob,
  'blob GET': readBlob,
  mount: startUpload,
  'upload POST': startUpload,
  'upload PATCH': upload,
  'upload PUT': upload,
};

export function answer(store: Store, asked: Asked): Reply {
  return ANSWERS[asked.route.class]?.(store, asked) ?? NOT_FOUND;
}

function readManifest(store: Store, { route: { class: asked, name, last } }: Asked): Reply {
  const held = store.repositories.get(name);
  const digest = held?.tags.get(last) ?? (held?.manifests.has(last) ? last : undefined);
  const manifest = digest === undefined ? undefined : store.manifests.get(digest);
  if (asked === 'manifest HEAD') return manifest?.head ?? NOT_FOUND;
  return manifest?.get ?? NO_MANIFEST;
}

function putManifest(store: Store, { route: { name, last }, contentType, body }: Asked): Reply {
  const { digest } = bytesContent(body);
  const isTag = !last.includes(':');
  if (!isTag && last !== digest) return errorReply(400, 'DIGEST_INVALID');
  const held = heldIn(store, name);
  const { blobs, children } = neededBy(body);
  const missing = [
    ...blobs.filter((blob) => !held.blobs.has(blob)),
    ...children.filter((child) => !held.manifests.has(child)),
  ];
  if (missing.length > 0) return errorReply(400, 'MANIFEST_BLOB_UNKNOWN', missing);
  if (!store.manifests.has(digest)) keepManifest(store, digest, contentType, body);
  held.manifests.add(digest);
  if (isTag) held.tags.set(last, digest);
  return reply(201, `${at(name, 'manifests', digest)}docker-content-digest: ${digest}\r\n`);
}

interface Needs {
  readonly config?: { readonly digest: string };
  readonly layers?: readonly { readonly digest: string }[];
  readonly manifests?: readonly { readonly digest: string }[];
}

function neededBy(body: Buffer): { blobs: readonly string[]; children: readonly string[] } {
  const { config, layers = [], manifests = [] } = JSON.parse(body.toString('utf8')) as Needs;
  const blobs = [...(config === undefined ? [] : [config]), ...layers];
  return { blobs: blobs.map(digestIn), children: manifests.map(digestIn) };
}

function digestIn({ digest }: { readonly digest: string }): string {
  return digest;
}

function readBlob(store: Store, { route: { class: asked, name, last } }: Asked): Reply {
  const isHeld = store.repositories.get(name)?.blobs.has(last) === true;
  const blob = isHeld ? store.blobs.get(last) : undefined;
  const headers = `content-type: application/octet-stream\r\ndocker-content-digest: ${last}\r\n`;
  if (asked === 'blob HEAD') {
    return blob === undefined
      ? NO_BLOB_HEAD
      : reply(200, `${headers}content-length: ${blob.size}\r\n`);
  }
  if (blob?.block === undefined) return NO_BLOB;
  return streamed(headers, blob.block, blob.size);
}

let uploads = 0;

function startUpload(store: Store, { route: { name, query } }: Asked): Reply {
  const digest = parameterOf(query, 'mount');
  const from = parameterOf(query, 'from');
  if (digest !== undefined && from !== undefined) {
    if (store.repositories.get(from)?.blobs.has(digest) === true)
      return stored(store, name, digest);
  }
  uploads += 1;
  const id = `00000000-0000-4000-8000-${uploads.toString(16).padStart(12, '0')}`;
  store.uploads.set(id, 0);
  return reply(202, `${at(name, 'blobs/uploads', id)}docker-upload-uuid: ${id}\r\nrange: 0-0\r\n`);
}

/** PATCH, or the PUT that ends it. */
function upload(store: Store, { route, size }: Asked): Reply {
  const { name, last: id, query } = route;
  const before = store.uploads.get(id);
  if (before === undefined) return NO_UPLOAD;
  const total = before + size;
  if (route.class === 'upload PATCH') {
    store.uploads.set(id, total);
    const range = `range: 0-${Math.max(total - 1, 0)}\r\n`;
    return reply(202, `${at(name, 'blobs/uploads', id)}docker-upload-uuid: ${id}\r\n${range}`);
  }
  const digest = parameterOf(query, 'digest');
  if (digest === undefined) return errorReply(400, 'DIGEST_INVALID');
  store.uploads.delete(id);
  if (!store.blobs.has(digest)) store.blobs.set(digest, { size: total });
  return stored(store, name, digest);
}

function stored(store: Store, name: string, digest: string): Reply {
  heldIn(store, name).blobs.add(digest);
  return reply(201, `${at(name, 'blobs', digest)}docker-content-digest: ${digest}\r\n`);
}

function at(name: string, kind: string, last: string): string {
  return `location: /v2/${name}/${kind}/${last}\r\n`;
}
