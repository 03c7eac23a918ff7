/**
 * An image in another shape: some platforms of it, another form of manifest, layers compressed
 * otherwise. To those who copy it is a source like any other.
 */
import { RegistrySyncError } from '../base/errors.ts';
import type { Platform } from '../image/platform.ts';
import type { ImageSource, ManifestForm, SinkLimits } from '../image/source-and-sink.ts';

/** Which images of an index. */
export type Choice =
  /** All of them, and the index. */
  | { readonly kind: 'all' }
  /** The one for a machine, without the index (skopeo's `--multi-arch system`). */
  | { readonly kind: 'system'; readonly platform: Platform }
  /** The index, and none of its images. */
  | { readonly kind: 'index-only' }
  /** An index of some platforms. */
  | { readonly kind: 'platforms'; readonly platforms: readonly Platform[] };

export interface Compression {
  readonly format: 'gzip' | 'zstd' | 'plain';
  readonly level?: number;
}

export interface Shape {
  readonly choice: Choice;
  /** What was asked for; else as it is, or as the sink's limits have it. */
  readonly form?: ManifestForm | undefined;
  readonly compression?: Compression | undefined;
  readonly limits?: SinkLimits | undefined;
  /** What would change a digest is an error. */
  readonly preserveDigests: boolean;
  /** For layers that are written anew. */
  readonly tmpdir: string;
}

/**
 * The source in its new shape; the source itself where nothing has to change, so that its bytes and
 * digests stay.
 *
 * @throws {RegistrySyncError} `UNSUPPORTED` when the image can't have that shape; `NOT_FOUND` when it
 * has nothing for a platform.
 */
export async function shaped(
  source: ImageSource,
  shape: Shape,
  signal: AbortSignal,
): Promise<ImageSource> {
  void signal;
  if (shape.choice.kind === 'all' && shape.form === undefined && shape.compression === undefined) {
    return source;
  }
  throw new RegistrySyncError('UNSUPPORTED', 'another shape is not built yet');
}
