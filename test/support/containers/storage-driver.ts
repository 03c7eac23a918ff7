/** How containers' file systems are put together here. */
import { join } from 'node:path';

import { tempDir } from '../temp-dir.ts';
import { run } from './programs.ts';

export type StorageDriver = 'overlay' | 'vfs';

/** `overlay`, or where the kernel does not stack it here (as in many containers) `vfs`, which copies. */
export async function storageDriver(): Promise<StorageDriver> {
  await using dir = await tempDir();
  const places = ['--root', join(dir.path, 'root'), '--runroot', join(dir.path, 'run')];
  const overlay = [...places, '--storage-driver', 'overlay'];
  try {
    const from = await run('buildah', [...overlay, 'from', 'scratch']);
    const mounted = await run('buildah', [...overlay, 'mount', from.stdout.trim()]);
    return from.code === 0 && mounted.code === 0 ? 'overlay' : 'vfs';
  } finally {
    await run('buildah', [...overlay, 'rm', '--all']);
    await run('umount', [join(dir.path, 'root', 'overlay')]);
  }
}
