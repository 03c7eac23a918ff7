/**
 * The media types of manifests and configs, and which of them a registry is asked for.
 *
 * Sources: OCI Image Specification 1.1, «Media Types»; Docker «Image Manifest Version 2, Schema 2».
 */

export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_ARTIFACT = 'application/vnd.oci.artifact.manifest.v1+json';
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json';
export const DOCKER_SCHEMA1 = 'application/vnd.docker.distribution.manifest.v1+json';
export const DOCKER_SCHEMA1_SIGNED = 'application/vnd.docker.distribution.manifest.v1+prettyjws';

/**
 * The `Accept` of every manifest request. The list is always whole: a registry may convert a
 * manifest to a type that was asked for (Quay, distribution 2), and then answers another digest.
 */
export const ACCEPT_MANIFESTS = [
  OCI_INDEX,
  DOCKER_LIST,
  OCI_MANIFEST,
  DOCKER_MANIFEST,
  OCI_ARTIFACT,
  DOCKER_SCHEMA1_SIGNED,
  DOCKER_SCHEMA1,
  '*/*;q=0.1',
].join(', ');

export type ManifestKind = 'image' | 'index' | 'schema1';

/** The three forms in which images are described. */
export type ManifestForm = 'oci' | 'docker' | 'schema1';

const KINDS: ReadonlyMap<string, ManifestKind> = new Map([
  [OCI_INDEX, 'index'],
  [DOCKER_LIST, 'index'],
  [OCI_MANIFEST, 'image'],
  [DOCKER_MANIFEST, 'image'],
  [OCI_ARTIFACT, 'image'],
  [DOCKER_SCHEMA1, 'schema1'],
  [DOCKER_SCHEMA1_SIGNED, 'schema1'],
]);

/** What a media type says a manifest is; `undefined` for types that say nothing of it. */
export function kindOfMediaType(mediaType: string): ManifestKind | undefined {
  return KINDS.get(mediaType);
}

/** Layers that registries do not hold: fetched from their `urls`, and kept as URLs when copied. */
export function isForeign(mediaType: string): boolean {
  return (
    mediaType.startsWith('application/vnd.docker.image.rootfs.foreign.') ||
    mediaType.startsWith('application/vnd.oci.image.layer.nondistributable.')
  );
}

/** What form a manifest is of. What calls itself by no known name is OCI's. */
export function formOf(mediaType: string): ManifestForm {
  if (KINDS.get(mediaType) === 'schema1') return 'schema1';
  return mediaType === DOCKER_LIST || mediaType === DOCKER_MANIFEST ? 'docker' : 'oci';
}
