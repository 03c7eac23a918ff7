/**
 * Docker's schema 1 and schema 2, each made of the other.
 *
 * Source: https://github.com/distribution/distribution, 2.8, `manifest/schema1/config_builder.go`:
 * the ids and pieces of history are those that docker makes.
 */
import { createHash } from 'node:crypto';

import { RegistrySyncError } from '../base/errors.ts';
import { readConfig } from './convert-config.ts';
import type { ConvertedImage, ImageParts } from './convert.ts';
import { isObject, type Descriptor, type JsonObject } from './descriptor.ts';
import { digestOf, hexOf, type Digest } from './digest.ts';
import { GO_ZERO_TIME, goJson, goTime } from './go-json.ts';
import { readManifest, type ImageManifest, type StoredManifest } from './manifest.ts';
import { DOCKER_CONFIG, DOCKER_MANIFEST, DOCKER_SCHEMA1_SIGNED } from './media-types.ts';
import { signSchema1 } from './schema1-signature.ts';
import { schema1Entries, signedPayload } from './schema1.ts';

/** A registry refuses schema 1 that calls itself otherwise. */
export interface Schema1Name {
  /** The repository: `a/b`. */
  readonly path: string;
  readonly tag?: string;
}

/** An empty tar, compressed: the one that docker puts where a step changed no file. */
const EMPTY_LAYER = Buffer.from('H4sIAAAJbogA/2IYBaNgFIxYAAgAAP//Lq+17wAEAAA=', 'base64');
const EMPTY_DIGEST = digestOf(EMPTY_LAYER);

/** @throws {RegistrySyncError} `PROTOCOL` when it is malformed. */
export function fromSchema1(stored: StoredManifest, parts: ImageParts): ConvertedImage {
  const entries = schema1Entries(readConfig(signedPayload(stored.bytes) ?? stored.bytes));
  const real = entries.filter(({ compatibility }) => compatibility['throwaway'] !== true);
  const byDigest = new Map(
    layersOf(stored).map(({ digest }, at) => [digest, parts.layers[at]] as const),
  );
  const layers = real.map(({ digest }) => byDigest.get(digest) as Descriptor);
  const diffIds = real.map(({ digest }) => diffIdOf(parts, digest));
  const config = Buffer.from(
    goJson(
      schema2Config(
        entries.map(({ compatibility }) => compatibility),
        diffIds,
      ),
    ),
  );
  const digest = digestOf(config);
  const manifest = goJson({
    schemaVersion: 2,
    mediaType: DOCKER_MANIFEST,
    config: { mediaType: DOCKER_CONFIG, size: config.byteLength, digest },
    layers: layers.map((layer) => {
      return { mediaType: layer.mediaType, size: layer.size, digest: layer.digest };
    }),
  });
  return {
    stored: readManifest(Buffer.from(manifest), DOCKER_MANIFEST),
    blobs: new Map([[digest, config]]),
  };
}

function layersOf({ manifest }: StoredManifest): readonly Descriptor[] {
  return manifest.kind === 'image' ? manifest.layers : [];
}

function diffIdOf({ diffIds }: ImageParts, layer: Digest): Digest {
  const found = diffIds?.get(layer);
  if (found !== undefined) return found;
  throw new RegistrySyncError('PROTOCOL', `the digest of the tar in layer ${layer} is not known`);
}

/** The topmost piece is the config; the others are history. `pieces` are lowest first. */
function schema2Config(
  pieces: readonly JsonObject[],
  diffIds: readonly Digest[],
): ReadonlyMap<string, unknown> {
  const config = new Map(Object.entries(pieces.at(-1) ?? {}));
  for (const own of ['id', 'parent', 'parent_id', 'layer_id', 'throwaway', 'Size']) {
    config.delete(own);
  }
  config.set('rootfs', { type: 'layers', diff_ids: diffIds });
  config.set('history', pieces.map(historyOf));
  return config;
}

function historyOf(piece: JsonObject): JsonObject {
  const { created, author, comment, container_config, throwaway } = piece;
  const command = isObject(container_config) ? container_config['Cmd'] : undefined;
  return {
    created: timeOf(created),
    author: author || undefined,
    created_by: (Array.isArray(command) ? command.join(' ') : '') || undefined,
    comment: comment || undefined,
    empty_layer: throwaway === true ? true : undefined,
  };
}

/** A step of the history, on its way to become a layer of schema 1. */
interface Step {
  readonly digest: Digest;
  readonly id: string;
  readonly parent: string;
  readonly history: JsonObject;
}

/**
 * Schema 1 of an image of schema 2, with its layers as `manifest` has them.
 *
 * @throws {RegistrySyncError} `UNSUPPORTED` when there is no history to make it of; `PROTOCOL` when
 * that does not fit the layers.
 */
export function toSchema1(manifest: ImageManifest, { config, name }: ImageParts): ConvertedImage {
  const bytes = config ?? Buffer.from('{}');
  const json = readConfig(bytes);
  const steps = stepsOf(json, manifest.layers);
  const top = steps.at(-1);
  if (top === undefined) {
    const message = 'has no history in its config, which schema 1 is made of';
    throw new RegistrySyncError('UNSUPPORTED', message);
  }
  const id = idOf(top.digest, top.parent, Buffer.from(bytes).toString('utf8'));
  const pieces = [...steps.slice(0, -1).map(pieceOf), topPiece(json, { ...top, id })].toReversed();
  const payload = goJson({
    name: name?.path ?? '',
    tag: name?.tag ?? '',
    architecture: json['architecture'] ?? '',
    fsLayers: steps.toReversed().map(({ digest }) => ({ blobSum: digest })),
    history: pieces.map((piece) => ({ v1Compatibility: goJson(piece) })),
    schemaVersion: 1,
  });
  const stored = readManifest(signSchema1(payload), DOCKER_SCHEMA1_SIGNED);
  const hasEmpty = steps.some(({ digest }) => digest === EMPTY_DIGEST);
  return { stored, blobs: new Map(hasEmpty ? [[EMPTY_DIGEST, EMPTY_LAYER]] : []) };
}

function stepsOf({ history }: JsonObject, layers: readonly Descriptor[]): Step[] {
  const steps: Step[] = [];
  let used = 0;
  for (const entry of Array.isArray(history) ? history.map(asObject) : []) {
    const isEmpty = entry['empty_layer'] === true;
    const digest = isEmpty ? EMPTY_DIGEST : layers[used]?.digest;
    if (!isEmpty) used += 1;
    if (digest === undefined) throw mismatch(layers.length);
    const parent = steps.at(-1)?.id ?? '';
    steps.push({ digest, parent, id: idOf(digest, parent), history: entry });
  }
  if (steps.length > 0 && used !== layers.length) throw mismatch(layers.length);
  return steps;
}

function mismatch(layers: number): RegistrySyncError {
  const message = `the history in the image's config does not fit its ${layers} layers`;
  return new RegistrySyncError('PROTOCOL', message);
}

function asObject(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

function idOf(layer: Digest, ...others: readonly string[]): string {
  return createHash('sha256')
    .update([hexOf(layer), ...others].join(' '))
    .digest('hex');
}

function pieceOf({ id, parent, history }: Step): JsonObject {
  const { comment, created, created_by, author, empty_layer } = history;
  return {
    id,
    parent: parent || undefined,
    comment: comment || undefined,
    created: timeOf(created),
    container_config: { Cmd: [created_by ?? ''] },
    author: author || undefined,
    throwaway: empty_layer === true ? true : undefined,
  };
}

function topPiece(config: JsonObject, { id, parent, history }: Step): ReadonlyMap<string, unknown> {
  const piece = new Map(Object.entries(config));
  piece.delete('rootfs');
  piece.delete('history');
  piece.set('id', id);
  if (parent !== '') piece.set('parent', parent);
  if (history['empty_layer'] === true) piece.set('throwaway', true);
  return piece;
}

function timeOf(value: unknown): string {
  return typeof value === 'string' ? goTime(value) : GO_ZERO_TIME;
}
