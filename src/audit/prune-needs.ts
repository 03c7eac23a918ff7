/**
 * What must not be deleted by its digest, as something that stays needs it: the images of tags that stay, all parts
 * of theirs, and what their signatures are of.
 *
 * Lists are not believed here: each tag that stays is asked for by HEAD, and each index that stays is read.
 */
import { mapAsDone } from '../base/concurrent.ts';
import { isError } from '../base/errors.ts';
import type { Digest } from '../image/digest.ts';
import { kindOfMediaType } from '../image/media-types.ts';
import { subjectKey, subjectOf } from './prune-choice.ts';
import type { PruneTarget } from './prune-target.ts';

/** Requests of one repository under way. */
const AT_ONCE = 16;
/** Indexes of indexes of indexes … are none that people make. */
const MAX_DEPTH = 8;

export class Needs {
  readonly #target: PruneTarget;
  readonly #repository: string;
  /** Tags that stay, by what they stand for. */
  readonly #tags = new Map<Digest, string[]>();
  /** A tag that stays, by the digests of its parts. */
  readonly #parts = new Map<Digest, string>();
  /** A tag that stays, by what it belongs to. */
  readonly #subjects = new Map<string, string>();

  constructor(target: PruneTarget, repository: string) {
    this.#target = target;
    this.#repository = repository;
  }

  /**
   * Notes what tags that stay need.
   *
   * @throws {RegistrySyncError} when one of them can't be read: nothing may be deleted then.
   */
  async add(tags: Iterable<string>, signal: AbortSignal): Promise<void> {
    const work = (tag: string): Promise<void> => this.#addTag(tag, signal);
    for await (const _ of mapAsDone(tags, AT_ONCE, work));
  }

  /** Why an image must stay; `undefined`: nothing that stays needs it. */
  reason(digest: Digest): string | undefined {
    const [tag] = this.#tags.get(digest) ?? [];
    if (tag !== undefined) return `${tag} is the same image`;
    const whole = this.#parts.get(digest);
    if (whole !== undefined) return `it is a part of ${whole}`;
    const attached = this.#subjects.get(subjectKey(digest));
    return attached === undefined ? undefined : `${attached} belongs to it`;
  }

  /** Whether something that is attached to `subject` (see `subjectOf`) is attached to what stays. */
  hasSubject(subject: string): boolean {
    const all = [...this.#tags.keys(), ...this.#parts.keys()];
    this.#keys ??= new Set(all.map(subjectKey));
    return this.#keys.has(subject);
  }

  /** Tags that stay, and stand for this. */
  tagsOf(digest: Digest): readonly string[] {
    return this.#tags.get(digest) ?? [];
  }

  #keys: Set<string> | undefined;

  async #addTag(tag: string, signal: AbortSignal): Promise<void> {
    const found = await this.#target.head(this.#repository, tag, signal);
    if (found === undefined) return; // gone meanwhile, or a tag without anything under it
    const { digest, mediaType } = found;
    this.#keys = undefined;
    const same = this.#tags.get(digest);
    if (same === undefined) this.#tags.set(digest, [tag]);
    else same.push(tag);
    const subject = subjectOf(tag);
    if (subject !== undefined) this.#subjects.set(subject, tag);
    if (same !== undefined) return;
    const kind = kindOfMediaType(mediaType);
    if (kind === 'image' || kind === 'schema1') return; // have no parts that are images
    try {
      await this.#addParts({ digest, tag, depth: 1 }, signal);
    } catch (error) {
      // What is of no known type, and can't be read as a manifest either, has no parts.
      if (kind !== undefined || !isError(error, 'PROTOCOL')) throw error;
    }
  }

  async #addParts(
    { digest, tag, depth }: { digest: Digest; tag: string; depth: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { manifest } = await this.#target.manifest(this.#repository, digest, signal);
    if (manifest.kind !== 'index') return;
    for (const part of manifest.manifests) {
      if (this.#parts.has(part.digest)) continue;
      this.#parts.set(part.digest, tag);
      const isIndex = kindOfMediaType(part.mediaType) === 'index';
      if (!isIndex || depth >= MAX_DEPTH) continue;
      // A part that is listed but not held needs nothing.
      if ((await this.#target.head(this.#repository, part.digest, signal)) === undefined) continue;
      await this.#addParts({ digest: part.digest, tag, depth: depth + 1 }, signal);
    }
  }
}
