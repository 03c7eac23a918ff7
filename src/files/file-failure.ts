/** What failures of the file system mean to people: the only place that has words for them. */
import { RegistrySyncError } from '../base/errors.ts';

/** @throws {RegistrySyncError} `USAGE` that names the file, when `work` can't write it. */
export async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** @throws {RegistrySyncError} `USAGE` that names the file, `NOT_FOUND` when there is none. */
export async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw cannotRead(path, error);
  }
}

/**
 * As `reading`, of a file that people have to bring.
 *
 * @param absent what to do where there is none.
 * @throws {RegistrySyncError} `USAGE` that names the file.
 */
export async function readingGiven<T>(
  path: string,
  absent: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!isAbsent(cause)) throw cannotRead(path, cause);
    const message = `can't read ${path}: there is none: ${absent}`;
    throw new RegistrySyncError('USAGE', message, { cause });
  }
}

/** What is no failure of the file system is as it was. */
export function cannotWrite(path: string, cause: unknown): unknown {
  return failed("can't write", path, cause);
}

function cannotRead(path: string, cause: unknown): unknown {
  return failed("can't read", path, cause);
}

/** What is refused, since it is not what the format has there. */
export function unexpected(path: string, what: string): RegistrySyncError {
  return new RegistrySyncError('PROTOCOL', `${path} ${what}`);
}

export function isAbsent(error: unknown): boolean {
  return hasCode(error, 'ENOENT', 'ENOTDIR');
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && codes.includes(code);
}

function failed(verb: "can't write" | "can't read", path: string, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (cause instanceof RegistrySyncError || !/^E(?!RR_)[A-Z0-9]+$/.test(code ?? '')) return cause;
  if (code === 'ELOOP') return unexpected(path, 'is a link, and links are not followed');
  const isMissing = verb === "can't read" && isAbsent(cause);
  const hint = HINTS[`${verb}: ${code}`] ?? HINTS[code ?? ''] ?? code;
  return new RegistrySyncError(isMissing ? 'NOT_FOUND' : 'USAGE', `${verb} ${path}: ${hint}`, {
    cause,
  });
}

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EFBIG: 'a file may not become so large here (ulimit -f)',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'there is no such file or directory',
  "can't write: ENOENT": 'there is no such directory',
  ENOTDIR: 'a part of the path is no directory',
  EEXIST: 'there is something else of that name',
  EISDIR: 'it is a directory',
  EMFILE: 'too many files are open (ulimit -n)',
  ENAMETOOLONG: 'the name is too long',
  EPIPE: 'whoever read it went away',
};
