/** Finds the images that `sync --src` means: asks registries for tags, reads directories and lists. */
import { readFile } from 'node:fs/promises';

import { mapInOrder } from '../../base/concurrent.ts';
import { RegistrySyncError, type ErrorCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { isTag, type Reference } from '../../image/reference.ts';
import { parseNamed } from '../../store/location.ts';
import { findDirImages } from '../../sync/dir-tree.ts';
import {
  readSourcesYaml,
  type YamlRegistry,
  type YamlRepository,
} from '../../sync/sources-yaml.ts';
import { checkNaming, type FoundGroup, type FoundImage } from '../../sync/sync-plan.ts';
import type { Images } from '../open-image.ts';
import type { SyncRequest } from './skopeo-sync-request.ts';

/** Images that are opened in the same way. */
export interface SourceGroup extends FoundGroup {
  readonly opened: Images;
}

export interface Found {
  readonly groups: readonly SourceGroup[];
  /** Repositories of the list whose tags could not be read. They were logged. */
  readonly failed: number;
}

export interface SourceSettings {
  readonly request: Pick<SyncRequest, 'from' | 'wants'>;
  /**
   * Opens images by what a registry of the list says of its access, and by the options. `isOnly`:
   * the list has no other, so that variables of the environment can be meant for it alone.
   */
  readonly open: (registry?: YamlRegistry, isOnly?: boolean) => Images;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** So many repositories are asked for their tags at the same time. */
const LISTED_AT_ONCE = 8;

/** What is not about one repository of the list. */
const ENDING: ReadonlySet<ErrorCode> = new Set(['CANCELLED', 'USAGE']);

/** @throws {RegistrySyncError} `NOT_FOUND` when a repository or a directory has no images. */
export async function findImages(settings: SourceSettings): Promise<Found> {
  const { kind, source } = settings.request.from;
  if (kind === 'yaml') return findListed(settings);
  const opened = settings.open();
  const all =
    kind === 'dir' ? await findDirImages(source) : await findInRegistry(source, opened, settings);
  const images = all.filter(({ name }) => isWanted(name.tag, settings));
  if (images.length === 0) {
    const left = all.length === 0 ? '' : ` (${all.length} are left out by --filter and --exclude)`;
    const message = `No images to sync found in ${JSON.stringify(source)}${left}`;
    throw new RegistrySyncError('NOT_FOUND', message);
  }
  return { groups: [{ images, opened }], failed: 0 };
}

function isWanted(tag: string | undefined, { request }: SourceSettings): boolean {
  return tag === undefined || request.wants(tag);
}

async function findInRegistry(
  source: string,
  opened: Images,
  settings: SourceSettings,
): Promise<FoundImage[]> {
  const reference = parseNamed(source);
  const shown = JSON.stringify(source);
  if (reference === undefined) {
    throw new RegistrySyncError('USAGE', `${shown} is no image: write HOST/PATH[:TAG]`);
  }
  if (reference.tag !== undefined && reference.digest !== undefined) {
    const message = `${shown} has both a tag and a digest, of which only one can be meant`;
    throw new RegistrySyncError('USAGE', message);
  }
  if (reference.tag !== undefined || reference.digest !== undefined) return [imageOf(reference)];
  return imagesOf(reference, await tagsOf(reference, opened, settings));
}

async function findListed(settings: SourceSettings): Promise<Found> {
  const { request, open, log } = settings;
  const path = request.from.source;
  const registries = readSourcesYaml(path, await readText(path));
  const listed: { readonly one: YamlRepository; readonly opened: Images }[] = [];
  for (const registry of registries) {
    if (registry.repositories.length === 0) {
      log.warn({ registry: registry.name }, 'No images specified for registry');
    }
    const opened = open(registry, registries.length === 1);
    for (const one of registry.repositories) {
      checkNaming(`${path}:${one.line}`, one);
      listed.push({ one, opened });
    }
  }
  const groups: SourceGroup[] = [];
  let failed = 0;
  const found = mapInOrder(iterate(listed), LISTED_AT_ONCE, async ({ one, opened }) => ({
    one,
    opened,
    images: await imagesOfRepository(one, opened, settings),
  }));
  for await (const { one, opened, images } of found) {
    if (images === undefined) failed += 1;
    else if (images.length === 0) log.warn(one.repository, 'No refs to sync found');
    else groups.push({ images, opened, ...namingOf(one) });
  }
  return { groups, failed };
}

function namingOf({ pathStyle, targetPath }: YamlRepository): Pick<FoundGroup, 'naming'> {
  if (pathStyle === undefined && targetPath === undefined) return {};
  return { naming: { pathStyle, targetPath } };
}

/** `undefined`: its tags could not be read, and the others go on. */
async function imagesOfRepository(
  { repository, wanted }: YamlRepository,
  opened: Images,
  settings: SourceSettings,
): Promise<FoundImage[] | undefined> {
  if (wanted.kind === 'named') {
    const images = wanted.versions.map((version) => imageOf({ ...repository, ...version }));
    return images.filter(({ name }) => isWanted(name.tag, settings));
  }
  try {
    const tags = await tagsOf(repository, opened, settings);
    const matching = wanted.kind === 'all' ? tags : tags.filter(wanted.matches);
    return imagesOf(
      repository,
      matching.filter((tag) => isWanted(tag, settings)),
    );
  } catch (error) {
    if (!(error instanceof RegistrySyncError) || ENDING.has(error.code)) throw error;
    settings.log.error({ ...repository, error: error.message }, 'Error processing repo, skipping');
    return undefined;
  }
}

async function tagsOf(
  { registry, path }: Pick<Reference, 'registry' | 'path'>,
  opened: Images,
  { log, signal }: SourceSettings,
): Promise<string[]> {
  log.info({ image: `${registry}/${path}` }, 'Getting tags');
  const tags: string[] = [];
  for await (const name of opened.repository({ registry, path }).tags(signal)) {
    if (isTag(name)) tags.push(name);
    else log.warn({ image: `${registry}/${path}`, tag: name }, 'The registry lists what is no tag');
  }
  return tags;
}

function imagesOf(
  { registry, path }: Pick<Reference, 'registry' | 'path'>,
  tags: readonly string[],
): FoundImage[] {
  return tags.map((tag) => imageOf({ registry, path, tag }));
}

function imageOf(reference: Reference): FoundImage {
  return { source: { transport: 'docker', reference }, name: reference };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const hint = code === 'ENOENT' ? 'there is no such file' : code;
    throw new RegistrySyncError('USAGE', `can't read ${path}: ${hint}`, { cause });
  }
}

async function* iterate<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
