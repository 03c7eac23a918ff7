/** Indexes and lists, written anew: with some of their children, or with other ones. */
import { RegistrySyncError } from '../base/errors.ts';
import type { Descriptor, JsonObject } from './descriptor.ts';
import { goJson } from './go-json.ts';
import { readManifest, type StoredManifest } from './manifest.ts';
import { DOCKER_LIST, formOf, OCI_INDEX } from './media-types.ts';

/** An entry as it stands in the list. */
type Entry = JsonObject & { readonly platform?: JsonObject; readonly annotations?: JsonObject };

/**
 * An index with only the children that `keep` wants, all else as it was; the index itself, byte for
 * byte, when it wants all.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when `stored` is no index.
 */
export function withChildren(
  stored: StoredManifest,
  keep: (child: Descriptor) => boolean,
): StoredManifest {
  const kept = childrenOf(stored).map(keep);
  if (!kept.includes(false)) return stored;
  const json = jsonOf(stored);
  const manifests = json.manifests.filter((_, position) => kept[position]);
  const written = Buffer.from(JSON.stringify({ ...json, manifests }));
  return readManifest(written, stored.descriptor.mediaType);
}

/**
 * An index in a form, with other children in the place of its own: `changed` has them by the digest
 * of what they replace. What else names a child, as BuildKit's attestations do, follows it. The
 * index itself when nothing changes.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when `stored` is no index.
 */
export function convertIndex(
  stored: StoredManifest,
  form: 'oci' | 'docker',
  changed: ReadonlyMap<string, Descriptor>,
): StoredManifest {
  const children = childrenOf(stored);
  const isSameForm = formOf(stored.descriptor.mediaType) === form;
  if (isSameForm && !children.some(({ digest }) => changed.has(digest))) return stored;
  const json = jsonOf(stored);
  const entries = json.manifests.map((entry, at) => followed(entry, children[at], changed));
  const mediaType = form === 'oci' ? OCI_INDEX : DOCKER_LIST;
  const members =
    isSameForm && form === 'oci'
      ? { ...json, manifests: entries }
      : { schemaVersion: 2, mediaType, ...membersIn(form, json, entries) };
  return readManifest(Buffer.from(goJson(members)), mediaType);
}

function childrenOf({ manifest, descriptor }: StoredManifest): readonly Descriptor[] {
  if (manifest.kind === 'index') return manifest.manifests;
  throw new RegistrySyncError('PROTOCOL', `${descriptor.digest} is no index`);
}

function jsonOf({ bytes }: StoredManifest): JsonObject & { readonly manifests: readonly Entry[] } {
  return JSON.parse(Buffer.from(bytes).toString('utf8')) as JsonObject & {
    readonly manifests: readonly Entry[];
  };
}

function followed(
  entry: Entry,
  child: Descriptor | undefined,
  changed: ReadonlyMap<string, Descriptor>,
): Entry {
  const to = child === undefined ? undefined : changed.get(child.digest);
  const place = to && { mediaType: to.mediaType, digest: to.digest, size: to.size };
  const { annotations } = entry;
  if (annotations === undefined) return { ...entry, ...place };
  const names = Object.entries(annotations).map(([key, value]) => {
    return [key, changed.get(String(value))?.digest ?? value];
  });
  return { ...entry, ...place, annotations: Object.fromEntries(names) as JsonObject };
}

function membersIn(form: 'oci' | 'docker', json: JsonObject, entries: readonly Entry[]): object {
  if (form === 'docker') {
    const manifests = entries.map(({ mediaType, size, digest, platform }) => {
      const unknown = { architecture: 'unknown', os: 'unknown' }; // a list says it of each
      return { mediaType, size, digest, platform: platformOf(platform ?? unknown) };
    });
    return { manifests };
  }
  const manifests = entries.map(({ mediaType, digest, size, annotations, platform }) => ({
    mediaType,
    digest,
    size,
    annotations: annotations && new Map(Object.entries(annotations)),
    platform: platform && platformOf(platform),
  }));
  return { manifests, annotations: json['annotations'] };
}

function platformOf(platform: JsonObject): JsonObject {
  const { architecture, os, variant } = platform;
  const version = platform['os.version'];
  const features = platform['os.features'];
  return { architecture, os, 'os.version': version, 'os.features': features, variant };
}
