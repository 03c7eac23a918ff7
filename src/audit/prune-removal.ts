/** Deletes one image, or tags of it, in the way in which the registry does that. */
import { RegistrySyncError } from '../base/errors.ts';
import { InTurn } from '../base/in-turn.ts';
import type { Digest } from '../image/digest.ts';
import type { StoredManifest } from '../image/manifest.ts';
import type { Removal } from '../registry/deletion.ts';
import { nameOf } from '../registry/manifests.ts';
import { Outage } from '../sync/outage.ts';
import type { PruneStatus } from './prune-results.ts';
import type { PruneTarget } from './prune-target.ts';

/** What is to go. */
export interface Wished {
  readonly repository: string;
  readonly digest: Digest;
  readonly tags: readonly string[];
  /** The image goes with its tags; else the tags alone. */
  readonly isWhole: boolean;
  /** Why the image must stay. */
  readonly needed: string | undefined;
  /** Tags of the image that stay. */
  readonly others: readonly string[];
}

export interface Removed {
  readonly tag: string;
  readonly status: PruneStatus;
  readonly error?: string;
}

/** Each has waited for all of its tries. */
const MAX_IN_A_ROW = 20;
/** A replica may be a moment behind. */
const SEEN_TRIES = 3;
const SEEN_AGAIN_MS = 1000;

export class Remover {
  readonly #target: PruneTarget;
  readonly #isDry: boolean;
  readonly #proving = new InTurn<'proof'>();
  readonly #outage = new Outage(MAX_IN_A_ROW);
  /** Whether the registry was seen to take away a tag and leave the image. */
  #isProven: boolean;
  #isUnable = false;
  #hasDeleted = false;
  /** Whether what the registry said it had deleted was seen to be gone. */
  #isBelieved = { image: false, tag: false };

  constructor(target: PruneTarget, isDry: boolean) {
    this.#target = target;
    this.#isDry = isDry;
    this.#isProven = target.rules.tags !== 'protocol';
  }

  /** @throws {RegistrySyncError} when nothing could be done. */
  async remove(wished: Wished, signal: AbortSignal): Promise<readonly Removed[]> {
    const { tags, isWhole, needed } = wished;
    const { manifests, tags: tagRule } = this.#target.rules;
    if (needed !== undefined && tagRule === 'none') return this.#unable(wished);
    if (this.#isDry) return isWhole ? tags.map(wouldDelete) : this.#wouldUntag(wished);
    if (isWhole && manifests === 'with tags') return this.#removeImage(wished, tags, signal);
    const removed: Removed[] = [];
    for (const tag of tags) removed.push(await this.#untag(wished, tag, signal));
    const isFree = removed.every(({ status }) => status === 'deleted' || status === 'gone');
    if (!isWhole || manifests === 'never' || !isFree) return removed;
    await this.#removeImage(wished, [], signal);
    return removed.map(({ tag }) => ({ tag, status: 'deleted' }));
  }

  /**
   * Looks at a failure.
   *
   * @throws {RegistrySyncError} when every further deletion would fail in the same way.
   */
  noteFailure(error: RegistrySyncError): void {
    const isGone = this.#outage.note(error) !== undefined;
    const isForAll = error.details.isForAll === true || isGone;
    if (isForAll || (error.code === 'UNAUTHORIZED' && !this.#hasDeleted)) {
      const message = `${error.message}. Nothing more is tried`;
      throw new RegistrySyncError(error.code, message, error);
    }
  }

  async #removeImage(
    { repository, digest }: Wished,
    tags: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly Removed[]> {
    const removal = await this.#target.remove(repository, digest, signal);
    await this.#see({ repository, reference: digest, removal, kind: 'image', digest }, signal);
    this.#noteSuccess();
    const status = removal === 'gone' ? 'gone' : 'deleted';
    return tags.map((tag) => ({ tag, status }));
  }

  #noteSuccess(): void {
    this.#hasDeleted = true;
    this.#outage.note(undefined);
  }

  #wouldUntag({ tags, needed }: Wished): readonly Removed[] {
    const { registry } = this.#target;
    const parts = [
      ...(needed === undefined ? [] : [needed]),
      ...(this.#isProven
        ? []
        : [
            `whether ${registry} can take away a tag alone is seen when it is tried: else it stays`,
          ]),
    ];
    const error = parts.join('; ');
    return tags.map((tag) => ({ tag, status: 'would-untag', ...(error !== '' && { error }) }));
  }

  #unable({ tags, needed }: Wished): readonly Removed[] {
    const why = needed === undefined ? '' : `${needed}, and `;
    const error = `${why}${this.#target.registry} can't take away a tag alone`;
    return tags.map((tag) => ({ tag, status: 'kept', error }));
  }

  /** The name goes, whatever it stands for: so that is looked at once more. */
  async #untag(wished: Wished, tag: string, signal: AbortSignal): Promise<Removed> {
    const { repository, digest, needed } = wished;
    const [cannot] = this.#unable({ ...wished, tags: [tag] });
    if (this.#isUnable && cannot !== undefined) return cannot;
    const found = await this.#target.head(repository, tag, signal);
    if (found === undefined) return { tag, status: 'gone' };
    if (found.digest !== digest) {
      const error = `has moved since the plan: it is ${found.digest} now`;
      return { tag, status: 'skipped', error };
    }
    const mustStay = needed !== undefined && !this.#isProven;
    const removal = mustStay
      ? await this.#proving.run('proof', () => this.#untagWatched(wished, tag, signal))
      : await this.#target.untag(repository, tag, signal);
    if (removal === 'unable' && cannot !== undefined) {
      this.#isUnable = true;
      return cannot;
    }
    await this.#see({ repository, reference: tag, removal, kind: 'tag', digest }, signal);
    this.#noteSuccess();
    return { tag, status: removal === 'gone' ? 'gone' : 'deleted' };
  }

  /**
   * A registry that says that something is deleted is looked at the first time, one that says that it was not there
   * each time.
   *
   * @throws {RegistrySyncError} `PROTOCOL` when it is still there.
   */
  async #see(
    { repository, reference, removal, kind, digest }: Said,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, rules } = this.#target;
    // APIs of their own are known, and what the registry itself shows is behind them.
    const isKnown = rules.tags === 'acr' || rules.tags === 'docker-hub';
    if (removal === 'deleted' && (isKnown || this.#isBelieved[kind])) return;
    for (let tries = 1; tries <= SEEN_TRIES; tries += 1) {
      const found = await this.#target.head(repository, reference, signal);
      if (found?.digest !== digest) {
        if (removal === 'deleted') this.#isBelieved[kind] = true;
        return;
      }
      if (tries < SEEN_TRIES) await client.clock.sleep(SEEN_AGAIN_MS, signal);
    }
    const said = removal === 'deleted' ? 'that it is deleted' : 'that it is not there';
    const message = `${nameOf(client, repository, reference)}: the registry says ${said}, and it is there`;
    throw new RegistrySyncError('PROTOCOL', message);
  }

  /**
   * There have been registries that delete the image, with all of its tags, when they are told to delete one tag
   * (Harbor 2.0, zot of 2020). So the first time it is seen whether the image stays, and if not it is put back,
   * whatever was answered: an answer may be lost on its way.
   */
  async #untagWatched(wished: Wished, tag: string, signal: AbortSignal): Promise<Removal> {
    const { repository, digest } = wished;
    const target = this.#target;
    if (this.#isUnable) return 'unable';
    if (this.#isProven) return target.untag(repository, tag, signal);
    const stored = await target.manifest(repository, digest, signal);
    const [asked] = await Promise.allSettled([target.untag(repository, tag, signal)]);
    await this.#putBack(wished, stored);
    if (asked.status === 'rejected') throw asked.reason;
    if (asked.value === 'deleted') this.#isProven = true;
    return asked.value;
  }

  /** @throws {RegistrySyncError} when there was something to put back. */
  async #putBack({ repository, digest, others }: Wished, stored: StoredManifest): Promise<void> {
    const target = this.#target;
    const { signal } = new AbortController(); // what is begun is brought to its end
    const isThere = (await target.head(repository, digest, signal)) !== undefined;
    const lost: string[] = [];
    for (const other of others) {
      if ((await target.head(repository, other, signal)) === undefined) lost.push(other);
    }
    if (isThere && lost.length === 0) return;
    if (!isThere) await target.putBack(repository, digest, stored, signal);
    for (const other of lost) await target.putBack(repository, other, stored, signal);
    const names = lost.length === 0 ? digest : lost.join(', ');
    const message = `${target.registry} deletes a whole image when it is asked to take away one tag: ${repository} (${names}) was put back as it was. Say with --target-registry-kind harbor that it can't take away tags alone`;
    throw new RegistrySyncError('PROTOCOL', message, { details: { isForAll: true } });
  }
}

/** What a registry answered. */
interface Said {
  readonly repository: string;
  readonly reference: string;
  readonly removal: Removal;
  readonly kind: 'image' | 'tag';
  /** That was meant: under a tag there may be something new by now. */
  readonly digest: Digest;
}

function wouldDelete(tag: string): Removed {
  return { tag, status: 'would-delete' };
}
