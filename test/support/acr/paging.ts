/**
 * Pages of lists, with the Link that leads to the next.
 *
 * Source: the Link headers recorded with Azure/azure-sdk-for-js.
 */
import { json, refusal, type Reply } from '../registry/reply.ts';
import type { Properties } from './metadata.ts';
import type { AcrCall, AcrState } from './state.ts';

const DEFAULT_PAGE = 100;

/** One item of a list. */
export interface Item {
  /** What `last` names it by. */
  readonly key: string;
  readonly lastUpdateTime: string;
}

/** Answers with the page that the request asks for, made of `items`, which come in lexical order. */
export function pageOf<T extends Item>(
  state: AcrState,
  { exchange }: AcrCall,
  items: readonly T[],
  body: (page: readonly T[]) => unknown,
): Reply {
  const { pathname, searchParams } = exchange.url;
  const asked = searchParams.get('n');
  const n = asked === null ? DEFAULT_PAGE : Number(asked);
  if (!Number.isInteger(n) || n < 1) {
    const message = 'invalid number of results requested';
    return refusal(400, { code: 'PAGINATION_NUMBER_INVALID', message, detail: { n: asked } });
  }
  if (n > state.breaksAbove) return badGateway();
  const size = Math.min(n, state.behaviour.maxPageSize);
  const orderby = searchParams.get('orderby') ?? '';
  const rest = after(ordered(items, orderby), searchParams.get('last'), orderby === '');
  const page = rest.slice(0, size);
  const last = page.at(-1);
  if (last === undefined || page.length === rest.length) return json(200, body(page));
  const digest = searchParams.get('digest');
  const query = new URLSearchParams({
    ...(digest !== null && { digest }),
    last: last.key,
    n: String(size),
    orderby,
  });
  return json(200, body(page), { Link: `<${pathname}?${query}>; rel="next"` });
}

/** `key` and time of an item, for `pageOf`. */
export function itemOf(key: string, { lastUpdateTime }: Properties): Item {
  return { key, lastUpdateTime };
}

/** In the order of UTF-16 code units. */
export function byName(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function badGateway(): Reply {
  const text = '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n</html>\r\n';
  return { status: 502, headers: { 'Content-Type': 'text/html' }, body: Buffer.from(text) };
}

function ordered<T extends Item>(items: readonly T[], orderby: string): readonly T[] {
  if (orderby !== 'timeasc' && orderby !== 'timedesc') return items;
  const sign = orderby === 'timeasc' ? 1 : -1;
  return items.toSorted((a, b) => sign * byName(a.lastUpdateTime, b.lastUpdateTime));
}

/** What comes after `last`, which by name need not be there any more. */
function after<T extends Item>(
  items: readonly T[],
  last: string | null,
  byKey: boolean,
): readonly T[] {
  if (last === null || last === '') return items;
  if (byKey) return items.filter(({ key }) => key > last);
  const at = items.findIndex(({ key }) => key === last);
  return at < 0 ? [] : items.slice(at + 1);
}
