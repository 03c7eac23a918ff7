/** Which repositories of the target a tags.csv answers for, and which of their tags. */
import { isError, RegistrySyncError } from '../base/errors.ts';
import type { Digest } from '../image/digest.ts';
import { Fingerprints } from '../sync/fingerprints.ts';
import type { MapRow } from '../sync/mapping.ts';
import type { RowFile } from '../sync/rows.ts';
import { isInShard, type Shard } from '../sync/shard.ts';
import { pathOf, splitPath } from '../sync/tag-row.ts';

/** Stands for a tag; legal in names of repositories too. */
const PROBE = 'registry-sync-prune-probe';

/** Which of the source's repositories count, as for sync. */
export interface ScopeFilter {
  readonly namespace?: string | undefined;
  readonly shard?: Shard | undefined;
}

/** What one row wants of its repository at the target. */
export interface WantedImage {
  /** Absent: of an image that goes without a tag. */
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

/**
 * What rows want of the target. In memory it takes a few bytes per row, and the names of repositories; of those that
 * are asked for beforehand also the rows.
 */
export class Scope {
  readonly #map: MapRow;
  readonly #filter: ScopeFilter;
  readonly #wanted = new Fingerprints();
  readonly #rows: ReadonlyMap<string, WantedImage[]>;
  /** How tags look that rows make, by repository of the target. */
  readonly #forms = new Map<string, RegExp[]>();
  #last: string | undefined;

  /** @param keptFor repositories of the target whose rows are kept. */
  constructor(map: MapRow, filter: ScopeFilter, keptFor: Iterable<string> = []) {
    this.#map = map;
    this.#filter = filter;
    this.#rows = new Map([...keptFor].map((path) => [path, []]));
  }

  /** Repositories of the target. */
  get repositories(): IterableIterator<string> {
    return this.#forms.keys();
  }

  get size(): number {
    return this.#forms.size;
  }

  /**
   * Notes all rows: those of other shards and namespaces are wanted too, but do not widen the scope.
   *
   * Resolves to how many are of this namespace.
   */
  async addRows(file: RowFile): Promise<number> {
    const { namespace } = this.#filter;
    let count = 0;
    for await (const { row, target } of file.rows()) {
      if (namespace === undefined || row.namespace === namespace) count += 1;
      const { path, tag } = target;
      if (tag !== undefined) this.#wanted.add(`${path}:${tag}`, '');
      if (row.digest !== undefined) this.#wanted.add(`${path}@${row.digest}`, '');
      this.#rows.get(path)?.push({ tag, digest: row.digest });
      this.addSource(pathOf(row));
    }
    return count;
  }

  /**
   * Notes a repository of the source, whether or not it has rows.
   *
   * @throws {RegistrySyncError} `USAGE` when tags are part of the names of repositories.
   */
  addSource(path: string): void {
    if (path === this.#last) return;
    this.#last = path;
    const { namespace, shard } = this.#filter;
    const parts = splitPath(path);
    if (namespace !== undefined && parts.namespace !== namespace) return;
    if (shard !== undefined && !isInShard(path, shard)) return;
    const target = this.#probe(parts);
    if (target === undefined) return;
    if (target.path.includes(PROBE)) throw tagInPath();
    const form = formOf(target.tag);
    const forms = this.#forms.get(target.path);
    if (forms === undefined) this.#forms.set(target.path, [form]);
    else if (!forms.some(({ source }) => source === form.source)) forms.push(form);
  }

  /** Notes a repository of the target that no source has: its tags are those that all repositories get. */
  addTarget(path: string): boolean {
    if (this.#forms.has(path)) return false;
    this.#forms.set(path, [
      formOf(this.#probe({ namespace: '', repository: 'any' })?.tag ?? PROBE),
    ]);
    return true;
  }

  /** The rows that go to a repository whose rows are kept. */
  rowsOf(path: string): readonly WantedImage[] {
    return this.#rows.get(path) ?? [];
  }

  /** Whether rows, or repositories of the source, go to this repository. */
  has(path: string): boolean {
    return this.#forms.has(path);
  }

  /** Whether a row goes to this tag. When in doubt, it does. */
  isWanted(path: string, tag: string): boolean {
    return this.#wanted.has(`${path}:${tag}`);
  }

  /** Whether a row names this image. */
  isPromised(path: string, digest: Digest): boolean {
    return this.#wanted.has(`${path}@${digest}`);
  }

  /** Whether some row of the repository could have made this tag. */
  isOurs(path: string, tag: string): boolean {
    return (this.#forms.get(path) ?? []).some((form) => form.test(tag));
  }

  /** Where a repository goes; `undefined`: its name fits no repository there, so nothing of it does. */
  #probe(parts: { namespace: string; repository: string }) {
    try {
      const { target } = this.#map({ line: 0, ...parts, tag: PROBE });
      return { path: target.path, tag: target.tag ?? '' };
    } catch (error) {
      if (isError(error, 'USAGE')) return undefined;
      throw error;
    }
  }
}

/** A template may have the source's tag in it once, several times, or not at all. */
function formOf(tag: string): RegExp {
  const [first = '', second, ...more] = tag
    .split(PROBE)
    .map((text) => text.replaceAll(/[.]/g, '\\.'));
  if (second === undefined) return new RegExp(`^${first}$`);
  return new RegExp(`^${first}(.+)${[second, ...more].join('\\1')}$`);
}

function tagInPath(): RegistrySyncError {
  const message =
    "--target-path has {tag} in the name of the repository: which repositories were made of tags that are gone can't be known, so prune can't be used";
  return new RegistrySyncError('USAGE', message);
}

/**
 * The directories at the target that rows go to and nothing else is expected in: for each first part of their names
 * the longest that all have in common.
 *
 * @param given the namespace that stands in for the source's.
 * @throws {RegistrySyncError} `USAGE` where there is none, which would be the whole registry.
 */
export function namespacesOf(repositories: Iterable<string>, given: string | undefined): string[] {
  const all = [...repositories];
  if (given !== undefined && all.length > 0) {
    // A template need not put rows into it.
    if (all.every((path) => path.startsWith(`${given}/`))) return [given];
    if (!all.some((path) => path.startsWith(`${given}/`))) throw notThere(given);
  }
  const found = new Map<string, string>();
  for (const path of all) {
    const directory = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
    if (directory === '') throw noNamespace(path);
    const { namespace: first } = splitPath(path);
    found.set(first, commonOf(found.get(first) ?? directory, directory));
  }
  return [...found.values()];
}

function commonOf(a: string, b: string): string {
  const [left, right] = [a.split('/'), b.split('/')];
  const end = left.findIndex((part, at) => part !== right[at]);
  return left.slice(0, end < 0 ? left.length : end).join('/');
}

function notThere(given: string): RegistrySyncError {
  const message = `--scope namespace: no row goes to ${given}, as --target-path does not put them there: leave --target-namespace or --scope out`;
  return new RegistrySyncError('USAGE', message);
}

function noNamespace(path: string): RegistrySyncError {
  const message = `--scope namespace: ${path} at the target is in no namespace, so it would be the whole registry: leave --scope out`;
  return new RegistrySyncError('USAGE', message);
}
