/**
 * What is known of one registry's blobs in this run: where each is, and who is bringing it.
 *
 * A blob is brought at most once, however many images need it at the same time. The images that
 * want a blob stand in a queue in the order in which they asked; the first brings it, the others
 * wait until it can be linked to their repository. As an image asks for all its blobs in one tick,
 * and for no others before its manifests are put, it only ever waits for images that asked before
 * it: nobody can wait in a circle.
 */
import { LRUCache } from 'lru-cache';

import type { RegistrySyncError } from '../base/errors.ts';
import type { Digest } from '../image/digest.ts';
import { SelfLinks } from './self-links.ts';

/** Of blobs whose place is remembered; forgetting one costs a request, not more. */
const MAX_KNOWN = 100_000;
/** Counted by size, not by `max`: that would allocate for all of them at once, 20 ms at each start. */
const SO_MANY = { maxSize: MAX_KNOWN, sizeCalculation: () => 1 };
const MAX_REPOSITORIES = 8; // to mount from: one will do, a few survive a refusal

/** After so many refusals without one success a registry is taken not to mount. */
const MAX_REFUSALS = 3;

/** One image's wish for one blob. */
export class Claim {
  readonly digest: Digest;
  readonly repository: string;
  readonly #directory: BlobDirectory;
  /** Why an earlier claim could not bring the blob, when that holds for this one too. */
  failure: RegistrySyncError | undefined;

  constructor(digest: Digest, repository: string, directory: BlobDirectory) {
    this.digest = digest;
    this.repository = repository;
    this.#directory = directory;
  }

  /** Whether it is this image's turn to bring the blob. */
  get isFirst(): boolean {
    return this.#directory.queueOf(this.digest)[0] === this;
  }

  /** Whether an earlier claim of the same repository is still under way. */
  get isBroughtHere(): boolean {
    const queue = this.#directory.queueOf(this.digest);
    return queue.slice(0, queue.indexOf(this)).some((c) => c.repository === this.repository);
  }

  /** Gives up the place in the queue: the blob is there, or can't be brought. */
  release(): void {
    this.#directory.leave(this);
  }
}

export class BlobDirectory {
  readonly #held = new LRUCache<string, true>(SO_MANY);
  readonly #manifests = new LRUCache<string, true>(SO_MANY);
  readonly #mountable = new LRUCache<Digest, readonly string[]>(SO_MANY);
  readonly #queues = new Map<Digest, Claim[]>();
  readonly #waiting = new Map<Digest, (() => void)[]>();
  /** What the registry said it holds, and did not: neither its HEAD nor its links are believed. */
  readonly #doubted = new LRUCache<string, true>(SO_MANY);
  readonly selfLinks = new SelfLinks();
  readonly #mayMount: boolean;
  #refusals = 0;
  #mounted = false;

  /** `mounts`: whether the registry is known to link blobs, or not known not to. */
  constructor({ mounts = true }: { readonly mounts?: boolean } = {}) {
    this.#mayMount = mounts;
    if (!mounts) this.selfLinks.giveUp();
  }

  /** Joins the queue for a blob. Synchronous, and has to be: see the head of this file. */
  claim(digest: Digest, repository: string): Claim {
    const claim = new Claim(digest, repository, this);
    this.#queues.set(digest, [...this.queueOf(digest), claim]);
    return claim;
  }

  queueOf(digest: Digest): readonly Claim[] {
    return this.#queues.get(digest) ?? [];
  }

  leave(claim: Claim): void {
    const left = this.queueOf(claim.digest).filter((other) => other !== claim);
    if (left.length === 0) this.#queues.delete(claim.digest);
    else this.#queues.set(claim.digest, left);
    this.#wake(claim.digest);
  }

  /**
   * A repository could not be moved to take the blob, however often it was asked. Those who wait for
   * it there now are told, else each would ask as often, one after another.
   */
  fail(claim: Claim, failure: RegistrySyncError): void {
    for (const other of this.queueOf(claim.digest)) {
      if (other !== claim && other.repository === claim.repository) other.failure = failure;
    }
  }

  /** Resolves when something about the blob has changed: it arrived somewhere, or the queue moved. */
  changed(digest: Digest): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(digest);
      if (waiting === undefined) this.#waiting.set(digest, [resolve]);
      else waiting.push(resolve);
    });
  }

  holds(repository: string, digest: Digest): boolean {
    return this.#held.has(keyOf(repository, digest));
  }

  holdsManifest(repository: string, digest: Digest): boolean {
    return this.#manifests.has(keyOf(repository, digest));
  }

  noteManifest(repository: string, digest: Digest): void {
    this.#manifests.set(keyOf(repository, digest), true);
  }

  /** The blob is in the repository, but may be collected as garbage until a manifest needs it. */
  noteHeld(repository: string, digest: Digest): void {
    this.#held.set(keyOf(repository, digest), true);
    this.#wake(digest);
  }

  /** The blob is in the repository to stay: others may link it from there. */
  noteMountable(repository: string, digest: Digest): void {
    const known = this.#mountable.get(digest) ?? [];
    const isKnown = known.includes(repository);
    if (isKnown && this.holds(repository, digest)) return;
    this.#held.set(keyOf(repository, digest), true);
    if (!isKnown && known.length < MAX_REPOSITORIES) {
      this.#mountable.set(digest, [...known, repository]);
    }
    this.#wake(digest);
  }

  /** Another repository that the blob can be linked from. */
  mountSource(digest: Digest, target: string): string | undefined {
    if (!this.mounts) return undefined;
    return this.#mountable.get(digest)?.find((repository) => repository !== target);
  }

  /** The registry lacks a blob that it said it holds: for the rest of the run it is brought. */
  doubt(repository: string, digest: Digest): void {
    this.#doubted.set(keyOf(repository, digest), true);
    this.forget(repository, digest);
  }

  isDoubted(repository: string, digest: Digest): boolean {
    return this.#doubted.has(keyOf(repository, digest));
  }

  /** What was believed of a blob in a repository is not so. */
  forget(repository: string, digest: Digest): void {
    this.#held.delete(keyOf(repository, digest));
    this.#manifests.delete(keyOf(repository, digest));
    const known = this.#mountable.get(digest) ?? [];
    this.#mountable.set(
      digest,
      known.filter((other) => other !== repository),
    );
  }

  noteMount(succeeded: boolean): void {
    this.#mounted ||= succeeded;
    this.#refusals = succeeded ? 0 : this.#refusals + 1;
  }

  /** Whether linking blobs is worth a try, and worth waiting for. */
  get mounts(): boolean {
    return this.#mayMount && (this.#mounted || this.#refusals < MAX_REFUSALS);
  }

  #wake(digest: Digest): void {
    const waiting = this.#waiting.get(digest);
    this.#waiting.delete(digest);
    for (const resolve of waiting ?? []) resolve();
  }
}

function keyOf(repository: string, digest: Digest): string {
  return `${repository}@${digest}`;
}
