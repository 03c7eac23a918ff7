/**
 * What stands around the layers in a docker-archive: its list of images, and what Docker before 1.10
 * looked for.
 *
 * Source: Docker Image Specification 1.0 and 1.2, «Combined Image JSON + Filesystem Changeset Format».
 */
import { createHash } from 'node:crypto';

import type { JsonObject } from '../image/descriptor.ts';
import { hexOf, type Digest } from '../image/digest.ts';

/** An image whose layers are plain. */
export interface ArchivedImage {
  /** The digest of the config, and what is in it. */
  readonly config: Digest;
  readonly json: JsonObject;
  /** From the lowest on. */
  readonly layers: readonly Digest[];
  /** `host/path:tag` */
  readonly tags: readonly string[];
}

/** A layer as an image of its own: `<id>/json`, `<id>/VERSION`, `<id>/layer.tar`. */
export interface LegacyLayer {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly json: string;
  readonly layer: Digest;
}

/** What a layer is called in an archive. */
export function layerName(layer: Digest): string {
  return `${hexOf(layer)}.tar`;
}

export function configName(config: Digest): string {
  return `${hexOf(config)}.json`;
}

/** `manifest.json` */
export function archiveManifest({ config, layers, tags }: ArchivedImage): string {
  return JSON.stringify([
    { Config: configName(config), RepoTags: tags, Layers: layers.map(layerName) },
  ]);
}

/** `repositories`: which legacy layer a tag stands for. */
export function repositories({ tags }: ArchivedImage, top: LegacyLayer | undefined): string {
  const names: Record<string, Record<string, string>> = {};
  for (const tag of top === undefined ? [] : tags.toSorted()) {
    const colon = tag.lastIndexOf(':');
    (names[tag.slice(0, colon)] ??= {})[tag.slice(colon + 1)] = top?.id ?? '';
  }
  return JSON.stringify(names);
}

/** The layers of an image in the old form, each named by all that is below it. */
export function legacyLayers({ config, json, layers }: ArchivedImage): LegacyLayer[] {
  const legacy: LegacyLayer[] = [];
  for (const [at, layer] of layers.entries()) {
    const parent = legacy.at(-1)?.id;
    const isTop = at === layers.length - 1;
    const id = createHash('sha256')
      .update([parent ?? '', layer, isTop ? config : ''].join(' '))
      .digest('hex');
    const { history: _, rootfs: __, ...rest } = isTop ? json : { created: '1970-01-01T00:00:00Z' };
    const own = { ...rest, id, ...(parent !== undefined && { parent }) };
    legacy.push({ id, json: JSON.stringify(own), layer });
  }
  return legacy;
}
