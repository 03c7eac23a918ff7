/** Which repositories a crawl looks at, and where it learns of them. */
import { readFile } from 'node:fs/promises';

import { RegistrySyncError } from '../base/errors.ts';
import { isRepositoryPath } from '../image/reference.ts';
import { isInShard, type Shard } from './shard.ts';
import { matcher } from './tag-filter.ts';
import { pathOf, splitPath } from './tag-row.ts';

export interface RepositoryOptions {
  /** The first part of the path. */
  readonly namespace?: string | undefined;
  /** The rest of the path, after the namespace. */
  readonly repository?: string | undefined;
  /** Matches the rest of the path at its start. */
  readonly repositoryRegex?: string | undefined;
  /** Only repositories of this share. */
  readonly shard?: Shard | undefined;
}

/**
 * Whether a repository is wanted.
 *
 * @throws {RegistrySyncError} `USAGE` when the options contradict each other.
 */
export function createRepositoryFilter(options: RepositoryOptions): (path: string) => boolean {
  const { namespace, repository, repositoryRegex, shard } = options;
  if (repository !== undefined && repositoryRegex !== undefined) {
    throw new RegistrySyncError('USAGE', 'give only one of --repository and --repository-regex');
  }
  const matches = matcher('--repository-regex', repositoryRegex);
  return (path) => {
    const parts = splitPath(path);
    if (namespace !== undefined && parts.namespace !== namespace) return false;
    if (repository !== undefined && parts.repository !== repository && path !== repository) {
      return false;
    }
    if (shard !== undefined && !isInShard(path, shard)) return false;
    return matches?.(parts.repository) ?? true;
  };
}

/**
 * The one repository that the options name: no catalog is needed for it.
 *
 * `undefined` when they name none, or only together with a catalog.
 */
export function namedRepository({ namespace, repository }: RepositoryOptions): string | undefined {
  if (repository === undefined) return undefined;
  const path = pathOf({ namespace: namespace ?? '', repository });
  if (isRepositoryPath(path)) return path;
  const shown = JSON.stringify(path);
  throw new RegistrySyncError('USAGE', `--repository: ${shown} is no name of a repository`);
}

/**
 * Reads names of repositories, one at least, from a list (one per line) or from a repositories.csv.
 *
 * @throws {RegistrySyncError} `USAGE` that names file, line and value.
 */
export async function readRepositories(path: string): Promise<string[]> {
  const names = await readAnyRepositories(path);
  if (names.length > 0) return names;
  throw new RegistrySyncError('USAGE', `${path}: no repositories`);
}

/** The same of a list that may be empty. */
export async function readAnyRepositories(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new RegistrySyncError('USAGE', `can't read ${path}: ${cause.code}`, { cause });
  });
  const lines = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line, index) => ({ line: index + 1, fields: line.split(',').map(unquoted) }))
    .filter(
      ({ fields: [first = '', ...rest] }) => (first || rest.some(Boolean)) && first[0] !== '#',
    );
  const header = lines[0]?.fields.map((field) => field.toLowerCase());
  const isCsv = header?.includes('name') === true && header.length > 1;
  const [namespaceAt, nameAt] = ['namespace', 'name'].map((name) => header?.indexOf(name) ?? -1);
  const names = (isCsv ? lines.slice(1) : lines).map(({ line, fields }) => {
    const field = (at = -1): string => fields[at] ?? '';
    const name = isCsv
      ? pathOf({ namespace: field(namespaceAt), repository: field(nameAt) })
      : field(0);
    if (isRepositoryPath(name)) return name;
    const shown = JSON.stringify(name.slice(0, 300));
    throw new RegistrySyncError(
      'USAGE',
      `${path}: line ${line}: ${shown} is no name of a repository`,
    );
  });
  return [...new Set(names)];
}

function unquoted(field: string): string {
  return field
    .trim()
    .replace(/^"(.*)"$/, '$1')
    .trim();
}
