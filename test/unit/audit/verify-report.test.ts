import { deepEqual, equal } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import {
  countsOf,
  createVerifyFile,
  describeSummary,
  VerifyTotals,
} from '../../../src/audit/verify-report.ts';
import { RegistrySyncError } from '../../../src/base/errors.ts';
import type { Verdict } from '../../../src/audit/verify.ts';
import { Secrets } from '../../../src/base/redact.ts';
import { parseDigest } from '../../../src/image/digest.ts';
import { tempDir } from '../../support/temp-dir.ts';

const DIGEST = parseDigest(`sha256:${'a'.repeat(64)}`);

function verdict(changes: Partial<Verdict> = {}): Verdict {
  return {
    row: { line: 2, namespace: 'acme', repository: 'web', tag: '1', digest: DIGEST },
    source: { registry: 's.test', path: 'acme/web', tag: '1' },
    target: { registry: 't.test', path: 'acme/web', tag: '1' },
    status: 'ok',
    detail: '',
    damage: [],
    elapsedMs: 1,
    ...changes,
  };
}

describe('the line for people', () => {
  it('counts every kind of row, and what it cost', () => {
    const totals = new VerifyTotals();
    for (const status of ['ok', 'ok', 'missing', 'differs'] as const) {
      totals.add(verdict({ status }));
    }
    const { counts } = totals;
    const summary = { rows: 4, counts, notStarted: 0, requests: 402, elapsedMs: 2940 };

    equal(
      describeSummary(summary),
      '4 rows: 2 ok, 1 missing, 1 differs, 0 damaged, 0 failed; 402 requests; 2.9 s',
    );
    equal(totals.notOk, 2);
    deepEqual(countsOf(summary), {
      rows: 4,
      ok: 2,
      missing: 1,
      differs: 1,
      damaged: 0,
      failed: 0,
      notStarted: 0,
      requests: 402,
      elapsedMs: 2940,
    });
  });

  it('says what was left, and what may still be pulled', () => {
    const { counts } = new VerifyTotals();
    const pullLimit = { limit: 200, remaining: 12, windowSeconds: 21_600 };
    const summary = { rows: 9, counts, notStarted: 9, requests: 1, elapsedMs: 0, pullLimit };

    equal(
      describeSummary(summary),
      '9 rows: 0 ok, 0 missing, 0 differs, 0 damaged, 0 failed, 9 not started; 1 requests; 12 of 200 pulls per 6 h left; 0.0 s',
    );
  });
});

describe('totals', () => {
  it('know when every row was denied, which is of the credentials and not of the rows', () => {
    const totals = new VerifyTotals();
    equal(totals.isAllRefused, false);
    const error = new RegistrySyncError('UNAUTHORIZED', 'denied');
    totals.add(verdict({ status: 'failed', error }));
    equal(totals.isAllRefused, true);
    const away = new RegistrySyncError('UNAVAILABLE', 'out of reach');
    totals.add(verdict({ status: 'failed', error: away }));
    equal(totals.isAllRefused, false);
  });
});

describe('verify.csv', () => {
  it('has a line for each row, without secrets and further lines', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'out', 'verify.csv');
    const secrets = new Secrets();
    secrets.add('battery-staple');
    const file = await createVerifyFile(path, secrets);

    await file.write(verdict({ found: DIGEST, size: 1234 }));
    const { row } = verdict();
    const byDigest = { ...row, digest: DIGEST };
    delete (byDigest as { tag?: string }).tag;
    const detail = 'says "no",\r\n\u001b[31mbattery-staple';
    await file.write(verdict({ row: byDigest, status: 'failed', detail }));
    await file.close();

    deepEqual((await readFile(path, 'utf8')).split('\r\n'), [
      'namespace,repo_name,name,digest,target,status,found_digest,size,detail',
      `acme,web,1,${DIGEST},t.test/acme/web:1,ok,${DIGEST},1234,`,
      `acme,web,@${DIGEST},${DIGEST},t.test/acme/web:1,failed,,,"says ""no"", [31m***"`,
      '',
    ]);
  });
});
