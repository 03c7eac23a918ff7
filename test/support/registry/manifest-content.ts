/**
 * What a registry wants to know about a manifest: whether it is one, what it needs, what it refers to.
 *
 * Sources: OCI image-spec 1.1; docker docs «Image Manifest Version 2, Schema 2».
 */

export interface ManifestDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly urls?: readonly string[];
}

/** As much of a manifest or an index as matters here. */
export interface ManifestContent {
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly config?: ManifestDescriptor;
  readonly layers?: readonly ManifestDescriptor[];
  readonly manifests?: readonly ManifestDescriptor[];
  readonly subject?: ManifestDescriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

const MANIFEST_TYPES = new Set([
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]);
const INDEX_TYPES = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);

/** The manifest, or `undefined` when the bytes are none of that media type. */
export function readManifest(mediaType: string, bytes: Buffer): ManifestContent | undefined {
  const content = parsed(bytes);
  if (content === undefined) return undefined;
  if (content.mediaType !== undefined && content.mediaType !== mediaType) return undefined;
  const isManifest =
    MANIFEST_TYPES.has(mediaType) && isDescriptor(content.config) && areDescriptors(content.layers);
  const isIndex = INDEX_TYPES.has(mediaType) && areDescriptors(content.manifests);
  return isManifest || isIndex ? content : undefined;
}

/** The digests that must be in the repository before the manifest may be. Foreign layers need not. */
export function neededBy({ config, layers = [], manifests = [] }: ManifestContent): {
  readonly blobs: string[];
  readonly manifests: string[];
} {
  const own = layers.filter(({ urls = [] }) => urls.length === 0);
  const isManifest = ({ mediaType }: ManifestDescriptor): boolean =>
    MANIFEST_TYPES.has(mediaType) || INDEX_TYPES.has(mediaType);
  // BuildKit's cache is an index that lists layers.
  const listed = manifests.filter((entry) => !isManifest(entry));
  return {
    blobs: [...(config ? [config] : []), ...own, ...listed].map(({ digest }) => digest),
    manifests: manifests.filter(isManifest).map(({ digest }) => digest),
  };
}

/** The subject's digest of any stored manifest. */
export function subjectOf(bytes: Buffer): string | undefined {
  return parsed(bytes)?.subject?.digest;
}

/** Parses whatever JSON object the bytes are. */
export function parsed(bytes: Buffer): ManifestContent | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function areDescriptors(value: unknown): boolean {
  return Array.isArray(value) && value.every(isDescriptor);
}

function isDescriptor(value: unknown): boolean {
  const { mediaType, digest, size } = (value ?? {}) as Record<string, unknown>;
  return typeof mediaType === 'string' && typeof digest === 'string' && typeof size === 'number';
}
