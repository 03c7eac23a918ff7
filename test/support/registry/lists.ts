/**
 * The catalog and the lists of tags, with paging.
 *
 * Sources: OCI Distribution 1.1, «Listing Tags»; distribution docs, «Listing Repositories».
 */
import type { Call, Endpoint, RegistryState } from './endpoint.ts';
import { json, refusal, type Reply } from './reply.ts';

const DEFAULT_CATALOG_PAGE = 100; // distribution's; a list of tags is whole by default

/** `GET /v2/_catalog`. */
export const listRepositories: Endpoint = (state, call) => {
  const names = [...state.store.repositories.keys()].toSorted();
  const size = state.behaviour.pageSize ?? DEFAULT_CATALOG_PAGE;
  const last = call.exchange.url.searchParams.get('last');
  if (state.behaviour.strictCursor && last !== null && !names.includes(last)) {
    return refusal(400, { code: 'BAD_REQUEST', message: `the last entry ${last} is not found` });
  }
  return pageOf(names, size, { state, call, body: (repositories) => ({ repositories }) });
};

/** `GET /v2/NAME/tags/list`. */
export const listTags: Endpoint = (state, call) => {
  const { name } = call;
  const repository = state.store.repositories.get(name);
  if (repository === undefined) {
    const message = 'repository name not known to registry';
    return refusal(404, { code: 'NAME_UNKNOWN', message, detail: { name } });
  }
  const isLexical = state.behaviour.tagOrder === 'lexical';
  const tags = isLexical ? [...repository.tags.keys()].toSorted() : [...repository.tags.keys()];
  if (tags.length === 0) return json(200, { name, tags: null });
  if (!state.behaviour.tagsListPaging) return json(200, { name, tags });
  const size = state.behaviour.pageSize ?? tags.length;
  return pageOf(tags, size, { state, call, body: (page) => ({ name, tags: page }) });
};

interface Listing {
  readonly state: RegistryState;
  readonly call: Call;
  readonly body: (page: readonly string[]) => unknown;
}

function pageOf(items: readonly string[], defaultSize: number, listing: Listing): Reply {
  const { maxPageSize } = listing.state.behaviour;
  const { pathname, searchParams } = listing.call.exchange.url;
  const asked = searchParams.get('n');
  const n = asked === null ? Math.min(defaultSize, maxPageSize) : Number(asked);
  const objection = objectionTo(n, listing.state);
  if (objection !== undefined) return objection;
  const last = searchParams.get('last') ?? '';
  const at = items.indexOf(last); // in any order; one that is gone has a place in the lexical one only
  const rest = at < 0 ? items.filter((item) => item > last) : items.slice(at + 1);
  const page = rest.slice(0, Math.min(n, maxPageSize));
  if (page.length === 0 || page.length === rest.length) return json(200, listing.body(page));
  const query = new URLSearchParams({ last: page.at(-1) ?? '', n: String(page.length) });
  const link = `<${pathname}?${query}>; rel="next"`;
  return json(200, listing.body(page), { Link: link });
}

/** What is wrong with asking for `n` items, if anything. */
function objectionTo(n: number, { behaviour }: RegistryState): Reply | undefined {
  const { maxPageSize, aboveMaxPageSize } = behaviour;
  const isTooMany = n > maxPageSize;
  if (isTooMany && aboveMaxPageSize === 'unsupported') {
    const limit = `Member must have value less than or equal to ${maxPageSize}`;
    const message = `Invalid parameter at 'maxResults' failed to satisfy constraint: '${limit}'`;
    return refusal(405, { code: 'UNSUPPORTED', message });
  }
  if (Number.isInteger(n) && n >= 0 && !(isTooMany && aboveMaxPageSize === 'reject')) {
    return undefined;
  }
  const message = 'invalid number of results requested';
  return refusal(400, { code: 'PAGINATION_NUMBER_INVALID', message, detail: { n } });
}
