/**
 * zot's search: the tags of a repository with their digests and dates.
 *
 * Source: https://zotregistry.dev/latest/articles/graphql/; project-zot/zot, pkg/extensions/search.
 */
import { RegistrySyncError } from '../base/errors.ts';
import { isObject } from '../image/descriptor.ts';
import { joinedCatalog, type Catalog, type TagPage } from './catalog.ts';
import type { RegistryClient } from './client.ts';
import { endpoints } from './endpoints.ts';
import { digestIn, objectsIn, readJson, textIn } from './json.ts';
import { Advance } from './pages.ts';
import { pullFrom } from './permissions.ts';
import { MAX_PAGE_BYTES } from './tags.ts';

const PER_PAGE = 1000;

export function zotCatalog(client: RegistryClient): Catalog {
  // The search is built in the background, so it may not know all yet.
  return joinedCatalog(client, async function* (path, signal) {
    const advance = new Advance(`tags of ${client.registry}/${path}`);
    for (let offset = 0; ;) {
      const { came, ...page } = await search(client, path, offset, signal);
      yield page;
      const { tags, total = came < PER_PAGE ? 0 : Infinity } = page;
      offset += came; // as many as it gave, however many were asked for
      if (came === 0 || offset >= total) return;
      advance.note(tags[0]?.name);
    }
  });
}

async function search(
  client: RegistryClient,
  path: string,
  offset: number,
  signal: AbortSignal,
): Promise<TagPage & { readonly came: number }> {
  const what = `tags of ${client.registry}/${path}`;
  const range = `requestedPage:{limit:${PER_PAGE},offset:${offset}}`;
  // A path has no character that would have to be escaped (`isRepositoryPath`).
  const query = `{ImageList(repo:${JSON.stringify(path)},${range}){Page{TotalCount ItemCount} Results{RepoName Tag Digest LastUpdated}}}`;
  const response = await client.expect([200], what, {
    method: 'POST',
    url: endpoints.zotSearch,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ query })),
    gather: MAX_PAGE_BYTES,
    permission: pullFrom(path, client),
    signal,
  });
  const { data, errors } = await readJson(response, MAX_PAGE_BYTES, what);
  const list = isObject(data) ? data.ImageList : undefined;
  if (!isObject(list)) {
    const said = objectsIn(errors).map(({ message }) => textIn(message) ?? '');
    throw new RegistrySyncError('REJECTED', `${what}: the search says ${said.join('; ')}`);
  }
  const total = isObject(list.Page) ? Number(list.Page.TotalCount) : Number.NaN;
  return {
    came: Array.isArray(list.Results) ? list.Results.length : 0,
    tags: objectsIn(list.Results).flatMap(({ RepoName, Tag, Digest, LastUpdated }) => {
      const name = textIn(Tag);
      if (name === undefined || RepoName !== path) return [];
      return [{ name, digest: digestIn(Digest), lastUpdatedOn: textIn(LastUpdated) }];
    }),
    ...(total >= 0 && { total }),
  };
}
