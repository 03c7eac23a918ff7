/** Lists the tags of a repository. Source: OCI Distribution 1.1, «Listing Tags». */
import { RegistrySyncError } from '../base/errors.ts';
import { header, type HttpResponse } from '../http/send.ts';
import type { RegistryRequest } from './client.ts';
import { endpoints } from './endpoints.ts';
import { readJson } from './json.ts';
import type { Place } from './manifests.ts';
import { Advance, pages, type Page } from './pages.ts';

/** The largest page that all registries with pages accept (ECR and distribution refuse more). */
export const TAGS_PER_PAGE = 1000;
/** distribution 2 sends all tags in one page: this is a million of them with names of 30 characters. Bytes. */
export const MAX_PAGE_BYTES = 32 * 1024 * 1024;

/** All tags, in the registry's order. An empty repository has none (`tags: null`). */
export function listTags(place: Place, signal: AbortSignal): AsyncGenerator<string, void, void> {
  const { client, path } = place;
  return listNames(place, signal, {
    first: (origin) => endpoints.tags(origin, path, TAGS_PER_PAGE),
    field: 'tags',
    what: `tags of ${client.registry}/${path}`,
  });
}

/** One of the protocol's two lists of names. */
export interface NameList {
  readonly first: (origin: string) => URL;
  readonly field: 'tags' | 'repositories';
  readonly what: string;
}

/**
 * The names of a paged list.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when a page is no list, or pages don't advance.
 */
export async function* listNames(
  { client, permission }: Pick<Place, 'client' | 'permission'>,
  signal: AbortSignal,
  { first, field, what }: NameList,
): AsyncGenerator<string, void, void> {
  const request = (url: RegistryRequest['url']): RegistryRequest => ({
    method: 'GET',
    url,
    gather: MAX_PAGE_BYTES,
    permission,
    signal,
  });
  // The first page is asked for before the URLs of the others can be known: the registry may not
  // have been met yet.
  let answer: HttpResponse | undefined = await client.expect([200], what, request(first));
  const start = first(client.origin ?? 'https://unmet.invalid');
  const advance = advancing(what);
  let last: string | undefined;
  const list = pages(start, async (url) => {
    const response =
      answer ??
      (await client.expect(
        [200],
        what,
        request(() => url),
      ));
    answer = undefined;
    const names = await readNames(response, field, what);
    return advance(names, header(response, 'link'), url);
  });
  for await (const name of list) {
    // Some servers repeat the last name of a page on the next one.
    if (name !== last) yield name;
    last = name;
  }
}

/**
 * Makes pages of answers, and catches lists that never end.
 *
 * Registries without `Link` (old Nexus) are helped: a page that is exactly full may not be the last,
 * so the next one is asked for. Servers that don't page at all begin anew then: that was all.
 */
function advancing(
  what: string,
): (names: string[], link: string | undefined, url: URL) => Page<string> {
  const advance = new Advance(what);
  let isGuess = false;
  return (names, link, url) => {
    if (isGuess && advance.repeats(names[0])) return { items: [] };
    advance.note(names[0]);
    isGuess = link === undefined;
    return { items: names, link: link ?? guessNext(names, url) };
  };
}

function guessNext(names: readonly string[], url: URL): string | undefined {
  const last = names.at(-1);
  if (last === undefined || names.length !== Number(url.searchParams.get('n'))) return undefined;
  const next = new URL(url);
  next.searchParams.set('last', last);
  return `<${next.href}>; rel="next"`;
}

async function readNames(
  response: HttpResponse,
  field: NameList['field'],
  what: string,
): Promise<string[]> {
  const names = (await readJson(response, MAX_PAGE_BYTES, what))[field];
  if (names === null) return [];
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  throw new RegistrySyncError('PROTOCOL', `${what}: the answer is no list`);
}
