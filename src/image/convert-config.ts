/**
 * The config of an image in OCI's words. Docker's own members get lost, as they do with skopeo, so
 * that both come to the same digest.
 *
 * Source: OCI Image Specification 1.0, «Image Configuration», and the order of its Go structs.
 */
import { RegistrySyncError } from '../base/errors.ts';
import { isObject, type JsonObject } from './descriptor.ts';
import { goJson, goTime } from './go-json.ts';

/**
 * The bytes of a config for OCI's form.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when it is no config.
 */
export function ociConfig(bytes: Uint8Array): Uint8Array {
  const json = readConfig(bytes);
  const history = listOf(json['history']);
  return Buffer.from(
    goJson({
      created: timeOf(json['created']),
      author: textOf(json['author']),
      architecture: textOf(json['architecture']) ?? '',
      variant: textOf(json['variant']),
      os: textOf(json['os']) ?? '',
      'os.version': textOf(json['os.version']),
      'os.features': listOf(json['os.features']),
      config: runConfig(objectOf(json['config']) ?? {}),
      rootfs: rootfsOf(objectOf(json['rootfs']) ?? {}),
      history: history?.map(historyOf),
    }),
  );
}

/** @throws {RegistrySyncError} `PROTOCOL` when `bytes` are no JSON object. */
export function readConfig(bytes: Uint8Array): JsonObject {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new RegistrySyncError('PROTOCOL', 'the config of the image is no JSON', { cause });
  }
  if (isObject(json)) return json;
  throw new RegistrySyncError('PROTOCOL', 'the config of the image is no JSON object');
}

function runConfig(config: JsonObject): JsonObject {
  return {
    User: textOf(config['User']),
    ExposedPorts: setOf(config['ExposedPorts']),
    Env: listOf(config['Env']),
    Entrypoint: listOf(config['Entrypoint']),
    Cmd: listOf(config['Cmd']),
    Volumes: setOf(config['Volumes']),
    WorkingDir: textOf(config['WorkingDir']),
    Labels: mapOf(config['Labels']),
    StopSignal: textOf(config['StopSignal']),
    ArgsEscaped: config['ArgsEscaped'] === true ? true : undefined,
  };
}

function rootfsOf({ type, diff_ids }: JsonObject): JsonObject {
  return { type: textOf(type) ?? '', diff_ids: Array.isArray(diff_ids) ? diff_ids : null };
}

function historyOf(entry: unknown): JsonObject {
  if (!isObject(entry)) return {};
  const { created, created_by, author, comment, empty_layer } = entry;
  return {
    created: timeOf(created),
    created_by: textOf(created_by),
    author: textOf(author),
    comment: textOf(comment),
    empty_layer: empty_layer === true ? true : undefined,
  };
}

// What is empty is left out, as Go's `omitempty` does.

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function timeOf(value: unknown): string | undefined {
  return typeof value === 'string' ? goTime(value) : undefined;
}

function listOf(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) && value.length > 0 ? value : undefined;
}

function objectOf(value: unknown): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

function mapOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  const entries = Object.entries(objectOf(value) ?? {});
  return entries.length > 0 ? new Map(entries) : undefined;
}

function setOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  const keys = [...(mapOf(value)?.keys() ?? [])];
  return keys.length > 0 ? new Map(keys.map((key) => [key, {}])) : undefined;
}
