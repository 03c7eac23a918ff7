/** What a sync as skopeo's copies: each image that was found, and its name at the destination. */
import { join } from 'node:path';

import { RegistrySyncError } from '../base/errors.ts';
import { shown } from '../base/shown.ts';
import type { Digest } from '../image/digest.ts';
import { isTag } from '../image/reference.ts';
import { profileOf } from '../registry/profile.ts';
import { formatLocation, parseNamed, type Location } from '../store/location.ts';
import { PATH_PRESETS } from './mapping.ts';
import { splitPath } from './tag-row.ts';
import { compileTemplate, tidied, wrongParts, type NameTemplate } from './target-name.ts';

export interface FoundImage {
  readonly source: Location;
  readonly name: SourceName;
}

/** What an image is called where it was found. It has a tag or a digest. */
export interface SourceName {
  /** Empty where none is known: a directory may say none. */
  readonly registry: string;
  readonly path: string;
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
}

/** How the names at the destination are made; at most one of them. */
export interface Naming {
  readonly pathStyle?: string | undefined;
  readonly targetPath?: string | undefined;
}

/** Images that were found together: those of a repository, or of a tree of directories. */
export interface FoundGroup {
  readonly images: readonly FoundImage[];
  /** Instead of the destination's. */
  readonly naming?: Naming;
}

export const DESTINATIONS = ['docker', 'dir', 'oci'] as const;

export interface Destination {
  readonly transport: (typeof DESTINATIONS)[number];
  /** As it is given: `registry.example.com/mirror/`, `/media/usb`. */
  readonly to: string;
  readonly naming: Naming;
  /** Is put before the last part of each repository's path. */
  readonly prefix: string;
  /** Is added to each tag. */
  readonly suffix: string;
}

export interface PlannedImage<G extends FoundGroup = FoundGroup> {
  readonly source: Location;
  readonly destination: Location;
  readonly group: G;
  /** In its group, from 1. */
  readonly position: number;
}

/** Names at the destination by the name of their style. */
const STYLES: ReadonlyMap<string, string> = new Map([
  ['last', '{name}'],
  ['scoped', '{registry}/{repository}'],
  ['scoped-without-registry', '{repository}'],
  ['flat', '{repository:-}'],
]);

/** Of collisions and other mistakes so many are shown. */
const MAX_SHOWN = 10;

/**
 * Plans all images, in the order in which they were found. One that was found twice is planned once.
 *
 * @throws {RegistrySyncError} `USAGE` when an image can't have the name that it would get, or two
 * images would get the same.
 */
export function planSync<G extends FoundGroup>(
  groups: readonly G[],
  destination: Destination,
): PlannedImage<G>[] {
  checkDestination(destination);
  const repositories = new Set(
    groups.flatMap(({ images }) => images.map(({ name }) => `${name.registry}/${name.path}`)),
  );
  const isOne = repositories.size === 1;
  const planned = new Map<string, PlannedImage<G>>();
  const collisions: string[] = [];
  for (const group of groups) {
    const namer = createNamer(destination, group.naming ?? destination.naming, isOne);
    let position = 0;
    for (const image of group.images) {
      const to = namer(image);
      const key = formatLocation(to);
      const before = planned.get(key);
      if (before === undefined) {
        position += 1;
        planned.set(key, { source: image.source, destination: to, group, position });
      } else if (formatLocation(before.source) !== formatLocation(image.source)) {
        collisions.push(describeCollision(before, image));
      }
    }
  }
  if (collisions.length > 0) throw collide(collisions);
  return [...planned.values()];
}

/** @throws {RegistrySyncError} `USAGE` when there is no such style, or two of them are asked for. */
export function checkNaming(where: string, { pathStyle, targetPath }: Naming): void {
  if (pathStyle !== undefined && targetPath !== undefined) {
    const message = `${where}: give only one of destination-path-style and target-path`;
    throw new RegistrySyncError('USAGE', message);
  }
  templateOf({ pathStyle, targetPath });
}

function checkDestination({ transport, to }: Destination): void {
  const [, scheme] = /^([a-z-]+):\/\//.exec(to) ?? [];
  if (scheme !== undefined) {
    const message = `${JSON.stringify(to)}: leave out ${scheme}://, as --dest ${transport} says it`;
    throw new RegistrySyncError('USAGE', message);
  }
  if (to === '') throw new RegistrySyncError('USAGE', 'the destination is empty');
  if (transport === 'oci' && to.includes(':')) {
    const message = `${JSON.stringify(to)}: the path of an oci layout has no colon, as other tools take what follows for a name`;
    throw new RegistrySyncError('USAGE', message);
  }
}

type Namer = (image: FoundImage) => Location;

function createNamer(destination: Destination, naming: Naming, isOne: boolean): Namer {
  const nameOf = createNameOf(destination, naming);
  const { transport, to } = destination;
  if (transport === 'docker') return (image) => inRegistry(image, to, nameOf(image));
  if (transport === 'dir') {
    return (image) => {
      const { path, version } = nameOf(image);
      return { transport, path: join(to, `${path}${version}`) };
    };
  }
  const isPlain = isOne && naming.pathStyle === undefined && naming.targetPath === undefined;
  return (image) => {
    const { path, version } = nameOf(image);
    const name = isPlain && destination.prefix === '' ? version.slice(1) : `${path}${version}`;
    return { transport, path: to, name };
  };
}

interface DestinationName {
  readonly path: string;
  /** `:tag` or `@digest` */
  readonly version: string;
}

function createNameOf(
  { transport, prefix, suffix }: Destination,
  naming: Naming,
): (image: FoundImage) => DestinationName {
  const fill = templateOf(naming);
  return (image) => {
    const { registry, path, tag, digest } = image.name;
    const { namespace, repository } = splitPath(path);
    const named = fill({
      // No part of a name has a port.
      registry: transport === 'docker' ? registry.replace(/:\d+$/, '') : registry,
      namespace,
      path: repository,
      name: repository.slice(repository.lastIndexOf('/') + 1),
      tag: tag ?? '',
    });
    const full = named.path.replace(/[^/]+$/, (last) => `${prefix}${last}`);
    if (full === '' || full.split('/').some((part) => part === '.' || part === '..')) {
      throw noName(image, full);
    }
    if (tag === undefined) {
      if (suffix === '') return { path: full, version: `@${digest ?? ''}` };
      throw wrong(image, 'it is named by its digest, and --append-suffix is for tags');
    }
    const newTag = named.tag + suffix;
    if (!isTag(newTag)) throw noName(image, `${full}:${newTag}`);
    return { path: full, version: `:${newTag}` };
  };
}

function inRegistry(image: FoundImage, to: string, { path, version }: DestinationName): Location {
  const name = `${tidied(to)}/${path}${version}`;
  const reference = parseNamed(name);
  if (reference === undefined) throw noName(image, name);
  const bad = wrongParts(reference.path, profileOf(reference.registry));
  if (bad !== undefined) {
    const hint = bad.isTooDeep
      ? '--destination-path-style flat joins them by "-", and --target-path says it in full'
      : 'add a part to the destination';
    throw wrong(image, `would become ${name}, but ${bad.message}: ${hint}`);
  }
  return { transport: 'docker', reference };
}

function templateOf({ pathStyle = 'last', targetPath }: Naming): NameTemplate {
  if (targetPath !== undefined) {
    return compileTemplate(targetPath, { option: '--target-path', presets: PATH_PRESETS });
  }
  const [, separator] = /^flat:([._-]+)$/.exec(pathStyle) ?? [];
  const template = separator === undefined ? STYLES.get(pathStyle) : `{repository:${separator}}`;
  if (template === undefined) {
    const styles = [...STYLES.keys()].join(', ');
    const message = `--destination-path-style ${JSON.stringify(shown(pathStyle))} is none of ${styles}, flat:SEPARATOR (of . _ -)`;
    throw new RegistrySyncError('USAGE', message);
  }
  return compileTemplate(template, { option: '--destination-path-style', presets: STYLES });
}

function describeCollision(before: PlannedImage, { source }: FoundImage): string {
  const sources = `${formatLocation(before.source)} and ${formatLocation(source)}`;
  return `${sources} would both become ${formatLocation(before.destination)}`;
}

function collide(collisions: readonly string[]): RegistrySyncError {
  const lines = collisions.slice(0, MAX_SHOWN).map((one) => `\n  ${one}`);
  const more = collisions.length > MAX_SHOWN ? `\n  and ${collisions.length - MAX_SHOWN} more` : '';
  const hint = 'images would overwrite each other (see --scoped and --destination-path-style)';
  return new RegistrySyncError('USAGE', `nothing was copied: ${hint}:${lines.join('')}${more}`);
}

function noName(image: FoundImage, name: string): RegistrySyncError {
  return wrong(image, `would become ${JSON.stringify(shown(name))}, which is no legal name`);
}

function wrong({ source }: FoundImage, what: string): RegistrySyncError {
  return new RegistrySyncError('USAGE', `${shown(formatLocation(source), 500)}: ${what}`);
}
