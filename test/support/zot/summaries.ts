/**
 * What zot's search extension says of images and repositories: the members of its schema that a
 * client of ours could ask for. Sizes are strings, as there; of an index they are all it leads to.
 *
 * Source: zot, pkg/extensions/search/schema.graphql.
 */
import { parsed, type ManifestContent } from '../registry/manifest-content.ts';
import type { Store, StoredRepository } from '../registry/store.ts';

interface ManifestSummary {
  readonly Digest: string;
  readonly ConfigDigest: string;
  readonly LastUpdated: string;
  readonly Size: string;
  readonly Platform: {
    readonly Os: string;
    readonly Arch: string;
  };
}

export interface ImageSummary {
  readonly RepoName: string;
  readonly Tag: string;
  readonly Digest: string;
  readonly MediaType: string;
  readonly Size: string;
  /** ISO time. */
  readonly LastUpdated: string;
  readonly IsSigned: boolean;
  readonly DownloadCount: number;
  readonly Manifests: readonly ManifestSummary[];
}

export interface RepoSummary {
  readonly Name: string;
  readonly LastUpdated: string;
  readonly Size: string;
  readonly NewestImage: ImageSummary;
}

const NEVER = '0001-01-01T00:00:00Z'; // Go's time that is none

interface Config {
  readonly created?: string;
  readonly os?: string;
  readonly architecture?: string;
}

/** One for each tag. */
export function imagesOf(store: Store, name: string): ImageSummary[] {
  const repository = store.repositories.get(name);
  if (repository === undefined) return [];
  return [...repository.tags].flatMap(([tag, digest]) => {
    const manifest = repository.manifests.get(digest);
    if (manifest === undefined) return [];
    const manifests = manifestsOf(store, repository, digest);
    const size = manifests.reduce((sum, { Size }) => sum + Number(Size), 0);
    const isIndex = parsed(manifest.bytes)?.manifests !== undefined;
    return {
      RepoName: name,
      Tag: tag,
      Digest: digest,
      MediaType: manifest.mediaType,
      Size: String(isIndex ? size + manifest.bytes.length : size),
      LastUpdated: latest(manifests),
      IsSigned: false,
      DownloadCount: 0,
      Manifests: manifests,
    };
  });
}

/** A repository without tags has none. */
export function newestOf(store: Store, name: string): RepoSummary | undefined {
  const images = imagesOf(store, name).toSorted(
    (a, b) => Date.parse(b.LastUpdated) - Date.parse(a.LastUpdated),
  );
  const [newest] = images;
  if (newest === undefined) return undefined;
  const size = images.reduce((sum, { Size }) => sum + Number(Size), 0);
  return {
    Name: name,
    LastUpdated: newest.LastUpdated,
    Size: String(size),
    NewestImage: newest,
  };
}

/** Of what is no index, itself. */
function manifestsOf(
  store: Store,
  repository: StoredRepository,
  digest: string,
): ManifestSummary[] {
  const manifest = repository.manifests.get(digest);
  if (manifest === undefined) return [];
  const content = parsed(manifest.bytes) ?? {};
  if (content.manifests !== undefined) {
    return content.manifests.flatMap((child) => manifestsOf(store, repository, child.digest));
  }
  const { created = NEVER, os = '', architecture = '' } = configOf(store, content);
  return [
    {
      Digest: digest,
      ConfigDigest: content.config?.digest ?? '',
      LastUpdated: created,
      Size: String(sizeOf(content) + manifest.bytes.length),
      Platform: { Os: os, Arch: architecture },
    },
  ];
}

function configOf(store: Store, content: ManifestContent): Config {
  const bytes = store.blobs.get(content.config?.digest ?? '');
  return bytes === undefined ? {} : ((parsed(bytes) ?? {}) as Config);
}

function sizeOf({ config, layers = [] }: ManifestContent): number {
  return layers.reduce((sum, { size }) => sum + size, config?.size ?? 0);
}

function latest(manifests: readonly ManifestSummary[]): string {
  const [newest = NEVER] = manifests
    .map(({ LastUpdated }) => LastUpdated)
    .toSorted()
    .toReversed();
  return newest;
}
