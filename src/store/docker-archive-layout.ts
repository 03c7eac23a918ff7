/**
 * What stands around the layers in a docker-archive: its list of images, and what Docker before 1.10
 * looked for.
 *
 * Source: Docker Image Specification 1.0 and 1.2, «Combined Image JSON + Filesystem Changeset Format».
 */
import { createHash } from 'node:crypto';

import type { JsonObject } from '../image/descriptor.ts';
import { hexOf, type Digest } from '../image/digest.ts';
import { goJson } from '../image/go-json.ts';

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

/** Of the config, what the uppermost layer says of the image. */
const OF_IMAGE = [
  'architecture',
  'config',
  'container',
  'container_config',
  'created',
  'docker_version',
  'os',
];

/**
 * The layers of an image in the old form, each named by what it says of itself and by all that is
 * below it: the names that skopeo gives them.
 */
export function legacyLayers({ json, layers }: ArchivedImage): LegacyLayer[] {
  const legacy: LegacyLayer[] = [];
  let chain = '';
  for (const [at, layer] of layers.entries()) {
    const parent = legacy.at(-1)?.id;
    chain = chain === '' ? layer : sha256(`${chain} ${layer}`);
    const image = OF_IMAGE.map((name): [string, unknown] => [name, json[name] ?? null]);
    const own: Record<string, unknown> = {
      ...(parent !== undefined && { parent }),
      ...(at === layers.length - 1 && Object.fromEntries(image)),
    };
    const id = sha256(goJson(new Map(Object.entries({ ...own, layer_id: chain })))).slice(
      'sha256:'.length,
    );
    legacy.push({ id, json: goJson(new Map(Object.entries({ ...own, id }))), layer });
  }
  return legacy;
}

function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
