/**
 * What Docker Hub's API says of repositories and tags.
 *
 * Sources: docs.docker.com/reference/api/hub/latest; answers as seen, for members that are not there.
 */
import {
  parsed,
  type ManifestContent,
  type ManifestDescriptor,
} from '../registry/manifest-content.ts';
import { blobOf, type StoredManifest } from '../registry/store.ts';
import { twoParts, type HubState } from './options.ts';

const FIRST_PUSH_MS = Date.UTC(2024, 0, 1);
const BETWEEN_PUSHES_MS = 60_000;
const NOTHING_KNOWN = { architecture: 'unknown', os: 'unknown' };

interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
}

export interface RepositoryEntry {
  readonly name: string;
  /** ISO time. */
  readonly last_updated: string;
  readonly [member: string]: unknown;
}

/** Tags, newest push first. */
export function tagsByTime(state: HubState, repository: string): string[] {
  const tags = [...(state.store.repositories.get(repository)?.tags.keys() ?? [])];
  return tags
    .map((tag) => ({ tag, at: pushedAt(state, repository, tag) }))
    .toSorted((a, b) => b.at - a.at)
    .map(({ tag }) => tag);
}

export function repositoryEntry(state: HubState, repository: string): RepositoryEntry {
  const [namespace, name] = twoParts(repository) ?? ['', repository];
  const stored = state.store.repositories.get(repository);
  const [newest] = tagsByTime(state, repository);
  const updated = newest === undefined ? FIRST_PUSH_MS : pushedAt(state, repository, newest);
  const manifests = [...(stored?.manifests.values() ?? [])];
  return {
    name,
    namespace,
    repository_type: 'image',
    status: 1,
    status_description: 'active',
    description: '',
    is_private: state.options.privateRepositories?.has(repository) ?? false,
    star_count: 0,
    pull_count: 0,
    last_updated: timeOf(updated),
    last_modified: timeOf(updated),
    date_registered: timeOf(FIRST_PUSH_MS),
    affiliation: '',
    media_types: [...new Set(manifests.map(({ mediaType }) => mediaType))],
    content_types: ['image'],
    categories: [],
    storage_size: [...(stored?.blobs ?? [])].reduce(
      (sum, digest) => sum + (state.store.blobs.get(digest)?.length ?? 0),
      0,
    ),
  };
}

/** Without the digest and the media type when the tag is an old one. */
export function tagEntry(state: HubState, repository: string, tag: string): object {
  const digest = saidDigest(state, repository, tag);
  const manifest = state.store.repositories.get(repository)?.manifests.get(digest);
  const pushed = timeOf(pushedAt(state, repository, tag));
  const images = manifest ? imagesOf(state, repository, { digest, manifest, pushed }) : [];
  const isOld = state.options.oldTags?.has(`${repository}:${tag}`);
  return {
    creator: 1,
    id: 1,
    images,
    last_updated: pushed,
    last_updater: 1,
    last_updater_username: twoParts(repository)?.[0],
    name: tag,
    repository: 1,
    full_size: images[0]?.size,
    v2: true,
    tag_status: 'active',
    tag_last_pulled: null,
    tag_last_pushed: pushed,
    content_type: 'image',
    ...(!isOld && { media_type: manifest?.mediaType, digest }),
  };
}

/** The tag's digest; an earlier one where the API lags. */
function saidDigest({ options, store }: HubState, repository: string, tag: string): string {
  const lagging = options.apiLagging?.get(`${repository}:${tag}`);
  return lagging ?? store.repositories.get(repository)?.tags.get(tag) ?? '';
}

interface ImageEntry {
  readonly size: number;
  readonly [member: string]: unknown;
}

interface TaggedManifest {
  readonly digest: string;
  readonly manifest: StoredManifest;
  readonly pushed: string;
}

/** One for each platform; one alone for what is no index. */
function imagesOf(
  state: HubState,
  repository: string,
  { digest, manifest, pushed }: TaggedManifest,
): ImageEntry[] {
  const content = parsed(manifest.bytes);
  const times = { status: 'active', last_pulled: null, last_pushed: pushed };
  const shown = (platform: Platform, of: string, size: number): ImageEntry => ({
    architecture: platform.architecture,
    features: '',
    variant: platform.variant ?? null,
    digest: of,
    os: platform.os,
    os_features: '',
    os_version: platform['os.version'] ?? null,
    size,
    ...times,
  });
  if (content?.manifests === undefined) {
    return [shown(platformOf(state, repository, content), digest, sizeOf(content))];
  }
  return content.manifests.map((entry: ManifestDescriptor & { readonly platform?: Platform }) => {
    const child = state.store.repositories.get(repository)?.manifests.get(entry.digest);
    const size = child ? sizeOf(parsed(child.bytes)) : 0;
    return shown(entry.platform ?? NOTHING_KNOWN, entry.digest, size);
  });
}

function platformOf(
  state: HubState,
  repository: string,
  content: ManifestContent | undefined,
): Platform {
  const config = blobOf(state.store, repository, content?.config?.digest ?? '');
  const said = config && (parsed(config) as Partial<Platform> | undefined);
  return { ...NOTHING_KNOWN, ...said };
}

/** What the layers take, in bytes. */
function sizeOf(content: ManifestContent | undefined): number {
  return (content?.layers ?? []).reduce((sum, { size }) => sum + size, 0);
}

/** What was seeded came in its order, a minute apart. */
function pushedAt({ store, pushedAt: known }: HubState, repository: string, tag: string): number {
  const tags = [...(store.repositories.get(repository)?.tags.keys() ?? [])];
  const assumed = FIRST_PUSH_MS + tags.indexOf(tag) * BETWEEN_PUSHES_MS;
  return known.get(`${repository}:${tag}`) ?? assumed;
}

/** With microseconds, as it comes. */
function timeOf(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
