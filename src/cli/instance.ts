/**
 * Which image of a list is for a machine.
 *
 * Source: containers/image, internal/pkg/platform, for the order of variants.
 */
import { RegistrySyncError } from '../base/errors.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { StoredManifest } from '../image/manifest.ts';
import { formatPlatform, type Platform } from '../image/platform.ts';

/** From the newest on: each runs what those after it run. */
const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  arm: ['v7', 'v6', 'v5'],
  arm64: ['v8'],
};

/** @throws {RegistrySyncError} `UNSUPPORTED` when there is none: the list is there, so it is not absent. */
export function instanceFor(
  { manifest }: StoredManifest,
  wanted: Platform,
  name: string,
): Descriptor {
  const entries = manifest.kind === 'index' ? manifest.manifests : [];
  for (const variant of variantsFor(wanted)) {
    const found = entries.find(({ platform }) => isFor(platform, { ...wanted, variant }));
    if (found !== undefined) return found;
  }
  const has = entries.flatMap(({ platform }) => (platform ? [formatPlatform(platform)] : []));
  const message = `${name} has no image for ${formatPlatform(wanted)}, only for ${has.join(', ')} (see --override-os, --override-arch, --override-variant)`;
  throw new RegistrySyncError('UNSUPPORTED', message);
}

/** The empty one is «none said». */
function variantsFor({ architecture, variant }: Platform): readonly string[] {
  const known = VARIANTS[architecture] ?? [];
  if (variant === undefined) return ['', ...known];
  const at = known.indexOf(variant);
  return [...(at < 0 ? [variant] : known.slice(at)), ''];
}

function isFor(offered: Platform | undefined, wanted: Platform): boolean {
  return (
    offered?.os === wanted.os &&
    offered.architecture === wanted.architecture &&
    (offered.variant ?? '') === wanted.variant
  );
}
