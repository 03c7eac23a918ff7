/** Which images of an index are wanted. */
import { RegistrySyncError } from '../base/errors.ts';
import { withChildren } from '../image/convert.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { StoredManifest } from '../image/manifest.ts';
import { formatPlatform, matchesPlatform, type Platform } from '../image/platform.ts';

/** `platforms`: an index with only these, rewritten. An image that is no index is taken as it is. */
export type Selection =
  | { readonly kind: 'all' }
  | { readonly kind: 'platforms'; readonly platforms: readonly Platform[] };

export const ALL: Selection = { kind: 'all' };

/** BuildKit's attestations are entries of their own, for no platform, that name the image they are of. */
const ATTESTED = 'vnd.docker.reference.digest';

/**
 * The root that is to be stored at the target. What belongs to a platform's image goes with it, and
 * what is for no platform stays.
 *
 * @throws {RegistrySyncError} `NOT_FOUND` when an index has none of the platforms.
 */
export function selectFrom(root: StoredManifest, selection: Selection): StoredManifest {
  if (selection.kind === 'all' || root.manifest.kind !== 'index') return root;
  const { platforms } = selection;
  const offered = root.manifest.manifests.filter(isForPlatform);
  const wanted = new Set(
    offered
      .filter(({ platform }) => platforms.some((p) => platform && matchesPlatform(p, platform)))
      .map(({ digest }): string => digest),
  );
  if (offered.length > 0 && wanted.size === 0) throw noneOf(platforms, offered);
  return withChildren(root, (child) => {
    const attested = child.annotations?.[ATTESTED];
    if (attested !== undefined) return wanted.has(attested);
    return !isForPlatform(child) || wanted.has(child.digest);
  });
}

function isForPlatform({ platform }: Descriptor): boolean {
  return platform !== undefined && platform.os !== 'unknown';
}

function noneOf(platforms: readonly Platform[], offered: readonly Descriptor[]): RegistrySyncError {
  const has = offered.map(({ platform }) => platform && formatPlatform(platform)).join(', ');
  const message = `is not for ${platforms.map(formatPlatform).join(' or ')}, only for ${has}`;
  return new RegistrySyncError('NOT_FOUND', message);
}
