/** What all stores ask of content: that a manifest is what it is called, and that nothing is missing. */
import { RegistrySyncError } from '../base/errors.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { algorithmOf, type Digest } from '../image/digest.ts';
import { childrenOf, readManifest, type StoredManifest } from '../image/manifest.ts';
import { isForeign, kindOfMediaType } from '../image/media-types.ts';

/** A manifest that is asked for by its digest. */
export interface Wanted {
  readonly digest: Digest;
  readonly mediaType?: string | undefined;
  /** For people: where it was read. */
  readonly where: string;
}

/** @throws {RegistrySyncError} `CONTENT_MISMATCH`, `PROTOCOL`, `UNSUPPORTED`. */
export function checkedManifest(bytes: Uint8Array, wanted: Wanted): StoredManifest {
  const stored = readManifest(bytes, wanted.mediaType, algorithmOf(wanted.digest));
  const { digest } = stored.descriptor;
  if (digest === wanted.digest) return stored;
  const message = `${wanted.where} hashes to ${digest} instead of ${wanted.digest}`;
  throw new RegistrySyncError('CONTENT_MISMATCH', message);
}

/**
 * Makes sure that the blobs of a manifest are held. An index may be held without its images.
 *
 * @throws {RegistrySyncError} `REJECTED` with `details.missing`.
 */
export async function requireBlobs(
  { manifest, descriptor }: StoredManifest,
  name: string,
  isHeld: (blob: Descriptor) => Promise<boolean>,
): Promise<void> {
  const blobs = childrenOf(manifest).filter(
    ({ mediaType, urls = [] }) =>
      !(isForeign(mediaType) && urls.length > 0) &&
      !(manifest.kind === 'index' && kindOfMediaType(mediaType) !== undefined),
  );
  const lacking = new Set<Digest>();
  for (const blob of blobs) if (!(await isHeld(blob))) lacking.add(blob.digest);
  if (lacking.size === 0) return;
  const missing = [...lacking].join(' ');
  const message = `${name}: ${descriptor.digest} needs ${missing}, which is not there`;
  throw new RegistrySyncError('REJECTED', message, { details: { missing } });
}
