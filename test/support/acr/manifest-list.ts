/**
 * The manifests of a repository with their properties.
 *
 * Source: the API of version 2021-07-01, `_manifests`.
 */
import { parsed, type ManifestContent } from '../registry/manifest-content.ts';
import { empty, json, type Reply } from '../registry/reply.ts';
import { blobOf } from '../registry/store.ts';
import { disallowed, unknownManifest, unknownRepository } from './answers.ts';
import { patchedAttributes } from './attributes.ts';
import { byName, itemOf, pageOf } from './paging.ts';
import type { AcrCall, AcrState } from './state.ts';

const IMAGE_CONFIGS = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
]);
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

interface Reference {
  readonly digest: string;
  readonly architecture?: string;
  readonly os?: string;
}

/** `GET /acr/v1/NAME/_manifests`. */
export function listManifests(state: AcrState, call: AcrCall): Reply {
  const { registry, name } = call;
  if (!state.metadata.has(name)) return unknownRepository(name);
  const items = [...(state.store.repositories.get(name)?.manifests.keys() ?? [])]
    .filter((digest) => state.metadata.manifest(name, digest).attributes.listEnabled)
    .toSorted(byName)
    .map((digest) => itemOf(digest, state.metadata.manifest(name, digest)));
  return pageOf(state, call, items, (page) => ({
    registry,
    imageName: name,
    manifests: page.length === 0 ? null : page.map(({ key }) => manifestOf(state, name, key)),
  }));
}

/** `GET /acr/v1/NAME/_manifests/DIGEST`. */
export function getManifestProperties(
  state: AcrState,
  { registry, name, reference }: AcrCall,
): Reply {
  const content = contentOf(state, name, reference);
  if (content === undefined) return unknownManifest(reference);
  const references = content.manifests === undefined ? {} : { references: referencesOf(content) };
  const manifest = { ...manifestOf(state, name, reference), ...references };
  return json(200, { registry, imageName: name, manifest });
}

/** `PATCH /acr/v1/NAME/_manifests/DIGEST`. */
export async function patchManifest(state: AcrState, call: AcrCall): Promise<Reply> {
  const { name, reference } = call;
  if (contentOf(state, name, reference) === undefined) return unknownManifest(reference);
  const refused = await patchedAttributes(state.metadata.manifest(name, reference), call);
  return refused ?? getManifestProperties(state, call);
}

/** `DELETE /acr/v1/NAME/_manifests/DIGEST`: with the tags that point at it. */
export function deleteManifestAndTags(state: AcrState, { name, reference }: AcrCall): Reply {
  const held = state.store.repositories.get(name);
  if (!held?.manifests.has(reference)) return unknownManifest(reference);
  if (isManifestLocked(state, name, reference)) return disallowed();
  held.manifests.delete(reference);
  for (const [tag, digest] of held.tags) {
    if (digest !== reference) continue;
    held.tags.delete(tag);
    state.metadata.forgetTag(name, tag);
  }
  state.metadata.forgetManifest(name, reference);
  return empty(202);
}

/** Whether a manifest may be neither deleted nor put again. */
export function isManifestLocked(state: AcrState, name: string, digest: string): boolean {
  const own = state.metadata.manifest(name, digest).attributes;
  const { attributes } = state.metadata.repository(name);
  return [own, attributes].some(
    ({ deleteEnabled, writeEnabled }) => !deleteEnabled || !writeEnabled,
  );
}

function contentOf(state: AcrState, name: string, digest: string): ManifestContent | undefined {
  const manifest = state.store.repositories.get(name)?.manifests.get(digest);
  return manifest && (parsed(manifest.bytes) ?? {});
}

function manifestOf(state: AcrState, name: string, digest: string): object {
  const stored = state.store.repositories.get(name)?.manifests.get(digest);
  const content = contentOf(state, name, digest) ?? {};
  const properties = state.metadata.manifest(name, digest);
  const { createdTime, lastUpdateTime, attributes, quarantineState } = properties;
  const tags = [...(state.store.repositories.get(name)?.tags ?? [])]
    .filter(([, target]) => target === digest)
    .map(([tag]) => tag)
    .toSorted(byName);
  return {
    digest,
    imageSize: sizeOf(state, name, content),
    createdTime,
    lastUpdateTime,
    ...platformOf(state, name, content),
    mediaType: stored?.mediaType,
    ...(content.config && { configMediaType: content.config.mediaType }),
    ...(tags.length > 0 && { tags }),
    changeableAttributes: {
      ...attributes,
      ...(quarantineState !== undefined && {
        quarantineState,
        quarantineDetails: JSON.stringify({ state: quarantineState }),
      }),
    },
  };
}

/** In bytes: of config and layers, of all images in an index, 0 of other artifacts. */
function sizeOf(state: AcrState, name: string, content: ManifestContent): number {
  const { config, layers = [], manifests } = content;
  if (manifests !== undefined) {
    const children = manifests.map(({ digest }) => contentOf(state, name, digest) ?? {});
    return sum(children.map((child) => sizeOf(state, name, child)));
  }
  if (config === undefined || !IMAGE_CONFIGS.has(config.mediaType)) return 0;
  return sum([config, ...layers].map(({ size }) => size));
}

function platformOf(
  state: AcrState,
  name: string,
  { config }: ManifestContent,
): { architecture?: unknown; os?: unknown } {
  if (config === undefined || !IMAGE_CONFIGS.has(config.mediaType)) return {};
  const bytes = blobOf(state.store, name, config.digest);
  if (bytes === undefined || bytes.length > MAX_CONFIG_BYTES) return {};
  const { architecture, os } = (parsed(bytes) ?? {}) as { architecture?: unknown; os?: unknown };
  return { ...(architecture !== undefined && { architecture }), ...(os !== undefined && { os }) };
}

function referencesOf({ manifests = [] }: ManifestContent): Reference[] {
  return manifests.map((entry) => {
    const { platform = {} } = entry as { platform?: { architecture?: string; os?: string } };
    const { architecture, os } = platform;
    return {
      digest: entry.digest,
      ...(architecture !== undefined && { architecture }),
      ...(os !== undefined && { os }),
    };
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
