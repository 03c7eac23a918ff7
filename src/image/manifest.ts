/**
 * Manifests: read and checked once, where they enter, and then kept as the bytes they came in.
 *
 * Sources: OCI Image Specification 1.1, «Image Manifest», «Image Index»; Docker «Image Manifest
 * Version 2, Schema 2» and «Schema 1». Media types of configs, layers and artifacts are never judged.
 */
import { RegistrySyncError } from '../base/errors.ts';
import { shown } from '../base/shown.ts';
import { isObject, readDescriptor, type Descriptor, type JsonObject } from './descriptor.ts';
import { digestOf } from './digest.ts';
import { schema1Layers, signedPayload } from './schema1.ts';
import {
  DOCKER_LIST,
  DOCKER_MANIFEST,
  DOCKER_SCHEMA1,
  DOCKER_SCHEMA1_SIGNED,
  kindOfMediaType,
  OCI_INDEX,
  OCI_MANIFEST,
  type ManifestKind,
} from './media-types.ts';

/** What registries accept at least, and what distribution and ACR enforce (OCI Distribution 1.1, «Pushing Manifests»). */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** More children than any real index has; fewer than would keep a run busy for hours. */
const MAX_DESCRIPTORS = 10_000;

export interface ImageManifest {
  readonly kind: 'image';
  /** Absent in the OCI artifact manifests of 2022, and in Docker's schema 1. */
  readonly config?: Descriptor;
  /** Those of schema 1 are of `UNKNOWN_SIZE`. */
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface IndexManifest {
  readonly kind: 'index';
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export type Manifest = ImageManifest | IndexManifest;

/**
 * A manifest as it is stored: `descriptor` is of exactly these `bytes` (of a signed schema 1 the
 * digest is of what was signed).
 */
export interface StoredManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
}

/**
 * Reads a manifest. `contentType` is what the place it came from calls it; a type that says nothing
 * (`application/json`, none) gives way to the manifest's own `mediaType`, then to its shape.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when it is malformed or could be read in two ways
 * (CVE-2021-41190).
 */
export function readManifest(
  bytes: Uint8Array,
  contentType: string | undefined,
  algorithm = 'sha256',
): StoredManifest {
  const payload = signedPayload(bytes);
  const json = parseObject(payload ?? bytes);
  const mediaType = mediaTypeOf(json, contentType?.split(';')[0]?.trim().toLowerCase(), payload);
  const manifest = readShape(json);
  const digest = digestOf(payload ?? bytes, algorithm);
  const descriptor = { mediaType, digest, size: bytes.byteLength };
  return { descriptor, bytes, manifest };
}

/** Everything a manifest points to and needs: the graph, one switch. The subject is not needed. */
export function childrenOf(manifest: Manifest): readonly Descriptor[] {
  if (manifest.kind === 'index') return manifest.manifests;
  return manifest.config === undefined ? manifest.layers : [manifest.config, ...manifest.layers];
}

function parseObject(bytes: Uint8Array): JsonObject {
  try {
    const json: unknown = JSON.parse(
      new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes),
    );
    if (isObject(json)) return json;
  } catch (cause) {
    throw new RegistrySyncError('PROTOCOL', 'manifest is no JSON', { cause });
  }
  throw new RegistrySyncError('PROTOCOL', 'manifest is no JSON object');
}

function readShape(json: JsonObject): Manifest {
  const shape = shapeOf(json);
  if (shape === 'schema1') return { kind: 'image', layers: schema1Layers(json) };
  return shape === 'index' ? readIndex(json) : readImage(json);
}

function mediaTypeOf(
  json: JsonObject,
  contentType: string | undefined,
  payload: Uint8Array | undefined,
): string {
  const shape = shapeOf(json);
  const mediaType = namedType(json, contentType) ?? guessed(json, shape);
  const kind = kindOfMediaType(mediaType) ?? shape; // an unknown type says nothing
  if (payload !== undefined && shape !== 'schema1') throw ambiguous('is signed as schema 1');
  if (shape === 'schema1' && kind === shape) return schema1Type(json, payload);
  if (kind === undefined) throw new RegistrySyncError('PROTOCOL', 'is no manifest');
  if (kind !== (shape ?? 'image')) throw ambiguous(`is ${shown(mediaType)} but looks otherwise`);
  return mediaType;
}

/** Registries serve either under either name; which it is decides what its digest is of. */
function schema1Type({ signatures }: JsonObject, payload: Uint8Array | undefined): string {
  if (payload !== undefined) return DOCKER_SCHEMA1_SIGNED;
  if (signatures === undefined) return DOCKER_SCHEMA1;
  throw new RegistrySyncError('PROTOCOL', 'schema 1 manifest is malformed: its signatures');
}

/** What the server or else the manifest itself calls it; they must not contradict each other. */
function namedType({ mediaType }: JsonObject, contentType = ''): string | undefined {
  const own = typeof mediaType === 'string' && mediaType !== '' ? mediaType : undefined;
  if (kindOfMediaType(contentType) === undefined) return own;
  if (own === undefined || own === contentType) return contentType;
  throw ambiguous(`is served as ${contentType} but calls itself ${shown(own)}`);
}

/** What a manifest looks like; `undefined`: nothing, as an artifact without content or an error page. */
function shapeOf(json: JsonObject): ManifestKind | undefined {
  const has = (key: string): boolean => json[key] !== undefined;
  const shapes: readonly [ManifestKind, boolean][] = [
    ['index', has('manifests')],
    ['image', has('layers') || has('config') || has('blobs')],
    ['schema1', has('fsLayers')],
  ];
  const [shape, ...more] = shapes.filter(([, is]) => is);
  if (more.length > 0) throw ambiguous('has both layers and manifests');
  return shape?.[0];
}

/** OCI manifests need not name their type; what they point to tells them from Docker's. */
function guessed({ config, manifests }: JsonObject, shape: ManifestKind | undefined): string {
  if (shape === undefined) return '';
  if (shape === 'schema1') return DOCKER_SCHEMA1;
  const child: unknown = shape === 'index' && Array.isArray(manifests) ? manifests[0] : config;
  const type = isObject(child) && typeof child.mediaType === 'string' ? child.mediaType : '';
  const isDocker = type.startsWith('application/vnd.docker.');
  if (shape === 'index') return isDocker ? DOCKER_LIST : OCI_INDEX;
  return isDocker ? DOCKER_MANIFEST : OCI_MANIFEST;
}

function readIndex(json: JsonObject): IndexManifest {
  const manifests = readDescriptors(json.manifests, 'manifests');
  return { kind: 'index', manifests, ...readCommon(json) };
}

function readImage(json: JsonObject): ImageManifest {
  const layers = readDescriptors(json.layers ?? json.blobs ?? [], 'layers');
  const config = json.config === undefined ? {} : { config: readDescriptor(json.config, 'config') };
  return { kind: 'image', ...config, layers, ...readCommon(json) };
}

function readCommon(json: JsonObject): Pick<ImageManifest, 'subject' | 'artifactType'> {
  const { subject, artifactType, annotations } = json;
  return {
    ...(isObject(subject) ? { subject: readDescriptor(subject, 'subject') } : {}),
    ...(typeof artifactType === 'string' ? { artifactType } : {}),
    ...(isObject(annotations) ? { annotations: annotations as Record<string, string> } : {}),
  };
}

function readDescriptors(value: unknown, where: string): Descriptor[] {
  if (value === null) return []; // Go tools write `null` for an empty list
  if (!Array.isArray(value)) {
    throw new RegistrySyncError('PROTOCOL', `manifest is malformed: ${where} is no list`);
  }
  if (value.length > MAX_DESCRIPTORS) {
    const message = `manifest lists ${value.length} ${where}, more than ${MAX_DESCRIPTORS}`;
    throw new RegistrySyncError('PROTOCOL', message);
  }
  return value.map((item, index) => readDescriptor(item, `${where}[${index}]`));
}

function ambiguous(what: string): RegistrySyncError {
  return new RegistrySyncError('PROTOCOL', `manifest ${what}: it could be read in two ways`);
}
