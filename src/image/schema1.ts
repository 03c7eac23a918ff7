/**
 * Docker's schema 1: images that are a list of layers, each with its piece of the config.
 *
 * Sources: Docker «Image Manifest Version 2, Schema 1»; https://pkg.go.dev/github.com/docker/libtrust,
 * «JSONSignature», for where signatures stand.
 */
import { RegistrySyncError } from '../base/errors.ts';
import { isObject, type Descriptor, type JsonObject } from './descriptor.ts';
import { digestOf, parseDigest, type Digest } from './digest.ts';

/** Schema 1 does not say how large layers are: whoever needs it asks the source. */
export const UNKNOWN_SIZE = -1;

/** What layers of schema 1 are; they don't say it. */
export const SCHEMA1_LAYER = 'application/vnd.docker.image.rootfs.diff.tar.gzip';

/** A layer, and what it was made by. */
export interface Schema1Entry {
  readonly digest: Digest;
  /** The piece of the config, as it stands there. */
  readonly compatibility: JsonObject;
}

/**
 * A manifest's digest. That of a signed schema 1 is of what was signed, as anyone may add a
 * signature.
 */
export function digestOfManifest(bytes: Uint8Array, algorithm = 'sha256'): Digest {
  return digestOf(signedPayload(bytes) ?? bytes, algorithm);
}

/** What the signatures of a signed schema 1 are of; `undefined` when `bytes` are none. */
export function signedPayload(bytes: Uint8Array): Uint8Array | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!text.includes('"fsLayers"') || !text.includes('"signatures"')) return undefined;
  const head = protectedOf(parsed(text));
  if (head === undefined) return undefined;
  const { formatLength, formatTail } = head;
  const isInside = Number.isSafeInteger(formatLength) && (formatLength as number) <= bytes.length;
  if (!isInside || (formatLength as number) < 0 || typeof formatTail !== 'string') return undefined;
  const start = text.subarray(0, formatLength as number);
  return Buffer.concat([start, Buffer.from(formatTail, 'base64url')]);
}

function protectedOf(json: unknown): JsonObject | undefined {
  if (!isObject(json) || !Array.isArray(json['signatures'])) return undefined;
  const [signature]: unknown[] = json['signatures'];
  if (!isObject(signature) || typeof signature['protected'] !== 'string') return undefined;
  const head = parsed(Buffer.from(signature['protected'], 'base64url'));
  return isObject(head) ? head : undefined;
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/**
 * The layers as they are listed, lowest first, without those that an old tool repeated.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when layers and history don't belong together.
 */
export function schema1Entries(json: JsonObject): Schema1Entry[] {
  const { fsLayers, history } = json;
  if (!Array.isArray(fsLayers) || !Array.isArray(history) || fsLayers.length !== history.length) {
    throw malformed('has not as many layers as pieces of history');
  }
  if (fsLayers.length === 0) throw malformed('has no layers');
  const entries = fsLayers.map((layer, at) => ({
    digest: blobSumOf(layer, at),
    compatibility: compatibilityOf(history[at], at),
  }));
  const ids = entries.map(({ compatibility }) => idOf(compatibility));
  const once = entries.filter((_, at) => ids[at] !== ids[at + 1]);
  checkChain(once);
  return once.toReversed();
}

/** All layers, lowest first, those that are listed twice too. */
export function schema1Layers({ fsLayers }: JsonObject): Descriptor[] {
  if (!Array.isArray(fsLayers)) throw malformed('has no list of layers');
  return fsLayers
    .map((layer, at) => ({
      mediaType: SCHEMA1_LAYER,
      digest: blobSumOf(layer, at),
      size: UNKNOWN_SIZE,
    }))
    .toReversed();
}

function blobSumOf(layer: unknown, at: number): Digest {
  const digest = isObject(layer) ? layer['blobSum'] : undefined;
  if (typeof digest !== 'string') throw malformed(`fsLayers[${at}] has no blobSum`);
  return parseDigest(digest);
}

function compatibilityOf(entry: unknown, at: number): JsonObject {
  const text = isObject(entry) ? entry['v1Compatibility'] : undefined;
  const piece = typeof text === 'string' ? parsed(Buffer.from(text)) : undefined;
  if (!isObject(piece)) throw malformed(`history[${at}] has no v1Compatibility`);
  return piece;
}

function idOf({ id }: JsonObject): string {
  if (typeof id === 'string' && /^[0-9a-f]{64}$/.test(id)) return id;
  throw malformed('a piece of history has no id');
}

/** Each names the one below it, and the last names none. */
function checkChain(entries: readonly Schema1Entry[]): void {
  for (const [at, { compatibility }] of entries.entries()) {
    const below = entries[at + 1]?.compatibility['id'];
    if ((compatibility['parent'] || undefined) !== below) {
      throw malformed('pieces of history do not follow on each other');
    }
  }
}

function malformed(what: string): RegistrySyncError {
  return new RegistrySyncError('PROTOCOL', `schema 1 manifest is malformed: ${what}`);
}
