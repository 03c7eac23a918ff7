/**
 * The media types of layers, in Docker's words and in OCI's.
 *
 * Sources: OCI Image Specification 1.1, «Image Layer Filesystem Changeset»; Docker «Image Manifest
 * Version 2, Schema 2», «Media Types».
 */
export type LayerFormat = 'plain' | 'gzip' | 'zstd';

/** What a layer's media type says. */
export interface LayerType {
  readonly format: LayerFormat;
  /** Kept at its `urls`; its bytes are nobody's to rewrite. */
  readonly foreign: boolean;
}

const OCI: Readonly<Record<string, LayerType>> = {
  'application/vnd.oci.image.layer.v1.tar': { format: 'plain', foreign: false },
  'application/vnd.oci.image.layer.v1.tar+gzip': { format: 'gzip', foreign: false },
  'application/vnd.oci.image.layer.v1.tar+zstd': { format: 'zstd', foreign: false },
  'application/vnd.oci.image.layer.nondistributable.v1.tar': { format: 'plain', foreign: true },
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip': { format: 'gzip', foreign: true },
  'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd': { format: 'zstd', foreign: true },
};

const DOCKER: Readonly<Record<string, LayerType>> = {
  'application/vnd.docker.image.rootfs.diff.tar': { format: 'plain', foreign: false },
  'application/vnd.docker.image.rootfs.diff.tar.gzip': { format: 'gzip', foreign: false },
  'application/vnd.docker.image.rootfs.diff.tar.zstd': { format: 'zstd', foreign: false },
  'application/vnd.docker.image.rootfs.foreign.diff.tar': { format: 'plain', foreign: true },
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip': { format: 'gzip', foreign: true },
};

/** `undefined` for what is no layer of files, or of a kind that nobody here knows. */
export function layerTypeOf(mediaType: string): LayerType | undefined {
  return OCI[mediaType] ?? DOCKER[mediaType];
}

/** The media type for a layer; `undefined` when that form has none. Docker's tools don't take zstd. */
export function mediaTypeOfLayer(
  form: 'oci' | 'docker',
  { format, foreign }: LayerType,
): string | undefined {
  if (form === 'docker' && format === 'zstd') return undefined;
  const known = Object.entries(form === 'oci' ? OCI : DOCKER);
  return known.find(([, type]) => type.format === format && type.foreign === foreign)?.[0];
}
