/**
 * Walks a registry's paged lists (tags, catalog, referrers) one item at a time.
 *
 * Sources: OCI Distribution 1.1, «Listing Tags»; RFC 8288 for the `Link` header.
 */
import { RegistrySyncError } from '../base/errors.ts';
import { redactUrl } from '../base/redact.ts';
import { resolveHop } from '../http/origin.ts';

/** One answer of a list endpoint. */
export interface Page<T> {
  readonly items: readonly T[];
  /** The `Link` header as it came; absent on the last page. */
  readonly link?: string | undefined;
}

/** Asks for the page at `url`. */
export type FetchPage<T> = (url: URL) => Promise<Page<T>>;

/**
 * Yields every item from `first` on. A page is asked for only when its first item is, so a caller
 * that stops early (`break`) costs no further request.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when a link leads to another origin (which would be sent our
 * token) or to a page already read.
 */
export async function* pages<T>(
  first: URL,
  fetchPage: FetchPage<T>,
): AsyncGenerator<T, void, void> {
  const visited = new Set<string>();
  let url: URL | undefined = first;
  while (url !== undefined) {
    if (visited.has(url.href)) throw unfollowable('pages form a loop', url);
    visited.add(url.href);
    const page: Page<T> = await fetchPage(url);
    yield* page.items;
    url = page.link === undefined ? undefined : nextPage(page.link, url);
  }
}

/** The target of the first `rel="next"` in a `Link` header, resolved against the page it came with. */
export function nextPage(link: string, page: URL): URL | undefined {
  for (const [, target = '', parameters = ''] of link.matchAll(/<([^>]*)>([^<]*)/g)) {
    const rel = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,]+))/i.exec(parameters);
    if (!(rel?.[1] ?? rel?.[2] ?? '').split(/\s+/).includes('next')) continue;
    const next = resolveHop(target, page, 'a page link'); // mends a wrong scheme, as proxies make it
    if (next.origin !== page.origin) throw unfollowable('page link leads to another origin', page);
    return next;
  }
  return undefined;
}

function unfollowable(message: string, page: URL): RegistrySyncError {
  return new RegistrySyncError('PROTOCOL', `${redactUrl(page)}: ${message}`);
}

/** More pages without an item than any registry filters away. */
const MAX_EMPTY_PAGES = 100;

/** Notices lists that never end: a page that begins as one before it, or empty pages without number. */
export class Advance {
  readonly #what: string;
  #first: string | undefined;
  #previous: string | undefined;
  #empty = 0;

  /** `what` is for people: `tags of r.test/a`. */
  constructor(what: string) {
    this.#what = what;
  }

  /** Whether a page that begins with `name` has been seen; `undefined`: it is empty. */
  repeats(name: string | undefined): boolean {
    return name !== undefined && (name === this.#first || name === this.#previous);
  }

  /** @throws {RegistrySyncError} `PROTOCOL` when the list gets nowhere. */
  note(name: string | undefined): void {
    this.#empty = name === undefined ? this.#empty + 1 : 0;
    if (this.repeats(name) || this.#empty > MAX_EMPTY_PAGES) {
      const message = `${this.#what}: the pages of the list do not advance`;
      throw new RegistrySyncError('PROTOCOL', message);
    }
    this.#first ??= name;
    this.#previous = name;
  }
}
