/** Small file systems of their own, to be filled or made read-only. Only root can have them. */
import { execFile, execFileSync } from 'node:child_process';
import { rmdirSync } from 'node:fs';
import { mkdtemp, rmdir, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Tmpfs extends AsyncDisposable {
  readonly path: string;
  /** Leaves so many bytes free, to a page; 0 unless given. */
  fill(free?: number): Promise<void>;
  makeReadOnly(): Promise<void>;
}

export interface TmpfsOptions {
  readonly bytes: number;
  /** How many files there can be, its root among them; as many as one likes unless given. */
  readonly files?: number;
}

const mounted = new Set<string>();
process.once('exit', () => {
  for (const path of mounted) {
    execFileSync('umount', ['--lazy', path]);
    rmdirSync(path);
  }
});

/** Mounts one; `undefined` where that is not allowed. */
export async function mountTmpfs({ bytes, files }: TmpfsOptions): Promise<Tmpfs | undefined> {
  const path = await mkdtemp(join(tmpdir(), 'registry-sync-tmpfs-'));
  const options = `size=${bytes}${files === undefined ? '' : `,nr_inodes=${files}`}`;
  try {
    await run('mount', ['-t', 'tmpfs', '-o', options, 'registry-sync-test', path]);
  } catch {
    await rmdir(path);
    return undefined;
  }
  mounted.add(path);
  return {
    path,
    async fill(free = 0) {
      const { bavail, bsize } = await statfs(path);
      await writeFile(join(path, 'filler'), Buffer.alloc(Math.max(0, bavail * bsize - free)));
    },
    async makeReadOnly() {
      await run('mount', ['-o', 'remount,ro', path]);
    },
    async [Symbol.asyncDispose]() {
      await run('umount', ['--lazy', path]);
      mounted.delete(path);
      await rmdir(path);
    },
  };
}
