/**
 * Descriptors: what a manifest says of the content it points to.
 *
 * Source: OCI Image Specification 1.1, «Content Descriptors».
 */
import { RegistrySyncError } from '../base/errors.ts';
import { shown } from '../base/shown.ts';
import { parseDigest, type Digest } from './digest.ts';
import type { Platform } from './platform.ts';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes; negative where a manifest does not say it (Docker's schema 1). */
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  /** Where a foreign layer is fetched from. */
  readonly urls?: readonly string[];
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads one descriptor of a manifest. `where` names it in errors, as in `layers[2]`.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when it is none: a digest or size that can't be believed
 * must not become part of a path, a URL or a request.
 */
export function readDescriptor(value: unknown, where: string): Descriptor {
  if (!isObject(value)) throw malformed(where, 'is no object');
  const { mediaType, digest, size, platform, annotations, artifactType, urls } = value;
  if (typeof mediaType !== 'string') throw malformed(where, 'has no mediaType');
  if (typeof digest !== 'string') throw malformed(where, 'has no digest');
  if (!Number.isSafeInteger(size) || (size as number) < 0) {
    throw malformed(where, `has the size ${shownSize(size)}`);
  }
  return {
    mediaType,
    digest: parseDigest(digest),
    size: size as number,
    ...optional('platform', readPlatform(platform)),
    ...optional('annotations', readStrings(annotations)),
    ...optional('artifactType', typeof artifactType === 'string' ? artifactType : undefined),
    ...optional(
      'urls',
      Array.isArray(urls) ? urls.filter((u) => typeof u === 'string') : undefined,
    ),
  };
}

/** Not as JSON: what a server nests deep enough overflows the stack of who writes it. */
function shownSize(size: unknown): string {
  if (typeof size === 'string') return JSON.stringify(shown(size, 40));
  return typeof size === 'object' && size !== null ? 'of no number' : String(size);
}

function readPlatform(value: unknown): Platform | undefined {
  if (!isObject(value)) return undefined;
  const { os, architecture, variant } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  const osVersion = value['os.version'];
  return {
    os,
    architecture,
    ...optional('variant', typeof variant === 'string' && variant !== '' ? variant : undefined),
    ...optional('osVersion', typeof osVersion === 'string' ? osVersion : undefined),
  };
}

function readStrings(value: unknown): Record<string, string> | undefined {
  if (!isObject(value)) return undefined;
  return Object.fromEntries(
    Object.entries(value).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}

function malformed(where: string, what: string): RegistrySyncError {
  return new RegistrySyncError('PROTOCOL', `manifest is malformed: ${where} ${what}`);
}
