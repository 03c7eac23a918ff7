/** Which images of an index are wanted. */
import { RegistrySyncError } from '../base/errors.ts';
import { withChildren } from '../image/convert-index.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { Digest } from '../image/digest.ts';
import type { StoredManifest } from '../image/manifest.ts';
import {
  formatPlatform,
  matchesPlatform,
  parsePlatform,
  type Platform,
} from '../image/platform.ts';
import type { ImageSource } from '../image/source-and-sink.ts';
import { onSide } from './side.ts';

/** Which images of an index; an image that is no index is taken as it is. */
export type Choice =
  /** All of them, and the index. */
  | { readonly kind: 'all' }
  /** The one for a machine, without the index (skopeo's `--multi-arch system`). */
  | { readonly kind: 'system'; readonly platform: Platform }
  /** The index, and none of its images. */
  | { readonly kind: 'index-only' }
  /** An index of some platforms, rewritten. */
  | { readonly kind: 'platforms'; readonly platforms: readonly Platform[] };

/** What can be chosen without reading more than the root. */
export type Selection = Extract<Choice, { kind: 'all' | 'platforms' }>;

export const ALL: Selection = { kind: 'all' };

/**
 * What platforms in words select; none select all.
 *
 * @throws {RegistrySyncError} `USAGE`
 */
export function parseSelection(platforms: readonly string[]): Selection {
  if (platforms.length === 0) return ALL;
  return { kind: 'platforms', platforms: platforms.map(parsePlatform) };
}

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

/** The digest that an image of the source has at the target once a part of it is selected. */
export async function selectedDigest(
  source: ImageSource,
  digest: Digest,
  selection: Selection,
  signal: AbortSignal,
): Promise<Digest> {
  if (selection.kind === 'all') return digest;
  return onSide('source', source, async () => {
    const stored = await source.manifest(digest, signal);
    return selectFrom(stored, selection).descriptor.digest;
  });
}

/**
 * The image of an index for a machine: its very variant, else the most capable one that it runs, else
 * one that is for no platform. Of Windows the build must agree, where one is asked for.
 *
 * Source: https://github.com/containers/image, `internal/pkg/platform`, for which variants run.
 * @throws {RegistrySyncError} `NOT_FOUND` that lists what there is.
 */
export function instanceFor(children: readonly Descriptor[], wanted: Platform): Descriptor {
  const offered = children.filter(isForPlatform);
  for (const variant of variantsFor(wanted)) {
    const found = offered.find(
      ({ platform }) =>
        platform?.os === wanted.os &&
        platform.architecture === wanted.architecture &&
        platform.variant === variant &&
        isOfBuild(wanted, platform),
    );
    if (found !== undefined) return found;
  }
  const any = children.find(({ platform }) => platform === undefined);
  if (any !== undefined) return any;
  throw noneFor(wanted, offered);
}

/** What a machine runs, most capable first; `undefined` is an image that names no variant. */
const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  arm: ['v7', 'v6', 'v5'],
  arm64: ['v8'],
};

function variantsFor({ architecture, variant }: Platform): readonly (string | undefined)[] {
  const known = VARIANTS[architecture] ?? [];
  if (variant === undefined) return [undefined, ...known];
  const at = known.indexOf(variant);
  return [...(at < 0 ? [variant] : known.slice(at)), undefined];
}

/** `10.0.17763.1234` is of the build `10.0.17763`. */
function isOfBuild({ osVersion: wanted }: Platform, { osVersion: offered }: Platform): boolean {
  if (wanted === undefined || offered === undefined) return true;
  const buildOf = (version: string): string => version.split('.').slice(0, 3).join('.');
  return buildOf(wanted) === buildOf(offered);
}

function isForPlatform({ platform }: Descriptor): boolean {
  return platform !== undefined && platform.os !== 'unknown';
}

/** In the words that scripts look for. */
function noneFor(wanted: Platform, offered: readonly Descriptor[]): RegistrySyncError {
  const { architecture, variant = '', os } = wanted;
  const has = listed(offered);
  const message = `parsing manifest for image: error choosing image instance: no image found in manifest list for architecture ${architecture}, variant ${variant}, OS ${os}: it has ${has || 'none for any machine'} (see --override-arch, --override-os, --override-variant, --all)`;
  return new RegistrySyncError('NOT_FOUND', message);
}

function noneOf(platforms: readonly Platform[], offered: readonly Descriptor[]): RegistrySyncError {
  const message = `is not for ${platforms.map(shown).join(' or ')}, only for ${listed(offered) || 'nothing'}`;
  return new RegistrySyncError('NOT_FOUND', message);
}

function listed(offered: readonly Descriptor[]): string {
  return offered.map(({ platform }) => platform && shown(platform)).join(', ');
}

function shown(platform: Platform): string {
  const { osVersion } = platform;
  return `${formatPlatform(platform)}${osVersion === undefined ? '' : ` (${osVersion})`}`;
}
