/** What of a manifest has to change for a shape: known from the manifest alone, nothing yet done. */
import { RegistrySyncError } from '../base/errors.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { layerTypeOf, type LayerFormat } from '../image/layer-types.ts';
import type { ImageManifest, StoredManifest } from '../image/manifest.ts';
import { DOCKER_CONFIG, formOf, OCI_CONFIG, type ManifestForm } from '../image/media-types.ts';
import type { SinkLimits } from '../image/source-and-sink.ts';
import type { Compression } from './layer-bytes.ts';

/** What was asked for, and what the sink can hold. */
export interface Wishes {
  readonly form?: ManifestForm | undefined;
  readonly compression?: Compression | undefined;
  readonly limits?: SinkLimits | undefined;
}

export interface Needs {
  readonly stored: StoredManifest;
  readonly from: ManifestForm;
  readonly form: ManifestForm;
  /** How each layer has to become; `undefined`: as it is. */
  readonly layers: readonly (LayerFormat | undefined)[];
}

/** @throws {RegistrySyncError} `UNSUPPORTED` when what was asked for is what the sink can't hold. */
export function needsOf(stored: StoredManifest, wishes: Wishes): Needs {
  const { manifest, descriptor } = stored;
  const from = formOf(descriptor.mediaType);
  const form = formFor(from, wishes);
  if (manifest.kind === 'index') {
    // There is no index of schema 1: Docker's list holds such images.
    return { stored, from, form: form === 'schema1' ? 'docker' : form, layers: [] };
  }
  const isImage = from === 'schema1' || hasLayersOfFiles(manifest);
  const layers = manifest.layers.map((layer) => (isImage ? formatFor(layer, wishes) : undefined));
  return { stored, from, form, layers };
}

/** For people: the first thing that changes. */
export function whatChanges({ stored, from, form, layers }: Needs): string {
  const { digest } = stored.descriptor;
  if (from !== form) return `${digest} is of the form ${from} and would become ${form}`;
  const at = layers.findIndex((format) => format !== undefined);
  if (at < 0) return `${digest} lists images that would change`;
  const layer = stored.manifest.kind === 'image' ? stored.manifest.layers[at]?.digest : undefined;
  return `layer ${layer} would become ${layers[at]}`;
}

function formFor(from: ManifestForm, { form, compression, limits }: Wishes): ManifestForm {
  const forms = limits?.forms;
  if (form !== undefined && forms !== undefined && !forms.includes(form)) {
    const message = `the target can't hold images of the form ${form}, only ${forms.join(', ')}`;
    throw new RegistrySyncError('UNSUPPORTED', message);
  }
  if (form !== undefined) return form;
  const wanted = compression?.format === 'zstd' ? 'oci' : from; // Docker's forms have no zstd
  return forms === undefined || forms.includes(wanted) ? wanted : (forms[0] ?? wanted);
}

/** An artifact's content is nobody's to compress, whatever it calls itself. */
function hasLayersOfFiles({ config, artifactType }: ImageManifest): boolean {
  const type = config?.mediaType;
  const known = [OCI_CONFIG, DOCKER_CONFIG, 'application/octet-stream'];
  return artifactType === undefined && type !== undefined && known.includes(type);
}

function formatFor(
  { mediaType }: Descriptor,
  { compression, limits }: Wishes,
): LayerFormat | undefined {
  const type = layerTypeOf(mediaType);
  if (type === undefined || type.foreign) return undefined;
  const isPlain = type.format === 'plain';
  const asked =
    compression?.format ?? (isPlain && limits?.layers === 'compressed' ? 'gzip' : type.format);
  const wanted = limits?.layers === 'plain' ? 'plain' : asked;
  return wanted === type.format ? undefined : wanted;
}
