import { deepEqual, match, rejects } from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';

import { refuseLink, removeStale, temporaryIn } from '../../../src/files/directory.ts';
import { tempDir } from '../../support/temp-dir.ts';

it('removeStale removes what killed runs left long ago, and nothing else', async () => {
  await using dir = await tempDir();
  const [old, young] = [temporaryIn(dir.path), temporaryIn(dir.path)];
  const other = join(dir.path, 'other.tmp');
  for (const path of [old, young, other]) await writeFile(path, '');
  const longAgo = new Date(Date.now() - 8 * 24 * 3600 * 1000);
  for (const path of [old, other]) await utimes(path, longAgo, longAgo);

  await removeStale(dir.path);

  deepEqual(
    readdirSync(dir.path).toSorted(),
    [young.slice(dir.path.length + 1), 'other.tmp'].toSorted(),
  );
});

it('refuseLink takes directories and what is absent', async () => {
  await using dir = await tempDir();
  await symlink(dir.path, join(dir.path, 'link'));
  await writeFile(join(dir.path, 'file'), '');

  await refuseLink(dir.path);
  await refuseLink(join(dir.path, 'absent'));
  for (const name of ['link', 'file']) {
    await rejects(refuseLink(join(dir.path, name)), (error: Error & { code?: string }) => {
      match(error.message, /is a link|is no directory/);
      return error.code === 'PROTOCOL';
    });
  }
});
