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

/** What rows want of the target. In memory it takes a few bytes per row, and the names of repositories. */
export class Scope {
  readonly #map: MapRow;
  readonly #filter: ScopeFilter;
  readonly #wanted = new Fingerprints();
  /** How tags look that rows make, by repository of the target. */
  readonly #forms = new Map<string, RegExp[]>();
  #last: string | undefined;

  constructor(map: MapRow, filter: ScopeFilter) {
    this.#map = map;
    this.#filter = filter;
  }

  /** Repositories of the target. */
  get repositories(): IterableIterator<string> {
    return this.#forms.keys();
  }

  get size(): number {
    return this.#forms.size;
  }

  /** Notes all rows: those of other shards are wanted too, but do not widen the scope. */
  async addRows(file: RowFile): Promise<void> {
    for await (const { row, target } of file.rows()) {
      if (target.tag !== undefined) this.#wanted.add(`${target.path}:${target.tag}`, '');
      if (row.digest !== undefined) this.#wanted.add(`${target.path}@${row.digest}`, '');
      this.addSource(pathOf(row));
    }
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
 * The namespaces at the target that rows go to: the part that repositories there have in common.
 *
 * @throws {RegistrySyncError} `USAGE` where there is none, which would be the whole registry.
 */
export function namespacesOf(repositories: Iterable<string>, given: string | undefined): string[] {
  const all = [...repositories];
  // A template need not put rows into it.
  if (given && all.length > 0 && all.every((path) => path.startsWith(`${given}/`))) return [given];
  const found = new Set<string>();
  for (const path of all) {
    const { namespace } = splitPath(path);
    if (namespace === '' || given === '') throw noNamespace(path);
    found.add(namespace);
  }
  return [...found];
}

function noNamespace(path: string): RegistrySyncError {
  const message = `--scope namespace: ${path} at the target is in no namespace, so it would be the whole registry: leave --scope out`;
  return new RegistrySyncError('USAGE', message);
}
