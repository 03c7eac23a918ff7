import { equal, rejects } from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';

import { mountTmpfs } from '../../support/tmpfs.ts';

it('a small file system can be filled, made read-only, and is gone in the end', async (t) => {
  const disk = await mountTmpfs({ bytes: 64 * 1024 });
  if (disk === undefined) {
    t.skip('may not mount');
    return;
  }
  const file = join(disk.path, 'file');
  await writeFile(file, 'kept');
  await disk.fill();
  await rejects(writeFile(join(disk.path, 'more'), Buffer.alloc(100)), { code: 'ENOSPC' });

  await disk.makeReadOnly();
  await rejects(writeFile(file, 'other'), { code: 'EROFS' });
  equal(await readFile(file, 'utf8'), 'kept');

  await disk[Symbol.asyncDispose]();
  equal(existsSync(disk.path), false);
});

it('a small file system can be out of files', async (t) => {
  const disk = await mountTmpfs({ bytes: 64 * 1024, files: 2 });
  if (disk === undefined) {
    t.skip('may not mount');
    return;
  }
  await writeFile(join(disk.path, 'one'), '');
  await rejects(writeFile(join(disk.path, 'two'), ''), { code: 'ENOSPC' });
  await disk[Symbol.asyncDispose]();
});
