/**
 * Digests: the names of content.
 *
 * Source: OCI Image Specification 1.1, «Descriptors», section «Digests».
 */
import { createHash, type Hash } from 'node:crypto';

import { RegistrySyncError } from '../base/errors.ts';
import { shown } from '../base/shown.ts';

declare const brand: unique symbol;

/** `algorithm:hex`. Only `parseDigest` and `digestOf` make one, so a Digest is always safe in a path or URL. */
export type Digest = string & { readonly [brand]: true };

/** The algorithms that can be checked here, with the length of their hex form. */
const HEX_LENGTHS: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
]);

/** Reads a digest; `undefined` when `text` is none, or of an algorithm that can't be checked. */
export function tryParseDigest(text: string): Digest | undefined {
  const [, algorithm = '', hex = ''] = /^([a-z0-9]+):([0-9a-f]+)$/.exec(text) ?? [];
  return HEX_LENGTHS.get(algorithm) === hex.length ? (text as Digest) : undefined;
}

/** @throws {RegistrySyncError} `PROTOCOL` when `text` is no digest of an algorithm we can check. */
export function parseDigest(text: string): Digest {
  const digest = tryParseDigest(text);
  if (digest === undefined) {
    const quoted = JSON.stringify(shown(text, 100));
    throw new RegistrySyncError('PROTOCOL', `${quoted} is no sha256, sha384 or sha512 digest`);
  }
  return digest;
}

/** The digest of `bytes`. */
export function digestOf(bytes: Uint8Array, algorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` as Digest;
}

export function algorithmOf(digest: Digest): string {
  return digest.slice(0, digest.indexOf(':'));
}

export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** A running hash that ends in a digest of the same algorithm as `digest`. */
export function hashLike(digest: Digest): Hash {
  return createHash(algorithmOf(digest));
}
