import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  mkdir,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { rewriteFile } from '../../../src/files/locked-file.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** Somebody takes the lock away, writes the file and is done. */
function stealFrom(lock: string, file: string): void {
  rmSync(lock);
  writeFileSync(file, 'theirs');
}

describe('rewriteFile', () => {
  it('makes a file, and its directory, that only its owner can read', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'a/b/auth.json');

    await rewriteFile(file, (text) => `was ${text}`);

    equal(await readFile(file, 'utf8'), 'was undefined');
    equal((await stat(file)).mode & 0o777, 0o600);
    equal((await stat(join(dir.path, 'a/b'))).mode & 0o777, 0o700);
    deepEqual(await readdir(join(dir.path, 'a/b')), ['auth.json']);
  });

  it('takes from others what they could read before', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'auth.json');
    await writeFile(file, 'old', { mode: 0o644 });

    await rewriteFile(file, () => 'new');

    equal((await stat(file)).mode & 0o777, 0o600);
  });

  it('loses none of many changes at the same time', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'auth.json');

    await Promise.all(
      Array.from({ length: 25 }, () => rewriteFile(file, (text) => `${Number(text ?? 0) + 1}`)),
    );

    equal(await readFile(file, 'utf8'), '25');
    deepEqual(await readdir(dir.path), ['auth.json']);
  });

  it('leaves the file and nothing else when a change fails or is none', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'auth.json');
    await writeFile(file, 'old');
    const { ino } = await stat(file);

    await rejects(
      rewriteFile(file, () => {
        throw new RangeError('no');
      }),
      RangeError,
    );
    await rewriteFile(file, () => undefined);

    equal((await stat(file)).ino, ino);
    deepEqual(await readdir(dir.path), ['auth.json']);
  });
});

describe('rewriteFile, by other names', () => {
  it('writes through symbolic links, to what is there and to what is not yet', async () => {
    await using dir = await tempDir();
    const [real, link, empty] = ['real.json', 'link.json', 'empty.json'].map((name) =>
      join(dir.path, name),
    ) as [string, string, string];
    await writeFile(real, 'old');
    await symlink('real.json', link);
    await mkdir(join(dir.path, 'sub'));
    await symlink('sub/new.json', empty);

    await rewriteFile(link, (text) => `${text}er`);
    await rewriteFile(empty, () => 'first');

    equal(await readlink(link), 'real.json');
    equal(await readFile(real, 'utf8'), 'older');
    equal(await readFile(join(dir.path, 'sub/new.json'), 'utf8'), 'first');
  });
});

describe('rewriteFile, when others do too', () => {
  it('waits for who holds the lock, and takes the lock of the dead', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'auth.json');
    const lock = join(dir.path, '.auth.json.lock');
    await writeFile(lock, 'somebody');
    let isDone = false;
    const written = rewriteFile(file, () => 'mine').then(() => (isDone = true));
    await sleep(100);
    equal(isDone, false);

    const longAgo = new Date(Date.now() - 60_000);
    await utimes(lock, longAgo, longAgo);
    await written;

    equal(await readFile(file, 'utf8'), 'mine');
    deepEqual(await readdir(dir.path), ['auth.json']);
  });

  it('begins anew when its own lock was taken for that of the dead', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'auth.json');
    const lock = join(dir.path, '.auth.json.lock');
    const seen: (string | undefined)[] = [];
    const others = (text: string | undefined): string => {
      seen.push(text);
      return `${text} and mine`;
    };
    const written = rewriteFile(file, (text) => {
      if (seen.length === 0) stealFrom(lock, file);
      return others(text);
    });
    await written;

    deepEqual(seen, [undefined, 'theirs']);
    equal(await readFile(file, 'utf8'), 'theirs and mine');
  });

  it('says which file can not be written', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'file'), '');

    await rejects(
      rewriteFile(join(dir.path, 'file/auth.json'), () => 'x'),
      (error: Error) => {
        match(error.message, /can't write .*file\/auth\.json/);
        return true;
      },
    );
  });
});

it('leaves what is no file as it is', async () => {
  await using dir = await tempDir();
  const pipe = join(dir.path, 'pipe');
  execFileSync('mkfifo', [pipe]);
  await rejects(
    rewriteFile(pipe, () => '{}'),
    { code: 'USAGE', message: /is no file/ },
  );
  equal((await stat(pipe)).isFIFO(), true);
});
