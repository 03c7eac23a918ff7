/**
 * The catalog, and the properties of a repository: `/acr/v1/_catalog`, `/v2/_catalog`, `/acr/v1/NAME`.
 *
 * Source: the API of version 2021-07-01.
 */
import { json, type Reply } from '../registry/reply.ts';
import { disallowed, unknownRepository } from './answers.ts';
import { patchedAttributes } from './attributes.ts';
import { byName, itemOf, pageOf } from './paging.ts';
import type { AcrCall, AcrState } from './state.ts';

/** `GET …/_catalog`. */
export function listRepositories(state: AcrState, call: AcrCall): Reply {
  const names = [...state.store.repositories.keys()]
    .filter((name) => state.metadata.has(name))
    .filter((name) => state.metadata.repository(name).attributes.listEnabled)
    .toSorted(byName);
  const items = names.map((name) => itemOf(name, state.metadata.repository(name)));
  return pageOf(state, call, items, (page) => ({
    repositories: names.length === 0 ? null : page.map(({ key }) => key),
  }));
}

/** `GET /acr/v1/NAME`. */
export function getRepository(state: AcrState, { registry, name }: AcrCall): Reply {
  const held = state.store.repositories.get(name);
  if (!state.metadata.has(name)) return unknownRepository(name);
  const { createdTime, lastUpdateTime, attributes, tagCount, manifestCount } =
    state.metadata.repository(name);
  return json(200, {
    registry,
    imageName: name,
    createdTime,
    lastUpdateTime,
    manifestCount: manifestCount ?? held?.manifests.size ?? 0,
    tagCount: tagCount ?? held?.tags.size ?? 0,
    changeableAttributes: attributes,
  });
}

/** `PATCH /acr/v1/NAME`. */
export async function patchRepository(state: AcrState, call: AcrCall): Promise<Reply> {
  if (!state.metadata.has(call.name)) return unknownRepository(call.name);
  const properties = state.metadata.repository(call.name);
  const refused = await patchedAttributes(properties, call);
  if (refused !== undefined) return refused;
  properties.lastUpdateTime = state.metadata.stamp();
  return getRepository(state, call);
}

/** `DELETE /acr/v1/NAME`: with all tags and manifests. */
export function deleteRepository(state: AcrState, { name }: AcrCall): Reply {
  if (!state.metadata.has(name)) return unknownRepository(name);
  const { attributes } = state.metadata.repository(name);
  if (!attributes.deleteEnabled || !attributes.writeEnabled) return disallowed();
  const held = state.store.repositories.get(name);
  const tags = [...(held?.tags.keys() ?? [])].toSorted(byName);
  const manifests = [...(held?.manifests.keys() ?? [])].toSorted(byName);
  state.store.repositories.delete(name);
  state.metadata.forgetRepository(name);
  return json(202, {
    manifestsDeleted: manifests,
    tagsDeleted: tags.length === 0 ? null : tags,
  });
}
