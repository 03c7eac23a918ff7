import { deepEqual, equal, rejects } from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { withFileLock } from '../../../src/files/file-lock.ts';
import { tempDir } from '../../support/temp-dir.ts';

const { signal: NEVER } = new AbortController();
const tick = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('withFileLock', () => {
  it('lets one in at a time, and leaves nothing behind', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'lock');
    let inside = 0;
    let most = 0;

    await Promise.all(
      Array.from({ length: 8 }, () =>
        withFileLock(path, NEVER, async (isHeld) => {
          inside += 1;
          most = Math.max(most, inside);
          await tick(2);
          equal(await isHeld(), true);
          inside -= 1;
        }),
      ),
    );

    deepEqual([most, readdirSync(dir.path)], [1, []]);
  });

  it('is given back when the work fails', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'lock');

    const failing = withFileLock(path, NEVER, async () => {
      throw new Error('no');
    });

    await rejects(failing, { message: 'no' });
    equal(existsSync(path), false);
  });
});

describe('the lock of somebody else', () => {
  it('is taken from a process that is gone', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'lock');
    let text = '';
    await withFileLock(path, NEVER, async () => {
      text = await readFile(path, 'utf8');
    });
    const gone = { ...(JSON.parse(text) as object), id: 'other', pid: 2 ** 22 + 1 };
    await writeFile(path, JSON.stringify(gone));

    equal(await withFileLock(path, AbortSignal.timeout(5000), async () => 'in'), 'in');
    deepEqual(readdirSync(dir.path), []);
  });

  for (const text of ['', '{"id":"x","pid":1,"where":"another machine"}']) {
    it(`is waited for while it is young, and taken when it is old: ${text || 'empty'}`, async () => {
      await using dir = await tempDir();
      const path = join(dir.path, 'lock');
      await writeFile(path, text);

      const early = withFileLock(path, AbortSignal.timeout(100), async () => 'in');
      await rejects(early, { code: 'CANCELLED' });
      const old = new Date(Date.now() - 61_000);
      await utimes(path, old, old);

      equal(await withFileLock(path, AbortSignal.timeout(5000), async () => 'in'), 'in');
      deepEqual(readdirSync(dir.path), []);
    });
  }

  it('tells who was too slow that it is no longer held, and leaves the lock of another', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'lock');

    await withFileLock(path, NEVER, async (isHeld) => {
      await writeFile(path, '{"id":"x","pid":1,"where":"another machine"}');
      equal(await isHeld(), false);
    });

    deepEqual(readdirSync(dir.path), ['lock']);
  });

  it('fails where there can be no file', async () => {
    await using dir = await tempDir();

    const failing = withFileLock(join(dir.path, 'absent/lock'), NEVER, async () => {});

    await rejects(failing, { code: 'USAGE' });
  });
});
