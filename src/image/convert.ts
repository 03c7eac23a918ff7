/**
 * The only place where a manifest is written anew; what belongs to one kind is in the files beside
 * it that begin with `convert-`.
 *
 * What is written is what skopeo writes, byte for byte where it can be, so that both come to the
 * same digests. Source: https://github.com/containers/image, `manifest` and `internal/image`.
 */
import { RegistrySyncError } from '../base/errors.ts';
import { ociConfig } from './convert-config.ts';
import { fromSchema1, toSchema1, type Schema1Name } from './convert-schema1.ts';
import type { Descriptor, JsonObject } from './descriptor.ts';
import { digestOf, type Digest } from './digest.ts';
import { goJson } from './go-json.ts';
import { layerTypeOf, mediaTypeOfLayer } from './layer-types.ts';
import { readManifest, type ImageManifest, type StoredManifest } from './manifest.ts';
import {
  DOCKER_CONFIG,
  DOCKER_MANIFEST,
  formOf,
  OCI_CONFIG,
  OCI_MANIFEST,
  type ManifestForm,
} from './media-types.ts';

/** What an image is made of besides its manifest. */
export interface ImageParts {
  /** Its config's bytes; schema 1 has none. */
  readonly config: Uint8Array | undefined;
  /** Its layers, which may be others than the manifest's: as many of them, in its order. */
  readonly layers: readonly Descriptor[];
  /** Digests of layers' tars, by the digest in the manifest: what schema 1 does not say. */
  readonly diffIds?: ReadonlyMap<Digest, Digest>;
  /** What an image of schema 1 is to call itself. */
  readonly name?: Schema1Name | undefined;
}

export interface ConvertedImage {
  readonly stored: StoredManifest;
  /** Blobs that were made for it. */
  readonly blobs: ReadonlyMap<Digest, Uint8Array>;
}

/**
 * An image in another form. Annotations, `subject` and `artifactType` get lost where the form has no
 * place for them.
 *
 * @throws {RegistrySyncError} `UNSUPPORTED` that names what the form can't have; `PROTOCOL` when the
 * image is malformed.
 */
export function convertImage(
  stored: StoredManifest,
  form: ManifestForm,
  parts: ImageParts,
): ConvertedImage {
  const from = formOf(stored.descriptor.mediaType);
  if (from === form) return { stored: withLayers(stored, parts), blobs: new Map() };
  if (from === 'schema1') {
    const docker = fromSchema1(stored, parts);
    return form === 'docker' ? docker : throughDocker(docker, parts, form);
  }
  const { manifest } = stored;
  if (manifest.kind === 'index') throw unsupported(stored, 'is an index, not an image');
  if (form === 'oci') return toOci(manifest, parts);
  checkIsImage(stored, manifest);
  if (form === 'docker') return { stored: toDocker(manifest, parts), blobs: new Map() };
  const docker = from === 'docker' ? manifest : imageOf(toDocker(manifest, parts));
  return toSchema1({ ...docker, layers: parts.layers.map(asDockerLayer) }, parts);
}

function throughDocker(
  docker: ConvertedImage,
  { name }: ImageParts,
  form: ManifestForm,
): ConvertedImage {
  const { config, layers } = imageOf(docker.stored);
  const bytes = config === undefined ? undefined : docker.blobs.get(config.digest);
  return convertImage(docker.stored, form, { config: bytes, layers, name });
}

function imageOf({ manifest, descriptor }: StoredManifest): ImageManifest {
  if (manifest.kind === 'image') return manifest;
  throw new RegistrySyncError('PROTOCOL', `${descriptor.digest} is an index, not an image`);
}

/** The same form with other layers; all else as it was, the image itself when they are its own. */
function withLayers(stored: StoredManifest, { layers }: ImageParts): StoredManifest {
  const before = imageOf(stored).layers;
  const isOwn = (at: number): boolean => {
    const [own, layer] = [before[at], layers[at]];
    return own?.digest === layer?.digest && own?.mediaType === layer?.mediaType;
  };
  if (before.every((_, at) => isOwn(at))) return stored;
  const { descriptor, bytes } = stored;
  const form = formOf(descriptor.mediaType);
  if (form === 'schema1') throw unsupported(stored, 'is of schema 1: its layers stay as they are');
  const json = JSON.parse(Buffer.from(bytes).toString('utf8')) as { layers: JsonObject[] };
  const others = json.layers.map((entry, at) => {
    const layer = layers[at];
    if (layer === undefined || isOwn(at)) return entry;
    const { digest, size } = layer;
    return { ...entry, mediaType: layerTypeIn(form, layer), digest, size };
  });
  return readManifest(
    Buffer.from(JSON.stringify({ ...json, layers: others })),
    descriptor.mediaType,
  );
}

function toOci(manifest: ImageManifest, { config, layers }: ImageParts): ConvertedImage {
  const bytes = ociConfig(config ?? Buffer.from('{}'));
  const digest = digestOf(bytes);
  const stored = written(OCI_MANIFEST, {
    config: { mediaType: OCI_CONFIG, digest, size: bytes.byteLength },
    layers: layers.map((layer) => {
      const { size, urls } = layer;
      return { mediaType: layerTypeIn('oci', layer), digest: layer.digest, size, urls };
    }),
    subject: manifest.subject,
    annotations: sortedOf(manifest.annotations),
  });
  return { stored, blobs: new Map([[digest, bytes]]) };
}

function toDocker({ config }: ImageManifest, { layers }: ImageParts): StoredManifest {
  return written(DOCKER_MANIFEST, {
    config: { mediaType: DOCKER_CONFIG, size: config?.size, digest: config?.digest },
    layers: layers.map(asDockerLayer).map(({ mediaType, size, digest, urls }) => {
      return { mediaType, size, digest, urls };
    }),
  });
}

function asDockerLayer(layer: Descriptor): Descriptor {
  return { ...layer, mediaType: layerTypeIn('docker', layer) };
}

function written(mediaType: string, members: object): StoredManifest {
  const json = goJson({ schemaVersion: 2, mediaType, ...members });
  return readManifest(Buffer.from(json), mediaType);
}

function sortedOf(
  strings: Readonly<Record<string, string>> | undefined,
): ReadonlyMap<string, string> | undefined {
  return strings && new Map(Object.entries(strings));
}

function layerTypeIn(form: 'oci' | 'docker', { mediaType, digest }: Descriptor): string {
  const type = layerTypeOf(mediaType);
  const name = form === 'oci' ? 'OCI' : 'Docker';
  if (type === undefined) {
    const message = `layer ${digest} is ${JSON.stringify(mediaType)}, which ${name}'s form has no word for`;
    throw new RegistrySyncError('UNSUPPORTED', message);
  }
  const found = mediaTypeOfLayer(form, type);
  if (found !== undefined) return found;
  const message = `layer ${digest} is compressed with zstd, which ${name}'s form does not have: use --dest-compress-format gzip, or the form oci`;
  throw new RegistrySyncError('UNSUPPORTED', message);
}

/** What is no image of a machine's files has no meaning in Docker's forms. */
function checkIsImage(stored: StoredManifest, manifest: ImageManifest): void {
  const { config, artifactType } = manifest;
  const known = [OCI_CONFIG, DOCKER_CONFIG, 'application/octet-stream'];
  if (config !== undefined && known.includes(config.mediaType)) return;
  const type = artifactType ?? config?.mediaType ?? stored.descriptor.mediaType;
  throw unsupported(stored, `is an artifact (${type}), which only OCI's form can hold`);
}

function unsupported({ descriptor }: StoredManifest, what: string): RegistrySyncError {
  return new RegistrySyncError('UNSUPPORTED', `${descriptor.digest} ${what}`);
}
