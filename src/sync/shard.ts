/** A share of the work: every repository belongs to exactly one of N shards, in crawl and in sync. */
import { createHash } from 'node:crypto';

import { RegistrySyncError } from '../base/errors.ts';

export interface Shard {
  /** From 0, as Kubernetes counts the pods of an Indexed Job. */
  readonly index: number;
  readonly of: number;
}

const MAX_SHARDS = 10_000;

/**
 * Reads `I/N`.
 *
 * @param where says where it is written, for the error.
 * @throws {RegistrySyncError} `USAGE`
 */
export function parseShard(text: string, where = '--shard'): Shard {
  const [, index, of] = /^(\d{1,5})\/(\d{1,5})$/.exec(text) ?? [];
  const shard = { index: Number(index), of: Number(of) };
  if (shard.of >= 1 && shard.of <= MAX_SHARDS && shard.index < shard.of) return shard;
  const message = `${where} ${JSON.stringify(text)}: write I/N, where I counts from 0, as in 0/4, 1/4, 2/4, 3/4`;
  throw new RegistrySyncError('USAGE', message);
}

/**
 * Whether a repository, by its whole path at the source, belongs to the shard.
 *
 * By SHA-256, so it is the same on every machine and in every version; whole repositories, so that
 * what their tags share is moved once.
 */
export function isInShard(path: string, { index, of }: Shard): boolean {
  return createHash('sha256').update(path).digest().readUInt32BE(0) % of === index;
}

/** As it is written: `I/N`. */
export function formatShard({ index, of }: Shard): string {
  return `${index}/${of}`;
}
