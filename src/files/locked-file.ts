/**
 * Changes to a file that other programs change too: one at a time, and the file is never seen by half.
 * Who holds the lock looks whether it is still theirs before the new file takes the old one's place.
 */
import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import {
  chown,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { isError, RegistrySyncError } from '../base/errors.ts';
import { syncDirectory } from './directory.ts';
import { hasCode, writing } from './file-failure.ts';
import { withFileLock, type IsHeld } from './file-lock.ts';

/** A change takes milliseconds; what is older is of somebody who is dead. */
const STALE_MS = 10_000;
/** Longer than the lock of somebody dead is one. */
const PATIENCE_MS = 40_000;
const TAKEN_AWAY = Symbol('the lock was taken away');

/**
 * Replaces the text of a file by what `change` makes of it; `undefined` in: there is no file, out: it
 * stays as it is. A file that is a symbolic link is changed where it is. The new file has mode 0600.
 *
 * @throws {RegistrySyncError} `USAGE` when it can't be written, and whatever `change` throws.
 */
export async function rewriteFile(
  path: string,
  change: (text: string | undefined) => string | undefined,
): Promise<void> {
  await writing(path, async () => {
    const file = await targetOf(path);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    while ((await locked(file, (isHeld) => rewrite(file, change, isHeld))) === TAKEN_AWAY);
  });
}

async function locked<T>(file: string, work: (isHeld: IsHeld) => Promise<T>): Promise<T> {
  const lock = join(dirname(file), `.${basename(file)}.lock`);
  const patience = AbortSignal.timeout(PATIENCE_MS);
  try {
    return await withFileLock(lock, patience, work);
  } catch (cause) {
    if (!isError(cause, 'CANCELLED')) throw cause;
    const message = `can't write ${file}: another program holds ${lock}; remove it if there is none`;
    throw new RegistrySyncError('USAGE', message, { cause });
  }
}

/** Where a path leads, also when nothing is there yet. */
async function targetOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    const link = await readlink(path).catch(() => undefined);
    return link === undefined ? resolve(path) : targetOf(resolve(dirname(path), link));
  }
}

async function rewrite(
  file: string,
  change: (text: string | undefined) => string | undefined,
  isHeld: IsHeld,
): Promise<typeof TAKEN_AWAY | undefined> {
  const before = await stat(file).catch(ifMissing);
  if (before?.isFile() === false) {
    // A file would take the place of a device: of /dev/null, as root.
    throw new RegistrySyncError('USAGE', `can't write ${file}: it is no file`);
  }
  const old = before === undefined ? undefined : await readFile(file, 'utf8');
  const text = change(old);
  if (text === undefined || text === old) return undefined;
  const prefix = `.${basename(file)}.`;
  const temporary = join(dirname(file), `${prefix}${randomBytes(6).toString('hex')}.tmp`);
  await removeStale(dirname(file), prefix);
  try {
    await writeWhole(temporary, text, before);
    if (!(await isHeld())) return TAKEN_AWAY;
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
  await syncDirectory(dirname(file));
  return undefined;
}

/** Who was killed may have left secrets behind. */
async function removeStale(directory: string, prefix: string): Promise<void> {
  const names = await readdir(directory);
  for (const name of names.filter((one) => one.startsWith(prefix) && one.endsWith('.tmp'))) {
    const path = join(directory, name);
    if (isStale(await stat(path).catch(ifMissing))) await rm(path, { force: true });
  }
}

function isStale(file: Stats | undefined): boolean {
  return file !== undefined && Date.now() - file.mtimeMs > STALE_MS;
}

async function writeWhole(path: string, text: string, before: Stats | undefined): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.appendFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  // Root who logs in for somebody else leaves the file theirs; others can't, and need not.
  if (before !== undefined) await chown(path, before.uid, before.gid).catch(() => {});
}

function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT');
}

function ifMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}
