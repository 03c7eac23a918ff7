/** The only place where a manifest is written anew. */
import { RegistrySyncError } from '../base/errors.ts';
import type { Descriptor } from './descriptor.ts';
import { readManifest, type StoredManifest } from './manifest.ts';

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
  const { manifest, descriptor, bytes } = stored;
  if (manifest.kind !== 'index') {
    throw new RegistrySyncError('PROTOCOL', `${descriptor.digest} is no index`);
  }
  const kept = manifest.manifests.map(keep);
  if (!kept.includes(false)) return stored;
  const json = JSON.parse(Buffer.from(bytes).toString('utf8')) as { manifests: unknown[] };
  const manifests = json.manifests.filter((_, position) => kept[position]);
  const written = Buffer.from(JSON.stringify({ ...json, manifests }));
  return readManifest(written, descriptor.mediaType);
}
