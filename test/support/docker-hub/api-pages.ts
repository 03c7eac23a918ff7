/** Pages of Docker Hub's API. */
import { json, type Reply } from '../registry/reply.ts';

const DEFAULT_PAGE_SIZE = 10;
const MAX_PAGE_SIZE = 100; // a larger page_size is clamped

/**
 * The page that the query of `url` asks for, with absolute links to its neighbours at `origin`;
 * `undefined` when it is beyond the last one.
 */
export function pageOf(entries: readonly object[], url: URL, origin: string): Reply | undefined {
  const page = numberOf(url, 'page', 1);
  const size = Math.min(numberOf(url, 'page_size', DEFAULT_PAGE_SIZE), MAX_PAGE_SIZE);
  const results = entries.slice((page - 1) * size, page * size);
  if (results.length === 0 && page > 1) return undefined;
  const link = (to: number): string => {
    const query = new URLSearchParams({ page: String(to), page_size: String(size) });
    return `${origin}${url.pathname}?${query}`;
  };
  return json(200, {
    count: entries.length,
    next: page * size < entries.length ? link(page + 1) : null,
    previous: page > 1 ? link(page - 1) : null,
    results,
  });
}

/** What is no number from 1 on counts as not given. */
function numberOf(url: URL, name: string, fallback: number): number {
  const value = Number(url.searchParams.get(name) ?? fallback);
  return Number.isInteger(value) && value > 0 ? value : fallback;
}
