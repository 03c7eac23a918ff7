/** The rows of tags.csv: what their values mean. They are edited by hand, so columns may be in any order. */
import { RegistrySyncError } from '../base/errors.ts';
import { tryParseDigest, type Digest } from '../image/digest.ts';
import { isRepositoryPath, tryParseVersion } from '../image/reference.ts';
import type { CsvRecord } from './csv.ts';

export interface TagRow {
  /** Of the file, from 1. */
  readonly line: number;
  /** The first part of the repository's path, or empty. */
  readonly namespace: string;
  /** The rest of the path; may itself have several parts. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
  /** What an earlier run said of it: a column of verify.csv and results.csv. */
  readonly status?: string;
}

/** `created_on` and `last_updated_on` are for people and filters of theirs; sync needs the others. */
const NEEDED = ['namespace', 'repo_name', 'name', 'digest'];

/** The whole path of the row's repository: `namespace/repository`. */
export function pathOf({
  namespace,
  repository,
}: Pick<TagRow, 'namespace' | 'repository'>): string {
  return namespace === '' ? repository : `${namespace}/${repository}`;
}

/** The two columns of a path: what is before its first slash, and the rest. */
export function splitPath(path: string): { namespace: string; repository: string } {
  const slash = path.indexOf('/');
  return { namespace: path.slice(0, Math.max(slash, 0)), repository: path.slice(slash + 1) };
}

/** `tag`, `tag@digest` or `@digest`, as people know it from the `name` column. */
export function versionOf({ tag, digest }: Pick<TagRow, 'tag' | 'digest'>): string {
  return tag ?? `@${digest ?? ''}`;
}

/**
 * Makes a reader of records from the file's first one.
 *
 * @throws {RegistrySyncError} `USAGE` when a column is missing, and from the reader when a value is
 * wrong: both name line and value.
 */
export function tagRowReader({ line, fields: header }: CsvRecord): (record: CsvRecord) => TagRow {
  const names = header.map((name) => name.toLowerCase());
  const missing = NEEDED.filter((name) => !names.includes(name));
  if (missing.length > 0) {
    const found = JSON.stringify(header.join(',').slice(0, 200));
    const message = `line ${line}: no column ${missing.join(', ')} in the header ${found}: it has to have ${NEEDED.join(', ')}`;
    throw new RegistrySyncError('USAGE', message);
  }
  const [namespaceAt, repositoryAt, nameAt, digestAt] = NEEDED.map((name) => names.indexOf(name));
  const statusAt = names.indexOf('status');
  const needed = Math.max(statusAt, ...NEEDED.map((name) => names.indexOf(name))) + 1;
  return (record) => {
    const { line: at, fields } = record;
    if (fields.length < needed) {
      throw wrong(at, fields.join(','), `has ${fields.length} fields instead of ${header.length}`);
    }
    const field = (position: number | undefined): string => fields[position ?? -1] ?? '';
    const namespace = field(namespaceAt);
    const repository = field(repositoryAt);
    const path = pathOf({ namespace, repository });
    if (repository === '' || !isRepositoryPath(path)) {
      throw wrong(at, path, 'is no name of a repository');
    }
    const version = readVersion(at, field(nameAt), field(digestAt));
    const status = statusAt < 0 ? {} : { status: field(statusAt) };
    return { line: at, namespace, repository, ...version, ...status };
  };
}

function readVersion(
  line: number,
  name: string,
  digestText: string,
): Pick<TagRow, 'tag' | 'digest'> {
  const version = tryParseVersion(name);
  if (version === undefined) {
    throw wrong(line, name, 'is neither a tag nor tag@digest nor @digest');
  }
  if (digestText === '') return version;
  const digest = tryParseDigest(digestText);
  if (digest === undefined) {
    throw wrong(line, digestText, 'is no digest: sha256: and 64 hexadecimal digits are expected');
  }
  if (version.digest !== undefined && version.digest !== digest) {
    throw wrong(line, name, `names another digest than the column digest, ${digest}`);
  }
  return { ...version, digest };
}

function wrong(line: number, value: string, what: string): RegistrySyncError {
  const shown = JSON.stringify(value.slice(0, 200));
  return new RegistrySyncError('USAGE', `line ${line}: ${shown} ${what}`);
}
