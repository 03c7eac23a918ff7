/** Makes what a shape needs: layers into files, then manifests from the leaves up. */
import pLimit from 'p-limit';

import { allOrNone } from '../base/concurrent.ts';
import { RegistrySyncError } from '../base/errors.ts';
import { convertIndex } from '../image/convert-index.ts';
import type { Schema1Name } from '../image/convert-schema1.ts';
import { convertImage } from '../image/convert.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { Digest } from '../image/digest.ts';
import { mediaTypeOfLayer, type LayerFormat } from '../image/layer-types.ts';
import type { ImageManifest, StoredManifest } from '../image/manifest.ts';
import type { ImageSource } from '../image/source-and-sink.ts';
import type { Compression } from './layer-bytes.ts';
import { diffIdOf, type LayerFiles } from './layer-files.ts';
import type { Needs } from './shape-needs.ts';
import type { MadeImage } from './shaped-source.ts';

export interface ReshapeSettings {
  readonly source: ImageSource;
  readonly shape: {
    readonly compression?: Compression | undefined;
    readonly name?: Schema1Name | undefined;
  };
  readonly files: LayerFiles;
  /** The image's blobs with their sizes: those of schema 1 are only here. */
  readonly sizes: readonly Descriptor[];
  readonly signal: AbortSignal;
}

/** Layers that are inflated or compressed at the same time; each is a few pieces in memory. */
const AT_ONCE = 2;
/** As large as skopeo takes them. Bytes. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

export function isSame({ from, form, layers }: Needs): boolean {
  return from === form && layers.every((format) => format === undefined);
}

/** What has become of a layer. */
interface Layer {
  readonly descriptor: Descriptor;
  readonly diffId?: Digest;
}

type Layers = ReadonlyMap<string, Layer>;

/** The image in its shape; `all` has children before their parents, and the root last. */
export async function reshape(
  all: readonly Needs[],
  settings: ReshapeSettings,
): Promise<MadeImage> {
  const layers = await makeLayers(all, settings);
  const blobs = new Map<Digest, Uint8Array>();
  const manifests = new Map<Digest, StoredManifest>();
  const changed = new Map<Digest, Descriptor>();
  let root: StoredManifest | undefined;
  for (const needs of all) {
    const before = needs.stored.descriptor.digest;
    root =
      needs.stored.manifest.kind === 'index'
        ? convertIndex(needs.stored, needs.form === 'docker' ? 'docker' : 'oci', changed)
        : await makeImage(needs, layers, blobs, settings);
    manifests.set(root.descriptor.digest, root);
    if (root.descriptor.digest !== before) changed.set(before, root.descriptor);
  }
  if (root === undefined) throw new RegistrySyncError('PROTOCOL', 'there is no image');
  const made = [...layers.values()].map(({ descriptor }) => descriptor);
  const sizes = new Map([...settings.sizes, ...made].map(({ digest, size }) => [digest, size]));
  return {
    root,
    manifests,
    blobs,
    files: settings.files,
    sizes,
    changes: changesOf(changed, layers),
  };
}

function changesOf(
  manifests: ReadonlyMap<Digest, Descriptor>,
  layers: Layers,
): ReadonlyMap<Digest, Digest> {
  const changes = new Map([...manifests].map(([before, { digest }]) => [before, digest]));
  for (const [key, { descriptor }] of layers) {
    const before = key.slice(0, key.indexOf(' ')) as Digest;
    if (before !== descriptor.digest) changes.set(before, descriptor.digest);
  }
  return changes;
}

function keyOf({ digest }: Descriptor, format: LayerFormat | undefined): string {
  return `${digest} ${format ?? ''}`;
}

type MakeLayer = (settings: ReshapeSettings) => Promise<Layer>;

/** Each layer once, however many images have it. */
async function makeLayers(all: readonly Needs[], settings: ReshapeSettings): Promise<Layers> {
  const limit = pLimit(AT_ONCE);
  const sizes = new Map(settings.sizes.map(({ digest, size }) => [digest, size]));
  const works = new Map(all.flatMap((needs) => worksOf(needs, sizes)));
  const made = await allOrNone([...works], settings.signal, async ([key, make], signal) => {
    return [key, await limit(() => make({ ...settings, signal }))] as const;
  });
  return new Map(made);
}

function worksOf(
  { stored, from, form, layers }: Needs,
  sizes: ReadonlyMap<Digest, number>,
): [string, MakeLayer][] {
  if (stored.manifest.kind === 'index') return [];
  return stored.manifest.layers.flatMap((layer, at): [string, MakeLayer][] => {
    const format = layers[at];
    const blob = { ...layer, size: sizes.get(layer.digest) ?? layer.size };
    const key = keyOf(layer, format);
    if (format !== undefined) return [[key, (settings) => writeLayer(blob, format, settings)]];
    if (from !== 'schema1' || form === from) return [];
    return [[key, (settings) => hashLayer(blob, settings)]];
  });
}

async function writeLayer(
  layer: Descriptor,
  format: LayerFormat,
  { source, shape, files, signal }: ReshapeSettings,
): Promise<Layer> {
  const level = shape.compression?.format === format ? shape.compression.level : undefined;
  const to = level === undefined ? { format } : { format, level };
  const { digest, size, diffId } = await files.write(source, layer, to, signal);
  const mediaType = mediaTypeOfLayer('oci', { format, foreign: false }) ?? layer.mediaType;
  return { descriptor: { ...layer, mediaType, digest, size }, diffId };
}

async function hashLayer(layer: Descriptor, { source, signal }: ReshapeSettings): Promise<Layer> {
  return { descriptor: layer, diffId: await diffIdOf(source, layer, signal) };
}

async function makeImage(
  needs: Needs,
  made: Layers,
  blobs: Map<Digest, Uint8Array>,
  { source, shape, signal }: ReshapeSettings,
): Promise<StoredManifest> {
  const { stored, from, form, layers } = needs;
  if (isSame(needs) || stored.manifest.kind === 'index') return stored;
  const { manifest } = stored;
  const found = manifest.layers.map((layer, at) => made.get(keyOf(layer, layers[at])));
  const parts = {
    config: from === form ? undefined : await configOf(manifest, source, signal),
    layers: manifest.layers.map((layer, at) => found[at]?.descriptor ?? layer),
    diffIds: new Map(
      manifest.layers.flatMap(({ digest }, at) => {
        const diffId = found[at]?.diffId;
        return diffId === undefined ? [] : [[digest, diffId] as const];
      }),
    ),
    name: shape.name,
  };
  const converted = convertImage(stored, form, parts);
  for (const [digest, bytes] of converted.blobs) blobs.set(digest, bytes);
  return converted.stored;
}

async function configOf(
  { config }: ImageManifest,
  source: ImageSource,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  if (config === undefined) return undefined;
  if (config.size > MAX_CONFIG_BYTES) {
    const message = `its config has ${config.size} bytes, more than ${MAX_CONFIG_BYTES}`;
    throw new RegistrySyncError('UNSUPPORTED', message);
  }
  const bytes = await source.blob(config, signal);
  if (bytes instanceof Uint8Array) return bytes;
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}
