/**
 * What must not be deleted by its digest, as something that stays needs it: the images of tags that stay, all parts
 * of theirs, and what their signatures are of.
 *
 * Lists are not believed here: each tag that stays is asked for by HEAD, and each index that stays is read.
 */
import { mapAsDone } from '../base/concurrent.ts';
import { isError, RegistrySyncError } from '../base/errors.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { Digest } from '../image/digest.ts';
import { kindOfMediaType } from '../image/media-types.ts';
import { subjectKey, subjectOf } from './prune-choice.ts';
import type { WantedImage } from './prune-scope.ts';
import type { PruneTarget } from './prune-target.ts';

/** Requests of one repository under way. */
const AT_ONCE = 16;
/** Indexes of indexes of indexes … are none that people make. */
const MAX_DEPTH = 8;

/** Why an image stays that no tag says. */
export const ROW_NAMES_IT = 'a row of tags.csv names it';

export class Needs {
  readonly #target: PruneTarget;
  readonly #repository: string;
  /** Tags that stay, by what they stand for. */
  readonly #tags = new Map<Digest, string[]>();
  /** Images that stay though no tag that stays says so, and why. */
  readonly #images = new Map<Digest, string>();
  /** What stays, by the digests of its parts. */
  readonly #parts = new Map<Digest, string>();
  /** A tag that stays, by what it belongs to. */
  readonly #subjects = new Map<string, string>();
  /** Tags that are said to be there, and have nothing under them: what they need can't be known. */
  readonly #empty = new Set<string>();
  /** Indexes whose parts are known. */
  readonly #read = new Set<Digest>();
  #keys: Set<string> | undefined;
  /** Why every image must stay. */
  #doubt: string | undefined;

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
    const work = async (tag: string): Promise<void> => {
      if (!(await this.#addTag(tag, signal))) this.#empty.add(tag);
    };
    for await (const _ of mapAsDone(tags, AT_ONCE, work));
  }

  /**
   * Notes what rows of tags.csv want, also where the list of the target does not have it: tags may be there without
   * being listed. Tags that are listed come first, by `add`.
   */
  async addWanted(wanted: readonly WantedImage[], signal: AbortSignal): Promise<void> {
    const known = new Set([...this.#tags.values()].flat());
    const tags = wanted.flatMap(({ tag }) => (tag === undefined || known.has(tag) ? [] : [tag]));
    const look = (tag: string): Promise<boolean> => this.#addTag(tag, signal);
    for await (const _ of mapAsDone(new Set(tags), AT_ONCE, look));
    const digests = wanted.flatMap(({ digest }) =>
      digest === undefined || this.#tags.has(digest) ? [] : [digest],
    );
    const absent = new Set(await this.addImages(new Set(digests), ROW_NAMES_IT, signal));
    // With --platform a row without a tag goes to an image of another digest, which nothing says.
    const lost = wanted.find(
      (one) => one.tag === undefined && one.digest && absent.has(one.digest),
    );
    if (lost === undefined) return;
    this.#doubt = `a row of tags.csv names ${lost.digest}, and what it became is not known`;
  }

  /** Notes images that stay, and what they need. Resolves to those that are not there. */
  async addImages(
    digests: Iterable<Digest>,
    why: string,
    signal: AbortSignal,
  ): Promise<readonly Digest[]> {
    const absent: Digest[] = [];
    const work = async (digest: Digest): Promise<void> => {
      const found = await this.#target.head(this.#repository, digest, signal);
      if (found === undefined) absent.push(digest);
      else if (!this.#images.has(digest)) {
        this.#images.set(digest, why);
        this.#keys = undefined;
        await this.#addParts(found, digest, signal);
      }
    };
    for await (const _ of mapAsDone(digests, AT_ONCE, work));
    return absent;
  }

  /** Tags that were taken away meanwhile are no riddle. */
  settle(names: Iterable<string>): void {
    const listed = new Set(names);
    for (const tag of this.#empty) if (!listed.has(tag)) this.#empty.delete(tag);
  }

  get hasEmpty(): boolean {
    return this.#empty.size > 0;
  }

  /** Why an image must stay; `undefined`: nothing that stays needs it. */
  reason(digest: Digest): string | undefined {
    const [tag] = this.#tags.get(digest) ?? [];
    if (tag !== undefined) return `${tag} is the same image`;
    const whole = this.#parts.get(digest);
    if (whole !== undefined) return `it is a part of ${whole}`;
    const attached = this.#subjects.get(subjectKey(digest));
    if (attached !== undefined) return `${attached} belongs to it`;
    const [empty] = this.#empty;
    return (
      this.#images.get(digest) ??
      this.#doubt ??
      (empty === undefined ? undefined : `${empty} is listed, and nothing is found under it`)
    );
  }

  /** What stays of these, by digest. */
  whichStays(digests: Iterable<Digest>): string | undefined {
    for (const digest of digests) {
      const name = this.#tags.get(digest)?.[0] ?? this.#parts.get(digest);
      if (name !== undefined) return name;
    }
    return undefined;
  }

  /** Whether something that is attached to `subject` (see `subjectOf`) is attached to what stays. */
  hasSubject(subject: string): boolean {
    const all = [...this.#tags.keys(), ...this.#images.keys(), ...this.#parts.keys()];
    this.#keys ??= new Set(all.map(subjectKey));
    return this.#keys.has(subject);
  }

  /** Tags that stay, and stand for this. */
  tagsOf(digest: Digest): readonly string[] {
    return this.#tags.get(digest) ?? [];
  }

  /** `false`: nothing is under it. */
  async #addTag(tag: string, signal: AbortSignal): Promise<boolean> {
    const found = await this.#target.head(this.#repository, tag, signal);
    if (found === undefined) return false;
    const { digest } = found;
    this.#keys = undefined;
    const same = this.#tags.get(digest);
    if (same === undefined) this.#tags.set(digest, [tag]);
    else if (!same.includes(tag)) same.push(tag);
    const subject = subjectOf(tag);
    if (subject !== undefined) this.#subjects.set(subject, tag);
    if (same === undefined) await this.#addParts(found, tag, signal);
    return true;
  }

  /** All that an image consists of, level by level. */
  async #addParts(root: Descriptor, name: string, signal: AbortSignal): Promise<void> {
    if (!mayHaveParts(root) || this.#read.has(root.digest)) return;
    let level: readonly Descriptor[] = [root];
    for (let depth = 1; level.length > 0; depth += 1) {
      if (depth > MAX_DEPTH) throw tooDeep(this.#repository, name);
      const below: Descriptor[] = [];
      for (const one of level) {
        const parts = await this.#partsOf(one, one === root, signal);
        below.push(...this.#noteParts(one, parts, name));
      }
      level = await this.#thatAreThere(below, signal);
    }
  }

  /** Gives those that are to be read too. */
  #noteParts(
    { digest }: Descriptor,
    parts: readonly Descriptor[],
    name: string,
  ): readonly Descriptor[] {
    this.#read.add(digest);
    this.#keys = undefined;
    for (const part of parts) {
      if (!this.#parts.has(part.digest)) this.#parts.set(part.digest, name);
    }
    return parts.filter((part) => mayHaveParts(part) && !this.#read.has(part.digest));
  }

  /** A part that is listed but not held needs nothing. */
  async #thatAreThere(
    parts: readonly Descriptor[],
    signal: AbortSignal,
  ): Promise<readonly Descriptor[]> {
    const there: Descriptor[] = [];
    for (const { digest } of parts) {
      const found = await this.#target.head(this.#repository, digest, signal);
      if (found !== undefined && mayHaveParts(found)) there.push(found);
    }
    return there;
  }

  async #partsOf(
    { digest, mediaType }: Descriptor,
    isRoot: boolean,
    signal: AbortSignal,
  ): Promise<readonly Descriptor[]> {
    try {
      const { manifest } = await this.#target.manifest(this.#repository, digest, signal);
      return manifest.kind === 'index' ? manifest.manifests : [];
    } catch (error) {
      // What is of no known type, and can't be read as a manifest either, has no parts.
      const isNone = isRoot && kindOfMediaType(mediaType) === undefined;
      if (isNone && isError(error, 'PROTOCOL')) return [];
      throw error;
    }
  }
}

/** An image of a known type has no parts that are images. */
function mayHaveParts({ mediaType }: Descriptor): boolean {
  const kind = kindOfMediaType(mediaType);
  return kind !== 'image' && kind !== 'schema1';
}

function tooDeep(repository: string, name: string): RegistrySyncError {
  const message = `${repository}: ${name} has indexes in indexes, more than ${MAX_DEPTH} deep: what it needs can't be known`;
  return new RegistrySyncError('PROTOCOL', message);
}
