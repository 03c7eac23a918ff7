/**
 * What a registry's lists say of the tags of its repositories, for those who would else ask for each
 * tag by itself.
 *
 * A list may be behind the registry, so it is trusted in one direction only: who hopes that a tag has
 * a digest already may hear so from a list; any other word of it is checked by asking for the tag.
 * What we have written ourselves in this run is never answered from a list.
 */
import { LRUCache } from 'lru-cache';

import type { Clock } from '../base/clock.ts';
import { isError, RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Digest } from '../image/digest.ts';
import type { ListPages, TagInfo } from './catalog.ts';

export interface InventorySettings {
  /** `host[:port]`, for messages. */
  readonly registry: string;
  readonly pages: ListPages;
  /** How many tags of a repository will be asked for in this run. */
  readonly wanted: (repository: string) => number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Fewer tags than that are asked for one by one, however few pages there may be. */
const FEWEST = 4;
/** While a list does not say how long it is, it may cost this share of what asking costs. */
const SHARE = 0.5;
/** Of tags that are kept, over all repositories: 25 MB. */
const MAX_KEPT = 100_000;
/** Of one repository: what is beyond is asked for tag by tag. */
const MAX_LISTED = 90_000;
/** What a list said is believed for so long. */
const BELIEVED_MS = 10 * 60_000;

/** What was read of one repository, or is being read. */
interface Listed {
  readonly digests: Map<string, Digest>;
  /** Tags that were written while it was read. */
  readonly written: Set<string>;
  readonly until: number;
}

export class Inventory {
  readonly #settings: InventorySettings;
  readonly #listed = new LRUCache<string, Listed>({
    maxSize: MAX_KEPT,
    sizeCalculation: ({ digests }) => digests.size + 1,
  });
  readonly #reading = new Map<string, { readonly list: Listed; readonly done: Promise<void> }>();
  /** Repositories that have been read, or that we have written to: no list of them is read again. */
  readonly #closed = new Set<string>();
  #hasWarned = false;
  /** The lists are out of reach: asking for each again would keep every repository waiting. */
  #isGivenUp = false;

  constructor(settings: InventorySettings) {
    this.#settings = settings;
  }

  /** Whether a list says that the tag has this digest. `false`: nothing is known. */
  async says(
    repository: string,
    tag: string,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (this.#isGivenUp || this.#settings.wanted(repository) < FEWEST) return false;
    const list = this.#listed.get(repository) ?? (await this.#read(repository, signal));
    if (list === undefined || list.written.has(tag)) return false;
    return list.digests.get(tag) === digest && list.until > this.#settings.clock.now();
  }

  /** The tag is not any more what a list says. */
  noteWritten(repository: string, tag: string): void {
    this.#closed.add(repository);
    this.#reading.get(repository)?.list.written.add(tag);
    this.#listed.get(repository)?.digests.delete(tag);
  }

  /** A repository is read once; who waits for that shares it. `undefined`: it is not to be read. */
  async #read(repository: string, signal: AbortSignal): Promise<Listed | undefined> {
    let reading = this.#reading.get(repository);
    if (reading === undefined) {
      if (this.#closed.has(repository)) return undefined;
      this.#closed.add(repository);
      const until = this.#settings.clock.now() + BELIEVED_MS;
      const list = { digests: new Map<string, Digest>(), written: new Set<string>(), until };
      reading = { list, done: this.#fill(list, repository, signal) };
      this.#reading.set(repository, reading);
      void reading.done
        .then(() => this.#listed.set(repository, list))
        .catch(() => {}) // told to those who wait
        .finally(() => this.#reading.delete(repository));
    }
    await reading.done;
    return reading.list;
  }

  async #fill({ digests }: Listed, repository: string, signal: AbortSignal): Promise<void> {
    const { pages, log, registry } = this.#settings;
    try {
      let read = 0;
      for await (const { tags, total } of pages(repository, signal)) {
        note(tags, digests);
        if (digests.size >= MAX_LISTED) break;
        read += 1;
        if (!this.#isWorthMore(repository, { read, size: tags.length, total })) break;
      }
    } catch (error) {
      throwIfAborted(signal);
      if (!(error instanceof RegistrySyncError)) throw error;
      if (isError(error, 'UNAVAILABLE', 'RATE_LIMITED')) this.#isGivenUp = true;
      const isNew = error.code === 'NOT_FOUND'; // the first image of a repository makes it
      if (!isNew && !this.#hasWarned) {
        this.#hasWarned = true;
        const reason = error.message;
        log.warn({ registry, reason }, 'no digests in bulk: each tag is asked for by itself');
      }
    }
  }

  /** Whether the next pages cost less than asking for what is wanted. */
  #isWorthMore(
    repository: string,
    {
      read,
      size,
      total,
    }: { readonly read: number; readonly size: number; readonly total: number | undefined },
  ): boolean {
    const wanted = this.#settings.wanted(repository);
    const left = total === undefined || size === 0 ? undefined : Math.ceil(total / size) - read;
    return left === undefined ? read < wanted * SHARE : left > 0 && left < wanted;
  }
}

function note(tags: readonly TagInfo[], digests: Map<string, Digest>): void {
  for (const { name, digest } of tags.slice(0, MAX_LISTED - digests.size)) {
    if (digest !== undefined) digests.set(name, digest);
  }
}
