/**
 * What `inspect` tells of an image, in the fields and the order of skopeo.
 *
 * Sources: skopeo-inspect(1); OCI Image Specification 1.0, «Image Configuration», for `--config`.
 */
import { RegistrySyncError } from '../base/errors.ts';
import { isObject, type Descriptor, type JsonObject } from '../image/descriptor.ts';
import type { StoredManifest } from '../image/manifest.ts';
import { DOCKER_MANIFEST, kindOfMediaType } from '../image/media-types.ts';
import { GoNil, GoStruct, GoTime, type GoField, type GoValue } from './go-value.ts';

export interface Inspected {
  readonly name: string | undefined;
  /** Of what the name stands for, be it a list. */
  readonly digest: string;
  readonly tags: readonly string[];
  readonly image: StoredManifest;
  readonly config: JsonObject;
}

/** @throws {RegistrySyncError} `PROTOCOL` when it is no JSON object. */
export function readConfig(bytes: Uint8Array, name: string): JsonObject {
  try {
    const json: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (isObject(json)) return json;
  } catch (cause) {
    throw new RegistrySyncError('PROTOCOL', `${name}: its config is no JSON`, { cause });
  }
  throw new RegistrySyncError('PROTOCOL', `${name}: its config is no JSON object`);
}

export function inspection({ name, digest, tags, image, config }: Inspected): GoStruct {
  const { manifest, descriptor } = image;
  const layers = manifest.kind === 'image' ? manifest.layers : [];
  const inner = isObject(config.config) ? config.config : {};
  const isDocker = descriptor.mediaType === DOCKER_MANIFEST;
  const created = isDocker ? (config.created ?? '0001-01-01T00:00:00Z') : config.created;
  return new GoStruct([
    { name: 'Name', omitEmpty: true, value: name ?? '' },
    { name: 'Tag', omitEmpty: true, value: tagIn(image) },
    { name: 'Digest', value: digest },
    { name: 'RepoTags', value: tags },
    { name: 'Created', value: timeOf(created) },
    { name: 'DockerVersion', value: textOf(config.docker_version) },
    { name: 'Labels', value: textsOf(inner.Labels) },
    { name: 'Architecture', value: textOf(config.architecture) },
    { name: 'Os', value: textOf(config.os) },
    { name: 'Layers', value: layers.map((layer) => layer.digest) },
    { name: 'LayersData', value: layers.map(layerData) },
    { name: 'Env', value: listOf(inner.Env) },
  ]);
}

/** Docker's schema 1 says under which tag it was pushed. */
function tagIn({ descriptor, bytes }: StoredManifest): string {
  if (kindOfMediaType(descriptor.mediaType) !== 'schema1') return '';
  return textOf((JSON.parse(Buffer.from(bytes).toString('utf8')) as JsonObject).tag);
}

function layerData({ mediaType, digest, size, annotations }: Descriptor): GoStruct {
  return new GoStruct([
    { name: 'MIMEType', value: mediaType },
    { name: 'Digest', value: digest },
    { name: 'Size', value: size },
    { name: 'Annotations', value: textsOf(annotations) },
  ]);
}

/** The config, without what the specification does not know. */
export function configDocument(config: JsonObject): GoStruct {
  const rootfs = isObject(config.rootfs) ? config.rootfs : {};
  return new GoStruct([
    optional('Created', 'created', timeOf(config.created)),
    optional('Author', 'author', textOf(config.author)),
    { name: 'Architecture', key: 'architecture', value: textOf(config.architecture) },
    optional('Variant', 'variant', textOf(config.variant)),
    { name: 'OS', key: 'os', value: textOf(config.os) },
    optional('OSVersion', 'os.version', textOf(config['os.version'])),
    optional('OSFeatures', 'os.features', listOf(config['os.features'])),
    { name: 'Config', key: 'config', value: runConfig(config.config) },
    {
      name: 'RootFS',
      key: 'rootfs',
      value: new GoStruct([
        { name: 'Type', key: 'type', value: textOf(rootfs.type) },
        { name: 'DiffIDs', key: 'diff_ids', value: listOf(rootfs.diff_ids) },
      ]),
    },
    optional('History', 'history', historyOf(config.history)),
  ]);
}

function runConfig(value: unknown): GoStruct {
  const config = isObject(value) ? value : {};
  return new GoStruct([
    optional('User', 'User', textOf(config.User)),
    optional('ExposedPorts', 'ExposedPorts', setOf(config.ExposedPorts)),
    optional('Env', 'Env', listOf(config.Env)),
    optional('Entrypoint', 'Entrypoint', listOf(config.Entrypoint)),
    optional('Cmd', 'Cmd', listOf(config.Cmd)),
    optional('Volumes', 'Volumes', setOf(config.Volumes)),
    optional('WorkingDir', 'WorkingDir', textOf(config.WorkingDir)),
    optional('Labels', 'Labels', textsOf(config.Labels)),
    optional('StopSignal', 'StopSignal', textOf(config.StopSignal)),
    optional('ArgsEscaped', 'ArgsEscaped', config.ArgsEscaped === true),
  ]);
}

function historyOf(value: unknown): GoValue {
  if (!Array.isArray(value)) return new GoNil('list');
  return value
    .filter(isObject)
    .map(
      (entry) =>
        new GoStruct([
          optional('Created', 'created', timeOf(entry.created)),
          optional('CreatedBy', 'created_by', textOf(entry.created_by)),
          optional('Author', 'author', textOf(entry.author)),
          optional('Comment', 'comment', textOf(entry.comment)),
          optional('EmptyLayer', 'empty_layer', entry.empty_layer === true),
        ]),
    );
}

function optional(name: string, key: string, value: GoValue): GoField {
  return { name, key, omitEmpty: true, value };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function timeOf(value: unknown): GoValue {
  return typeof value === 'string' ? new GoTime(value) : new GoNil('pointer');
}

function listOf(value: unknown): GoValue {
  return Array.isArray(value) ? value.map(textOf) : new GoNil('list');
}

function textsOf(value: unknown): GoValue {
  if (!isObject(value)) return new GoNil('map');
  return new Map(Object.entries(value).map(([key, one]) => [key, textOf(one)]));
}

/** A map to nothing. */
function setOf(value: unknown): GoValue {
  if (!isObject(value)) return new GoNil('map');
  return new Map(Object.keys(value).map((key) => [key, new GoStruct([])]));
}
