/**
 * The bytes of blobs, made from a seed when they are needed and never held whole: a layer is a block
 * of pseudo-random bytes, repeated. It begins like a gzip, so that no tool compresses it on its way;
 * nothing that copies images unpacks it.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { pseudoRandomBytes } from '../support/registry/layer-bytes.ts';
import { CACHE } from './cache.ts';

export interface Content {
  readonly digest: string;
  readonly size: number;
  /** What it is repeated of; at most `BLOCK_BYTES` long. */
  block(): Buffer;
}

const BLOCK_BYTES = 1024 * 1024;
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
/** The digest of a layer of this size is worth a file. */
const REMEMBERED_BYTES = 16 * BLOCK_BYTES;

/** A layer of `size` bytes that depend on the seed and nothing else. */
export function layerContent(seed: string, size: number): Content {
  const block = (): Buffer => {
    const bytes = pseudoRandomBytes(seed, Math.min(size, BLOCK_BYTES));
    GZIP_HEADER.copy(bytes);
    return bytes;
  };
  const digest = (): string => digestOf(chunksOf({ size, block }));
  return {
    digest: size < REMEMBERED_BYTES ? digest() : remembered(seed, size, digest),
    size,
    block,
  };
}

/** Small content that is known already. */
export function bytesContent(bytes: Buffer): Content {
  return { digest: digestOf([bytes]), size: bytes.length, block: () => bytes };
}

/** The whole content in pieces, made one after another. */
export function* chunksOf({ size, block }: Pick<Content, 'size' | 'block'>): Generator<Buffer> {
  const bytes = block();
  for (let at = 0; at < size; at += bytes.length) yield bytes.subarray(0, size - at);
}

export function digestOf(chunks: Iterable<Buffer>): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

function remembered(seed: string, size: number, make: () => string): string {
  const name = createHash('sha256').update(`${seed} ${size}`).digest('hex').slice(0, 16);
  const path = join(CACHE, `digest-${name}`);
  if (existsSync(path)) return readFileSync(path, 'utf8');
  const digest = make();
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(path, digest);
  return digest;
}
