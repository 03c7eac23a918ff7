/** Directories: made, cleaned, brought to the disk; and names in them that nobody takes for content. */
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, open, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { hasCode, isAbsent, unexpected } from './file-failure.ts';

/** What a killed run left behind is removed when it is older than any run. Milliseconds. */
const STALE_MS = 7 * 24 * 60 * 60 * 1000;
const TEMPORARY = /^\.registry-sync-.*\.tmp$/;

/** A name beside others of `directory` that nobody takes for content. */
export function temporaryIn(directory: string): string {
  return join(directory, `.registry-sync-${randomBytes(8).toString('hex')}.tmp`);
}

export function isTemporary(name: string): boolean {
  return TEMPORARY.test(name);
}

/** Removes what killed runs left in `directory` long ago. */
export async function removeStale(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!isTemporary(name)) continue;
    const path = join(directory, name);
    const found = await lstat(path).catch(() => undefined); // its owner was quicker
    if (found === undefined || Date.now() - found.mtimeMs <= STALE_MS) continue;
    await rm(path, { recursive: true, force: true });
  }
}

/** Brings names to the disk: what was renamed stays renamed. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (!hasCode(error, 'EINVAL', 'EPERM')) throw error; // some file systems have no such thing
  } finally {
    await handle.close();
  }
}

/** Makes a directory, and those above it. (Node's own way of it never ends below /proc.) */
export async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return;
    if (!hasCode(error, 'ENOENT') || directory === dirname(directory)) throw error;
    await makeDirectory(dirname(directory));
    await mkdir(directory).catch((again: unknown) => {
      if (!hasCode(again, 'EEXIST')) throw again;
    });
  }
}

/** @throws {RegistrySyncError} `PROTOCOL` unless `directory` is one, or is absent: links lead outside. */
export async function refuseLink(directory: string): Promise<void> {
  const found = await lstat(directory).catch((error: unknown) => {
    if (isAbsent(error)) return undefined;
    throw error;
  });
  if (found === undefined || found.isDirectory()) return;
  const what = found.isSymbolicLink() ? 'is a link, and links are not followed' : 'is no directory';
  throw unexpected(directory, what);
}
