/** Deletes one image, or tags of it, in the way in which the registry does that. */
import { RegistrySyncError } from '../base/errors.ts';
import { InTurn } from '../base/in-turn.ts';
import type { Digest } from '../image/digest.ts';
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

export class Remover {
  readonly #target: PruneTarget;
  readonly #isDry: boolean;
  readonly #proving = new InTurn<'proof'>();
  readonly #outage = new Outage(MAX_IN_A_ROW);
  /** Whether the registry was seen to take away a tag and leave the image. */
  #isProven: boolean;
  #isUnable = false;
  #hasDeleted = false;

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
    this.#noteSuccess();
    return { tag, status: removal === 'gone' ? 'gone' : 'deleted' };
  }

  /**
   * There have been registries that delete the image, with all of its tags, when they are told to delete one tag
   * (Harbor 2.0, zot of 2020). So the first time it is seen whether the image stays, and if not it is put back.
   */
  async #untagWatched(
    { repository, digest, others }: Wished,
    tag: string,
    signal: AbortSignal,
  ): Promise<'deleted' | 'gone' | 'unable'> {
    const target = this.#target;
    if (this.#isUnable) return 'unable';
    if (this.#isProven) return target.untag(repository, tag, signal);
    const stored = await target.manifest(repository, digest, signal);
    const removal = await target.untag(repository, tag, signal);
    if (removal !== 'deleted') return removal;
    const { signal: onward } = new AbortController(); // what is begun is brought to its end
    const isThere = (await target.head(repository, digest, onward)) !== undefined;
    const lost: string[] = [];
    for (const other of others) {
      if ((await target.head(repository, other, onward)) === undefined) lost.push(other);
    }
    if (isThere && lost.length === 0) {
      this.#isProven = true;
      return removal;
    }
    if (!isThere) await target.putBack(repository, digest, stored, onward);
    for (const other of lost) await target.putBack(repository, other, stored, onward);
    const names = lost.length === 0 ? digest : lost.join(', ');
    const message = `${target.registry} deletes a whole image when it is asked to take away one tag: ${repository} (${names}) was put back as it was. Say with --target-registry-kind harbor that it can't take away tags alone`;
    throw new RegistrySyncError('PROTOCOL', message, { details: { isForAll: true } });
  }
}

function wouldDelete(tag: string): Removed {
  return { tag, status: 'would-delete' };
}
