/**
 * Images as docker-archives have them, and such archives: as `docker save` writes them before and
 * since Docker 25, and as others do.
 */
import { createHash } from 'node:crypto';

import type { BuiltBlob, BuiltImage } from './images.ts';
import { pseudoRandomBytes, tarOfOneFile } from './registry/layer-bytes.ts';
import type { TarBytesEntry } from './tar-bytes.ts';

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const CONFIG = 'application/vnd.docker.container.image.v1+json';
const LAYER = 'application/vnd.docker.image.rootfs.diff.tar';

export interface ArchivedOptions {
  /** The same options give the same bytes. */
  readonly seed?: string;
  /** How many, or what is in them. 2 unless given. */
  readonly layers?: number | readonly Buffer[];
  /** Of the one file of a layer. */
  readonly layerBytes?: number;
}

/** An image of plain layers, with the manifest that skopeo makes up for it but for the layers' type. */
export function archivedImage({
  seed = 'archived',
  layers = 2,
  layerBytes = 1024,
}: ArchivedOptions = {}): BuiltImage {
  const tars =
    typeof layers === 'number'
      ? Array.from({ length: layers }, (_, at) =>
          tarOfOneFile(`file-${at}`, pseudoRandomBytes(`${seed}/${at}`, layerBytes)),
        )
      : layers;
  const stack = tars.map((bytes) => blobOf(LAYER, bytes));
  const config = blobOf(
    CONFIG,
    Buffer.from(
      JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        created: '2024-01-01T00:00:00Z',
        config: { Labels: { seed } },
        rootfs: { type: 'layers', diff_ids: stack.map(({ digest }) => digest) },
        history: stack.map(() => ({ created: '2024-01-01T00:00:00Z', created_by: 'test' })),
      }),
    ),
  );
  const described = ({ mediaType, bytes, digest }: BuiltBlob): object => ({
    mediaType,
    size: bytes.length,
    digest,
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: described(config),
    layers: stack.map(described),
  };
  const root = blobOf(MANIFEST, Buffer.from(JSON.stringify(manifest)));
  const blobs = [...new Map([config, ...stack].map((blob) => [blob.digest, blob])).values()];
  return { root: { ...root, size: root.bytes.length }, manifests: [], blobs };
}

/** An image of an archive, and its names there. */
export interface TaggedImage {
  readonly image: BuiltImage;
  readonly tags: readonly string[] | null;
}

/** The entries of an archive; what two images share is there once. */
export function archiveEntries(
  images: readonly TaggedImage[],
  nameOf: (blob: BuiltBlob) => string = plainName,
): TarBytesEntry[] {
  const files = new Map<string, TarBytesEntry>();
  const listed = images.map(({ image, tags }) => {
    for (const blob of image.blobs) {
      files.set(nameOf(blob), { name: nameOf(blob), content: blob.bytes });
    }
    const { config, layers } = partsOf(image);
    return { Config: nameOf(config), RepoTags: tags, Layers: layers.map(nameOf) };
  });
  return [...files.values(), { name: 'manifest.json', content: JSON.stringify(listed) }];
}

/** The config of an image, and its layers from the lowest on. */
export function partsOf({ root, blobs }: BuiltImage): {
  readonly config: BuiltBlob;
  readonly layers: readonly BuiltBlob[];
} {
  const find = ({ digest }: { digest: string }): BuiltBlob => {
    const blob = blobs.find((one) => one.digest === digest);
    if (blob === undefined) throw new Error(`no blob ${digest}`);
    return blob;
  };
  const manifest = JSON.parse(root.bytes.toString('utf8')) as {
    config: BuiltBlob;
    layers: BuiltBlob[];
  };
  return { config: find(manifest.config), layers: manifest.layers.map(find) };
}

export function hexOf(blob: { readonly digest: string }): string {
  return blob.digest.slice(blob.digest.indexOf(':') + 1);
}

/** As skopeo names them. */
export function plainName(blob: BuiltBlob): string {
  return `${hexOf(blob)}.${blob.mediaType === CONFIG ? 'json' : 'tar'}`;
}

/** As Docker does since 25. */
export function blobName(blob: BuiltBlob): string {
  return `blobs/sha256/${hexOf(blob)}`;
}

/** As Docker does before 25. */
export function directoryName(blob: BuiltBlob): string {
  return blob.mediaType === CONFIG ? `${hexOf(blob)}.json` : `${hexOf(blob)}/layer.tar`;
}

function blobOf(mediaType: string, bytes: Buffer): BuiltBlob {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { mediaType, digest, bytes };
}
