/**
 * Whether repositories hold blobs: each is asked for by HEAD once per repository, and where bytes are to be
 * checked they are read once per run, as registries keep a blob once for all of their repositories.
 */
import { LRUCache } from 'lru-cache';

import { isError, RegistrySyncError } from '../base/errors.ts';
import { SingleFlight } from '../base/single-flight.ts';
import type { Transfers } from '../copy/run.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { Digest } from '../image/digest.ts';
import { UNKNOWN_SIZE } from '../image/schema1.ts';
import { SMALL_BLOB_BYTES, type ImageSource } from '../image/source-and-sink.ts';

/** An image of a place that says how large its blobs are. */
export interface CheckedImage extends ImageSource {
  blobSize(digest: Digest, signal: AbortSignal): Promise<number>;
}

/** An image, and what is wanted of its blobs. */
export interface BlobQuestion {
  readonly image: CheckedImage;
  /** `registry/path`, in which the image is. */
  readonly repository: string;
  /** Reads them to their ends. */
  readonly hashes: boolean;
}

export interface BlobAnswer {
  /** In words, as in `is missing`; absent: nothing is wrong. */
  readonly problem?: string;
  /** Bytes. */
  readonly size?: number;
}

/** Of answers that are kept; forgetting one costs a request, not more. */
const MAX_KEPT = 100_000;
/** Counted by size, not by `max`: that would allocate for all of them at once. */
const SO_MANY = { maxSize: MAX_KEPT, sizeCalculation: () => 1 };

/** Whether a blob is there, and how large it is said to be. */
interface Found {
  readonly isThere: boolean;
  readonly size?: number;
}

export class BlobChecks {
  readonly #transfers: Transfers;
  readonly #found = new LRUCache<string, Found>(SO_MANY);
  readonly #finding = new SingleFlight<string, Found>();
  /** Whose bytes were right, wherever they were read. */
  readonly #right = new LRUCache<Digest, true>(SO_MANY);
  /** What was wrong with others, by repository. */
  readonly #wrong = new LRUCache<string, string>(SO_MANY);
  readonly #hashing = new SingleFlight<Digest, string | undefined>();

  constructor(transfers: Transfers) {
    this.#transfers = transfers;
  }

  /** @throws {RegistrySyncError} when the repository could not be asked. */
  async check(question: BlobQuestion, blob: Descriptor, signal: AbortSignal): Promise<BlobAnswer> {
    const { isThere, size } = await this.#find(question, blob.digest, signal);
    if (!isThere) return { problem: 'is missing' };
    const expected = blob.size === UNKNOWN_SIZE ? size : blob.size;
    const known = expected === undefined ? {} : { size: expected };
    if (size !== undefined && size !== expected) {
      return { ...known, problem: `has ${size} bytes instead of ${expected}` };
    }
    if (!question.hashes) return known;
    if (expected === undefined) {
      const message = `${question.repository}@${blob.digest}: neither the manifest nor the registry says its size`;
      throw new RegistrySyncError('PROTOCOL', message);
    }
    const problem = await this.#hash(question, { ...blob, size: expected }, signal);
    return problem === undefined ? known : { ...known, problem };
  }

  /** What was found of a blob in a repository may not be so any more. */
  forget(repository: string, digest: Digest): void {
    this.#found.delete(keyOf(repository, digest));
    this.#wrong.delete(keyOf(repository, digest));
    this.#right.delete(digest);
  }

  async #find(
    { image, repository }: BlobQuestion,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<Found> {
    const key = keyOf(repository, digest);
    const kept = this.#found.get(key);
    if (kept !== undefined) return kept;
    const found = await this.#finding.run(key, (all) => find(image, digest, all), signal);
    this.#found.set(key, found);
    return found;
  }

  /** What is wrong with the bytes. */
  async #hash(
    { image, repository }: BlobQuestion,
    blob: Descriptor,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { digest } = blob;
    const key = keyOf(repository, digest);
    for (;;) {
      const wrong = this.#wrong.get(key);
      if (wrong !== undefined || this.#right.has(digest)) return wrong;
      const flight = { isOwn: false };
      const read = (all: AbortSignal): Promise<string | undefined> => {
        flight.isOwn = true;
        return this.#read(image, blob, all);
      };
      try {
        const problem = await this.#hashing.run(digest, read, signal);
        if (problem === undefined) this.#right.set(digest, true);
        else if (flight.isOwn) this.#wrong.set(key, problem);
        if (problem === undefined || flight.isOwn) return problem;
      } catch (error) {
        // What another repository could not give, this one may.
        if (flight.isOwn || signal.aborted || !(error instanceof RegistrySyncError)) throw error;
      }
    }
  }

  /** Reads a blob to its end. Bytes may be damaged on the way, once. */
  #read(image: CheckedImage, blob: Descriptor, signal: AbortSignal): Promise<string | undefined> {
    const { small, large } = this.#transfers;
    const limit = blob.size > SMALL_BLOB_BYTES ? large : small;
    return limit(async () => {
      const first = await readThrough(image, blob, signal);
      return first === undefined ? undefined : readThrough(image, blob, signal);
    });
  }
}

async function find(image: CheckedImage, digest: Digest, signal: AbortSignal): Promise<Found> {
  try {
    return { isThere: true, size: await image.blobSize(digest, signal) };
  } catch (error) {
    if (isError(error, 'NOT_FOUND')) return { isThere: false };
    if (isError(error, 'PROTOCOL') && error.details.isThere === true) return { isThere: true };
    throw error;
  }
}

const RANGE_NOT_SATISFIABLE = 416;

async function readThrough(
  image: CheckedImage,
  blob: Descriptor,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const bytes = await image.blob(blob, signal);
    if (!(bytes instanceof Uint8Array)) for await (const _ of bytes);
    return undefined;
  } catch (error) {
    if (isError(error, 'NOT_FOUND')) return 'is said to be there, and can not be read';
    if (isError(error, 'CONTENT_MISMATCH')) return String(error.details.mismatch);
    if (isError(error, 'REJECTED') && error.details.status === RANGE_NOT_SATISFIABLE) {
      return `ends before its ${blob.size} bytes`;
    }
    throw error;
  }
}

function keyOf(repository: string, digest: Digest): string {
  return `${repository}@${digest}`;
}
