/**
 * Trees of `dir:` images, as syncs make them: `registry.example.com/busybox:1-glibc/manifest.json`.
 *
 * Source: skopeo-sync(1).
 */
import { lstat, readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';

import { RegistrySyncError } from '../base/errors.ts';
import { cannotWrite, hasCode, reading } from '../files/file-failure.ts';
import { tryParseDigest } from '../image/digest.ts';
import type { Location } from '../store/location.ts';
import type { FoundImage, SourceName } from './sync-plan.ts';

const MANIFEST = 'manifest.json';

/**
 * All images below a directory, or the one that it is, by their names' order. Links are not followed.
 *
 * @throws {RegistrySyncError} `NOT_FOUND` when there is none, `USAGE` when it can't be read.
 */
export async function findDirImages(root: string): Promise<FoundImage[]> {
  const found = await imagesBelow(root, '');
  return found.map((path) => ({
    source: { transport: 'dir', path: join(root, path) },
    name: nameOfDir(path === '' ? basename(resolve(root)) : path),
  }));
}

/** Paths from `root` on, with `/` between their parts. */
async function imagesBelow(root: string, path: string): Promise<string[]> {
  const entries = await reading(join(root, path), () =>
    readdir(join(root, path), { withFileTypes: true }),
  );
  if (entries.some((entry) => entry.isFile() && entry.name === MANIFEST)) return [path];
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const found: string[] = [];
  for (const name of names.toSorted()) {
    found.push(...(await imagesBelow(root, path === '' ? name : `${path}/${name}`)));
  }
  return found;
}

/** `registry.example.com/a/b:tag`, as the path of a directory. Without a tag `latest` is meant. */
export function nameOfDir(path: string): SourceName {
  const [, name = path, tag, digestText] =
    /^(.*?[^/]*?)(?::([A-Za-z0-9_][\w.-]{0,127}))?(?:@([a-z0-9]+:[0-9a-f]+))?$/.exec(path) ?? [];
  const digest = digestText === undefined ? undefined : tryParseDigest(digestText);
  const [first = '', ...rest] = name.split('/');
  const hasRegistry = rest.length > 0 && (first === 'localhost' || /[.:]/.test(first));
  const version = digest === undefined ? { tag: tag ?? 'latest' } : { digest };
  return hasRegistry
    ? { registry: first, path: rest.join('/'), ...version }
    : { registry: '', path: name, ...version };
}

/**
 * A sync writes no directory that is there already, as it may be another image.
 *
 * @throws {RegistrySyncError} `USAGE` that names the first that is there.
 */
export async function refuseExisting(locations: readonly Location[]): Promise<void> {
  for (const location of locations) {
    if (location.transport !== 'dir') continue;
    const { path } = location;
    const isThere = await lstat(path).then(
      () => true,
      (error: unknown) => {
        if (hasCode(error, 'ENOENT')) return false;
        throw cannotWrite(path, error);
      },
    );
    if (isThere) {
      const message = `Refusing to overwrite destination directory ${JSON.stringify(path)}: remove it, or give another destination (nothing was copied)`;
      throw new RegistrySyncError('USAGE', message);
    }
  }
}
