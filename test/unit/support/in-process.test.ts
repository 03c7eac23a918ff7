import { deepEqual, match } from 'node:assert/strict';
import { it } from 'node:test';

import { runHere } from '../../support/in-process.ts';

it('runs the command line here, to its exit code and its words', async () => {
  const { code, stdout, stderr } = await runHere(['--version']);
  deepEqual([code, stderr], [0, '']);
  match(stdout, /^registry-sync version 0\.0\.0, in the place of skopeo version [\d.]+\n$/);

  const wrong = await runHere(['crawl', '--jbos', '3']);
  deepEqual([wrong.code, wrong.stdout], [1, '']);
  match(wrong.stderr, /unknown option --jbos/);
});
