/** A target that is gone: the run ends long before all rows have found that out. */
import { equal, match, ok } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { runHere } from '../support/in-process.ts';
import { tempDir } from '../support/temp-dir.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const ROWS = 5000;

describe('a sync to a registry that is gone', () => {
  it('starts no further image after many in a row, and says so', async () => {
    await using dir = await tempDir();
    const rows = Array.from({ length: ROWS }, (_, n) => `acme,app,v${n},,,${DIGEST}\n`);
    const header = 'namespace,repo_name,name,created_on,last_updated_on,digest\n';
    await writeFile(join(dir.path, 'tags.csv'), header + rows.join(''));
    const ends = ['--source-registry', '127.0.0.1:1', '--target-registry', '127.0.0.1:1'];

    const { code, stdout, stderr } = await runHere([
      'sync',
      ...ends,
      '--workdir',
      dir.path,
      '--retry-times',
      '0',
    ]);

    equal(code, 3, stderr);
    match(stderr, /a registry is out of reach: no further image is started/);
    match(stdout, /^5000 rows: 0 copied, 0 unchanged, \d+ failed, \d+ not started;/);
    const told = (await readFile(join(dir.path, 'results.csv'), 'utf8')).split('\n').length - 2;
    ok(told >= 100 && told < 1000, `${told} rows were tried`);
  });
});
