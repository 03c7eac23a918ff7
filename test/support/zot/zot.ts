/**
 * zot's search extension, for the emulated registry.
 *
 * Sources: zot, pkg/extensions/search/schema.graphql and _zot.md; OCI Distribution, extensions/_oci.md.
 * gqlgen (which zot is built on) answers 422 to what is no valid query. Assumed: that images come by
 * their time, newest first, and then by name, unless `sortBy` says something else.
 */
import type { Endpoint, RegistryState } from '../registry/endpoint.ts';
import type { RegistryOptions } from '../registry/registry.ts';
import { json, type Reply } from '../registry/reply.ts';
import { path } from '../registry/routes.ts';
import { parseQuery, QueryError, type Argument, type Field } from './query.ts';
import { checkFields } from './schema.ts';
import { imagesOf, newestOf, type ImageSummary, type RepoSummary } from './summaries.ts';

const SEARCH = '/v2/_zot/ext/search';
const ABOUT = 'https://github.com/project-zot/zot/blob/main/pkg/extensions/_zot.md';

/** Options of a registry like zot; `search: false`: one that was built or is run without the extension. */
export function zotQuirks({ search = true }: { readonly search?: boolean } = {}): RegistryOptions {
  if (!search) return { tagsHoldManifests: true };
  const paths = [
    path('/v2/_oci/ext/discover', { GET: discover }),
    path(SEARCH, { POST: answer, GET: answer }),
  ];
  return { paths, tagsHoldManifests: true };
}

/** `GET /v2/_oci/ext/discover`. */
const discover: Endpoint = () => {
  const description = 'zot registry extensions';
  return json(200, {
    extensions: [{ name: '_zot', url: ABOUT, description, endpoints: [SEARCH] }],
  });
};

/** `POST /v2/_zot/ext/search` with `{"query"}`, or GET with `?query=`. */
const answer: Endpoint = async (state, { exchange }) => {
  const chunks: Buffer[] = [];
  for await (const chunk of exchange.body) chunks.push(chunk);
  const asked =
    exchange.method === 'POST'
      ? queryOf(Buffer.concat(chunks).toString())
      : exchange.url.searchParams.get('query');
  if (typeof asked !== 'string') return wrong(400, 'json request body could not be decoded');
  try {
    const fields = parseQuery(asked);
    checkFields(fields);
    const data = fields.map((field) => [field.name, resolve(state, field)]);
    return json(200, { data: Object.fromEntries(data) as unknown });
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    return wrong(422, error.message);
  }
};

function queryOf(text: string): unknown {
  try {
    return (JSON.parse(text) as { query?: unknown } | null)?.query;
  } catch {
    return undefined;
  }
}

function wrong(status: number, message: string): Reply {
  const extensions = { code: 'GRAPHQL_VALIDATION_FAILED' };
  return json(status, { errors: [{ message, extensions }], data: null });
}

function resolve(state: RegistryState, field: Field): unknown {
  if (field.name === 'RepoListWithNewestImage') return pageOf(reposOf(state), field);
  const repo = field.arguments['repo'];
  if (repo?.kind !== 'string') {
    throw new QueryError('Field "ImageList" argument "repo" of type "String!" is required.');
  }
  const names = repo.value === '' ? [...state.store.repositories.keys()] : [repo.value];
  const images = names.flatMap((name) => imagesOf(state.store, name));
  return pageOf(images, field);
}

function reposOf({ store }: RegistryState): RepoSummary[] {
  return [...store.repositories.keys()].flatMap((name) => newestOf(store, name) ?? []);
}

/** What can be sorted: both kinds have a time and a name. */
type Summary = ImageSummary | RepoSummary;

function pageOf(items: readonly Summary[], field: Field): unknown {
  const asked = field.arguments['requestedPage'];
  if (asked !== undefined && asked.kind !== 'object') {
    throw new QueryError('Expected type "PageInput!".');
  }
  const { limit, offset, sortBy, ...unknown } = asked?.value ?? {};
  const [odd] = Object.keys(unknown);
  if (odd !== undefined) {
    throw new QueryError(`Field "${odd}" is not defined by type "PageInput".`);
  }
  const from = numberOf(offset);
  const most = numberOf(limit);
  const sorted = items.toSorted(orderOf(sortBy));
  const results = sorted.slice(from, most > 0 ? from + most : undefined);
  const page = { TotalCount: items.length, ItemCount: results.length };
  return select({ Page: page, Results: results }, field.fields);
}

function numberOf(argument: Argument | undefined): number {
  if (argument === undefined) return 0;
  if (argument.kind !== 'number') throw new QueryError('Expected type "Int".');
  return argument.value;
}

function orderOf(sortBy: Argument | undefined): (a: Summary, b: Summary) => number {
  const order = sortBy === undefined ? 'UPDATE_TIME' : sortBy.kind === 'enum' && sortBy.value;
  const byName = (a: Summary, b: Summary): number => (nameOf(a) < nameOf(b) ? -1 : 1);
  if (order === 'ALPHABETIC_ASC') return byName;
  if (order === 'ALPHABETIC_DSC') return (a, b) => byName(b, a);
  if (order === 'UPDATE_TIME' || order === 'RELEVANCE') {
    return (a, b) => Date.parse(b.LastUpdated) - Date.parse(a.LastUpdated) || byName(a, b);
  }
  throw new QueryError('Value does not exist in "SortCriteria" enum.');
}

function nameOf(summary: Summary): string {
  return 'Name' in summary ? summary.Name : `${summary.RepoName}:${summary.Tag}`;
}

/** As much of a value as the query, which was checked, selects. */
function select(value: unknown, fields: readonly Field[]): unknown {
  if (Array.isArray(value)) return value.map((item) => select(item, fields));
  if (typeof value !== 'object' || value === null) return value;
  const members = new Map<string, unknown>(Object.entries(value));
  return Object.fromEntries(
    fields.map(({ name, fields: selected }) => [name, select(members.get(name), selected)]),
  );
}
