/**
 * Temporary directories that go away with the scope, or at the latest with the process, that made
 * them.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory that is removed, with all that is in it, when it is disposed of. */
export interface TempDir extends AsyncDisposable {
  /** Absolute. */
  readonly path: string;
}

const present = new Set<string>();
process.once('exit', () => {
  for (const path of present) rmSync(path, { recursive: true, force: true });
});

/** Makes an empty directory that only this user can read: `await using dir = await tempDir()`. */
export async function tempDir(): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), 'registry-sync-test-'));
  present.add(path);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true });
      present.delete(path);
    },
  };
}
