/**
 * The tags of a repository with their properties, and Docker's bare list of them.
 *
 * Source: the API of version 2021-07-01, `_tags`; OCI Distribution 1.1, «Listing Tags».
 */
import { empty, json, type Reply } from '../registry/reply.ts';
import { disallowed, unknownRepository, unknownTag } from './answers.ts';
import { patchedAttributes } from './attributes.ts';
import { byName, itemOf, pageOf, type Item } from './paging.ts';
import type { AcrCall, AcrState } from './state.ts';

/** `GET /acr/v1/NAME/_tags`. */
export function listTags(state: AcrState, call: AcrCall): Reply {
  const { registry, name, exchange } = call;
  if (!state.metadata.has(name)) return unknownRepository(name);
  const digest = exchange.url.searchParams.get('digest');
  const items = listed(state, name).filter(
    ({ key }) => digest === null || digestOfTag(state, name, key) === digest,
  );
  return pageOf(state, call, items, (page) => ({
    registry,
    imageName: name,
    tags: page.length === 0 ? null : page.map(({ key }) => tagOf(state, name, key)),
  }));
}

/** `GET /acr/v1/NAME/_tags/TAG`. */
export function getTag(state: AcrState, { registry, name, reference }: AcrCall): Reply {
  if (digestOfTag(state, name, reference) === undefined) return unknownTag();
  return json(200, { registry, imageName: name, tag: tagOf(state, name, reference) });
}

/** `PATCH /acr/v1/NAME/_tags/TAG`. */
export async function patchTag(state: AcrState, call: AcrCall): Promise<Reply> {
  const { name, reference } = call;
  if (digestOfTag(state, name, reference) === undefined) return unknownTag();
  const refused = await patchedAttributes(state.metadata.tag(name, reference), call);
  return refused ?? getTag(state, call);
}

/** `DELETE /acr/v1/NAME/_tags/TAG`: the tag alone. */
export function deleteTag(state: AcrState, { name, reference }: AcrCall): Reply {
  const digest = digestOfTag(state, name, reference);
  if (digest === undefined) return unknownTag();
  if (isTagLocked(state, name, reference)) return disallowed();
  state.store.repositories.get(name)?.tags.delete(reference);
  state.metadata.forgetTag(name, reference);
  return empty(202, { 'X-Ms-Int-Docker-Content-Digest': digest });
}

/** `GET /v2/NAME/tags/list`. */
export function listTagNames(state: AcrState, call: AcrCall): Reply {
  const { name } = call;
  if (!state.metadata.has(name)) return unknownRepository(name);
  return pageOf(state, call, listed(state, name), (page) => ({
    name,
    tags: page.length === 0 ? null : page.map(({ key }) => key),
  }));
}

/** Whether a tag may be neither deleted nor moved. */
export function isTagLocked(state: AcrState, name: string, tag: string): boolean {
  const own = state.metadata.tag(name, tag).attributes;
  const { attributes } = state.metadata.repository(name);
  return [own, attributes].some(
    ({ deleteEnabled, writeEnabled }) => !deleteEnabled || !writeEnabled,
  );
}

function listed(state: AcrState, name: string): Item[] {
  return [...(state.store.repositories.get(name)?.tags.keys() ?? [])]
    .filter((tag) => state.metadata.tag(name, tag).attributes.listEnabled)
    .toSorted(byName)
    .map((tag) => itemOf(tag, state.metadata.tag(name, tag)));
}

function digestOfTag(state: AcrState, name: string, tag: string): string | undefined {
  return state.store.repositories.get(name)?.tags.get(tag);
}

function tagOf(state: AcrState, name: string, tag: string): object {
  const { digest, createdTime, lastUpdateTime, attributes } = state.metadata.tag(name, tag);
  return {
    name: tag,
    digest,
    createdTime,
    lastUpdateTime,
    signed: false,
    changeableAttributes: attributes,
  };
}
