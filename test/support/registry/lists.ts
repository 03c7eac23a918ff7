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
  const tags = [...repository.tags.keys()].toSorted();
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

function pageOf(sorted: readonly string[], defaultSize: number, listing: Listing): Reply {
  const { maxPageSize, aboveMaxPageSize } = listing.state.behaviour;
  const { pathname, searchParams } = listing.call.exchange.url;
  const asked = searchParams.get('n');
  const n = asked === null ? Math.min(defaultSize, maxPageSize) : Number(asked);
  if (!Number.isInteger(n) || n < 0 || (n > maxPageSize && aboveMaxPageSize === 'reject')) {
    const message = 'invalid number of results requested';
    return refusal(400, { code: 'PAGINATION_NUMBER_INVALID', message, detail: { n } });
  }
  const last = searchParams.get('last') ?? '';
  const rest = sorted.filter((item) => item > last);
  const page = rest.slice(0, Math.min(n, maxPageSize));
  if (page.length === 0 || page.length === rest.length) return json(200, listing.body(page));
  const query = new URLSearchParams({ last: page.at(-1) ?? '', n: String(page.length) });
  const link = `<${pathname}?${query}>; rel="next"`;
  return json(200, listing.body(page), { Link: link });
}
