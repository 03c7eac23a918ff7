/**
 * Writes the manifests and configs of a model: images, and indexes with BuildKit's attestations.
 *
 * Sources: OCI image-spec 1.1; docker docs «Image Manifest Version 2, Schema 2»; BuildKit
 * docs/attestations/attestation-storage.md.
 */
import { pseudoRandomBytes } from '../support/registry/layer-bytes.ts';
import { bytesContent, type Content } from './content.ts';
import type { Manifest } from './model.ts';

export type Layer = Content;
export type Family = 'oci' | 'docker';

export interface ImageBuilder {
  image(options: {
    readonly layers: readonly Layer[];
    readonly architecture: string;
    readonly family: Family;
  }): Manifest;
  index(
    entries: readonly { readonly architecture: string; readonly manifest: Manifest }[],
    options: { readonly family: Family; readonly attestations: boolean },
  ): Manifest;
}

/** Where what is built goes. */
export interface BuiltContent {
  manifest(manifest: Manifest): void;
  blob(blob: Content): void;
}

interface Platform {
  readonly os: string;
  readonly architecture: string;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
}

const TYPES = {
  oci: {
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    index: 'application/vnd.oci.image.index.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
  docker: {
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
} as const;
const IN_TOTO = 'application/vnd.in-toto+json';
const PREDICATE = 'https://slsa.dev/provenance/v0.2';
const UNKNOWN: Platform = { os: 'unknown', architecture: 'unknown' };
const CREATED = '2024-01-01T00:00:00Z';

export function imageBuilder(built: BuiltContent): ImageBuilder {
  const image: ImageBuilder['image'] = ({ layers, architecture, family }) => {
    const config = configOf(layers, { os: 'linux', architecture });
    for (const blob of [config, ...layers]) built.blob(blob);
    const described = layers.map((layer) => descriptor(TYPES[family].layer, layer));
    return keep(imageManifest(family, config, described));
  };
  const attestation = (of: Manifest): Manifest => {
    const statement = bytesContent(statementOn(of.digest));
    const config = configOf([statement], UNKNOWN);
    for (const blob of [config, statement]) built.blob(blob);
    const annotations = { 'in-toto.io/predicate-type': PREDICATE };
    return keep(imageManifest('oci', config, [{ ...descriptor(IN_TOTO, statement), annotations }]));
  };
  const keep = (manifest: Manifest): Manifest => {
    built.manifest(manifest);
    return manifest;
  };
  return {
    image,
    index(entries, { family, attestations }) {
      const described = entries.map(({ manifest, architecture }) =>
        childDescriptor(manifest, { os: 'linux', architecture }),
      );
      const attesting = (attestations ? entries : []).map(({ manifest }) =>
        childDescriptor(attestation(manifest), UNKNOWN, {
          'vnd.docker.reference.digest': manifest.digest,
          'vnd.docker.reference.type': 'attestation-manifest',
        }),
      );
      const mediaType = TYPES[family].index;
      const manifests = [...described, ...attesting];
      const children = manifests.map(({ digest }) => digest);
      return keep(manifestOf({ schemaVersion: 2, mediaType, manifests }, children, []));
    },
  };
}

function imageManifest(family: Family, config: Content, layers: readonly Descriptor[]): Manifest {
  const { manifest: mediaType, config: configType } = TYPES[family];
  const blobs = [...new Set([config.digest, ...layers.map(({ digest }) => digest)])];
  const json = { schemaVersion: 2, mediaType, config: descriptor(configType, config), layers };
  return manifestOf(json, [], blobs);
}

function manifestOf(
  json: { readonly mediaType: string; readonly [key: string]: unknown },
  children: readonly string[],
  blobs: readonly string[],
): Manifest {
  const bytes = Buffer.from(JSON.stringify(json));
  const { digest } = bytesContent(bytes);
  return { digest, mediaType: json.mediaType, bytes, children, blobs };
}

function descriptor(mediaType: string, { digest, size }: Content): Descriptor {
  return { mediaType, digest, size };
}

function childDescriptor(
  { mediaType, digest, bytes }: Manifest,
  platform: Platform,
  annotations?: Descriptor['annotations'],
): Descriptor {
  const size = bytes.length;
  return { mediaType, digest, size, ...(annotations && { annotations }), platform };
}

/** As large as those of real images, 1 to 2 kB; different for different layers. */
function configOf(layers: readonly Content[], platform: Platform): Content {
  const seed = layers.map(({ digest }) => digest).join(' ');
  const history = layers.map(({ digest }) => ({
    created: CREATED,
    created_by: `RUN /bin/sh -c install --from ${hexOf(digest, 32)} # buildkit`,
    comment: 'buildkit.dockerfile.v0',
  }));
  const config = {
    Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LANG=C.UTF-8'],
    Entrypoint: ['/usr/local/bin/entrypoint', '--serve'],
    Labels: { 'org.opencontainers.image.revision': hexOf(seed, 20) },
  };
  const diffs = layers.map(({ digest }) => `sha256:${hexOf(`diff ${digest}`, 32)}`);
  const rootfs = { type: 'layers', diff_ids: diffs };
  const json = { created: CREATED, ...platform, config, rootfs, history };
  return bytesContent(Buffer.from(JSON.stringify(json)));
}

function statementOn(digest: string): Buffer {
  const json = {
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType: PREDICATE,
    subject: [{ name: 'image', digest: { sha256: digest.slice('sha256:'.length) } }],
    predicate: { buildConfig: { definition: hexOf(digest, 1500) } },
  };
  return Buffer.from(JSON.stringify(json));
}

function hexOf(seed: string, bytes: number): string {
  return pseudoRandomBytes(seed, bytes).toString('hex');
}
