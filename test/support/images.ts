/**
 * Builds images, indexes and artifacts for tests. Everything is derived from a seed, without a clock
 * or a compressor, so that digests are the same on every machine and Node version.
 *
 * Sources: OCI image-spec 1.1; docker docs «Image Manifest Version 2, Schema 2»; BuildKit
 * docs/attestations/attestation-storage.md; cosign specs/SIGNATURE_SPEC.md.
 */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';

import { pseudoRandomBytes, storedGzip, tarOfOneFile } from './registry/layer-bytes.ts';

export interface BuiltBlob {
  readonly mediaType: string;
  readonly digest: string;
  readonly bytes: Buffer;
  /** Makes it a foreign layer: named in the manifest, but no content of the image. */
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface BuiltManifest {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly bytes: Buffer;
}

/** A manifest with everything that is reached from it (but not what refers to it). */
export interface BuiltImage {
  readonly root: BuiltManifest;
  /** Children before their parents; without the root. */
  readonly manifests: readonly BuiltManifest[];
  /** Configs and layers, each once. */
  readonly blobs: readonly BuiltBlob[];
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** The family of media types to write. */
export type Family = 'oci' | 'docker';

export interface ImageOptions {
  /** The same options give the same bytes; another seed gives other layers and another config. */
  readonly seed?: string;
  /** How many layers, or the layers themselves, which can so be shared by images. 2 by default. */
  readonly layers?: number | readonly BuiltBlob[];
  /** Size of the one file in each layer; a layer is some 2 KiB larger. */
  readonly layerBytes?: number;
  readonly mediaTypes?: Family;
  readonly platform?: Platform;
  /** Members of the config, besides or instead of its own. */
  readonly config?: Readonly<Record<string, unknown>>;
}

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
const IN_TOTO = 'application/vnd.in-toto+json';
const TYPES = {
  oci: {
    manifest: OCI_MANIFEST,
    index: 'application/vnd.oci.image.index.v1+json',
    config: OCI_CONFIG,
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
    foreign: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  },
  docker: {
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    foreign: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  },
} as const;
const AMD64: Platform = { os: 'linux', architecture: 'amd64' };
const CREATED = '2024-01-01T00:00:00Z';

/** A runnable-looking image: real tar layers, true diff ids. */
export function image({
  seed = 'image',
  layers = 2,
  layerBytes = 1024,
  mediaTypes = 'oci',
  platform = AMD64,
  config: members = {},
}: ImageOptions = {}): BuiltImage {
  const stack =
    typeof layers === 'number'
      ? Array.from({ length: layers }, (_, at) =>
          layer({ seed: `${seed}/${at}`, layerBytes, mediaTypes }),
        )
      : layers;
  const config = jsonBlob(TYPES[mediaTypes].config, {
    created: CREATED,
    ...platform,
    config: { Labels: { seed } },
    rootfs: members['rootfs'] ?? { type: 'layers', diff_ids: stack.map(diffIdOf) },
    history: stack.map(() => ({ created: CREATED, created_by: 'test' })),
    ...members,
  });
  return manifestOf({ mediaType: TYPES[mediaTypes].manifest }, config, stack);
}

/** One layer, to be shared by several images. */
export function layer({
  seed = 'layer',
  layerBytes = 1024,
  mediaTypes = 'oci',
}: Pick<ImageOptions, 'seed' | 'layerBytes' | 'mediaTypes'> = {}): BuiltBlob {
  const tar = tarOfOneFile('file.bin', pseudoRandomBytes(seed, layerBytes));
  return blobOf(TYPES[mediaTypes].layer, storedGzip(tar));
}

/** A layer that is to be had at `urls` and that no registry needs to hold. */
export function foreignLayer({
  seed = 'foreign',
  mediaTypes = 'oci',
  urls = ['https://foreign.test/layer'],
}: { seed?: string; mediaTypes?: Family; urls?: readonly string[] } = {}): BuiltBlob {
  return { ...layer({ seed }), mediaType: TYPES[mediaTypes].foreign, urls };
}

/** One entry of an index. */
export interface IndexEntry {
  readonly image: BuiltImage;
  readonly platform?: Platform;
}

/**
 * An index (a manifest list with `docker`) of images, or of indexes. With `attestations`, the entries
 * are followed by BuildKit's: for each a manifest for unknown/unknown, annotated with its digest.
 */
export function index(
  entries: readonly IndexEntry[],
  {
    attestations = false,
    mediaTypes = 'oci',
  }: { attestations?: boolean; mediaTypes?: Family } = {},
): BuiltImage {
  const described = entries.map((entry) => ({
    image: entry.image,
    descriptor: {
      ...descriptorOf(entry.image.root),
      ...(entry.platform && { platform: entry.platform }),
    },
  }));
  const all = attestations
    ? [...described, ...described.map((d) => attestationOf(d.image))]
    : described;
  const mediaType = TYPES[mediaTypes].index;
  const root = jsonBlob(mediaType, {
    schemaVersion: 2,
    mediaType,
    manifests: all.map(({ descriptor }) => descriptor),
  });
  return {
    root: sized(root),
    manifests: unique(all.flatMap((child) => [...child.image.manifests, child.image.root])),
    blobs: unique(all.flatMap((child) => child.image.blobs)),
  };
}

function attestationOf(of: BuiltImage): { image: BuiltImage; descriptor: object } {
  const unknown: Platform = { os: 'unknown', architecture: 'unknown' };
  const statement: BuiltBlob = {
    ...jsonBlob(IN_TOTO, {
      _type: 'https://in-toto.io/Statement/v0.1',
      predicateType: 'https://slsa.dev/provenance/v0.2',
      subject: [{ name: 'test', digest: { sha256: of.root.digest.slice('sha256:'.length) } }],
      predicate: {},
    }),
    annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v0.2' },
  };
  const config = jsonBlob(OCI_CONFIG, {
    ...unknown,
    config: {},
    rootfs: { type: 'layers', diff_ids: [statement.digest] },
  });
  const attestation = manifestOf({ mediaType: OCI_MANIFEST }, config, [statement]);
  const annotations = {
    'vnd.docker.reference.digest': of.root.digest,
    'vnd.docker.reference.type': 'attestation-manifest',
  };
  return {
    image: attestation,
    descriptor: { ...descriptorOf(attestation.root), annotations, platform: unknown },
  };
}

export interface ArtifactOptions {
  readonly artifactType: string;
  /** What it refers to; it need not exist. */
  readonly subject?: BuiltManifest;
  readonly seed?: string;
  /** Content of the one layer; by default derived from the seed. */
  readonly payload?: string | Buffer;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An OCI 1.1 artifact: artifactType, empty config, one layer, perhaps a subject. */
export function artifact({
  artifactType,
  subject,
  seed = 'artifact',
  payload = pseudoRandomBytes(seed, 256),
  annotations,
}: ArtifactOptions): BuiltImage {
  const fields = {
    mediaType: OCI_MANIFEST,
    artifactType,
    ...(subject && { subject: descriptorOf(subject) }),
    ...(annotations && { annotations }),
  };
  const config = blobOf('application/vnd.oci.empty.v1+json', Buffer.from('{}'));
  return manifestOf(fields, config, [blobOf(artifactType, Buffer.from(payload))]);
}

/** What cosign 1 and 2 put under `cosignTag(digest)`; well formed, but the signature is not true. */
export function cosignSignature(subjectDigest: string, reference = 'test/image'): BuiltImage {
  const payload = jsonBlob('application/vnd.dev.cosign.simplesigning.v1+json', {
    critical: {
      identity: { 'docker-reference': reference },
      image: { 'docker-manifest-digest': subjectDigest },
      type: 'cosign container image signature',
    },
    optional: null,
  });
  const signature = pseudoRandomBytes(`signature of ${subjectDigest}`, 71).toString('base64');
  const signed = {
    ...payload,
    annotations: { 'dev.cosignproject.cosign/signature': signature },
  };
  const config = jsonBlob(OCI_CONFIG, {
    architecture: '',
    os: '',
    config: {},
    rootfs: { type: 'layers', diff_ids: [payload.digest] },
  });
  return manifestOf({ mediaType: OCI_MANIFEST }, config, [signed]);
}

/** `sha256-<hex>.sig`: where cosign keeps what belongs to a digest. */
export function cosignTag(digest: string, suffix: 'sig' | 'att' | 'sbom' = 'sig'): string {
  return `${digest.replace(':', '-')}.${suffix}`;
}

/** The descriptor that a manifest would name it by. */
export function descriptorOf(content: BuiltManifest | BuiltBlob): Record<string, unknown> {
  const { mediaType, digest, bytes } = content;
  return {
    mediaType,
    digest,
    size: bytes.length,
    ...('urls' in content && { urls: content.urls }),
    ...('annotations' in content && { annotations: content.annotations }),
  };
}

function manifestOf(
  fields: { readonly mediaType: string },
  config: BuiltBlob,
  layers: readonly BuiltBlob[],
): BuiltImage {
  const root = jsonBlob(fields.mediaType, {
    schemaVersion: 2,
    ...fields,
    config: descriptorOf(config),
    layers: layers.map(descriptorOf),
  });
  const held = [config, ...layers].filter((blob) => blob.urls === undefined);
  return { root: sized(root), manifests: [], blobs: unique(held) };
}

function jsonBlob(mediaType: string, value: unknown): BuiltBlob {
  return blobOf(mediaType, Buffer.from(JSON.stringify(value)));
}

function blobOf(mediaType: string, bytes: Buffer): BuiltBlob {
  return { mediaType, digest: sha256(bytes), bytes };
}

function sized({ mediaType, digest, bytes }: BuiltBlob): BuiltManifest {
  return { mediaType, digest, size: bytes.length, bytes };
}

function diffIdOf({ mediaType, bytes }: BuiltBlob): string {
  return sha256(mediaType.endsWith('gzip') ? gunzipSync(bytes) : bytes);
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function unique<T extends { readonly digest: string }>(items: readonly T[]): T[] {
  return [...new Map(items.map((item) => [item.digest, item])).values()];
}
