/**
 * A lock among processes: a file that exists while it is held. Whoever was killed, or runs on a
 * machine that is gone, holds it no longer than `STALE_MS`.
 */
import { randomBytes } from 'node:crypto';
import { link, lstat, open, readFile, readlink, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

import { cancelled, throwIfAborted } from '../base/errors.ts';
import { hasCode, isAbsent, unexpected, writing } from './file-failure.ts';

/** Nobody needs it for longer than it takes to write one small file. Milliseconds. */
const STALE_MS = 20_000;
const POLL_MS = 20;

/** Whether the lock is still held; it is asked right before what was prepared becomes visible. */
export type IsHeld = () => Promise<boolean>;

/** What a lock file says of who holds it. */
interface Owner {
  readonly id: string;
  readonly pid: number;
  /** Where that pid means something: the machine and its process namespace. */
  readonly where: string;
}

/**
 * Does `work` while nobody else does, in any process. `path` is the lock's file; its directory exists.
 *
 * @throws {RegistrySyncError} `CANCELLED`; `USAGE` when there can be no such file.
 */
export async function withFileLock<T>(
  path: string,
  signal: AbortSignal,
  work: (isHeld: IsHeld) => Promise<T>,
): Promise<T> {
  const owner = await acquire(path, signal);
  const isHeld = async (): Promise<boolean> => (await ownerOf(path))?.id === owner.id;
  try {
    return await work(isHeld);
  } finally {
    if (await isHeld()) await rm(path, { force: true });
  }
}

async function acquire(path: string, signal: AbortSignal): Promise<Owner> {
  const owner = { id: randomBytes(12).toString('hex'), pid: process.pid, where: await here() };
  for (;;) {
    throwIfAborted(signal);
    if (await isCreated(path, JSON.stringify(owner))) return owner;
    await removeStale(path, owner.where);
    await pause(signal);
  }
}

async function isCreated(path: string, text: string): Promise<boolean> {
  return writing(path, async () => {
    let handle;
    try {
      handle = await open(path, 'wx');
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return false;
      throw error;
    }
    try {
      await handle.writeFile(text);
      return true;
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
  });
}

async function pause(signal: AbortSignal): Promise<void> {
  try {
    await sleep(POLL_MS * (0.5 + Math.random()), undefined, { signal });
  } catch {
    throw cancelled(signal);
  }
}

/**
 * Takes away the lock of an owner who is gone. Of several who see that at once, only one moves the
 * file, and whoever moved another one than he saw puts it back.
 */
async function removeStale(path: string, where: string): Promise<void> {
  await refuseOther(path);
  const owner = await ownerOf(path);
  if (!(await isGone(path, owner, where))) return;
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(path, aside);
    if ((await ownerOf(aside))?.id !== owner?.id) await link(aside, path);
  } catch (error) {
    if (!isAbsent(error) && !hasCode(error, 'EEXIST')) throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

/** What is no file is no lock: it would be waited for without end. */
async function refuseOther(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined); // given back meanwhile
  if (found === undefined || found.isFile()) return;
  throw unexpected(path, 'is no file, and a lock is one: remove it');
}

async function isGone(path: string, owner: Owner | undefined, where: string): Promise<boolean> {
  if (owner?.where === where && !isAlive(owner.pid)) return true;
  try {
    return Date.now() - (await stat(path)).mtimeMs > STALE_MS;
  } catch {
    return false; // given back meanwhile
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasCode(error, 'ESRCH');
  }
}

/** `undefined`: nobody holds it, or its owner is just about to write who that is. */
async function ownerOf(path: string): Promise<Owner | undefined> {
  try {
    const owner = JSON.parse(await readFile(path, 'utf8')) as Partial<Owner>;
    const { id, pid, where } = owner;
    if (typeof id !== 'string' || typeof where !== 'string') return undefined;
    return Number.isSafeInteger(pid) && (pid as number) > 0 ? (owner as Owner) : undefined;
  } catch {
    return undefined;
  }
}

async function here(): Promise<string> {
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return `${hostname()} ${namespace}`;
}
