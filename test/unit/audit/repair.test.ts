import { deepEqual, equal, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { createRepair, type RepairSettings } from '../../../src/audit/repair.ts';
import type { Verdict } from '../../../src/audit/verify.ts';
import { RegistrySyncError } from '../../../src/base/errors.ts';
import type { CopyRequest, CopyResult } from '../../../src/copy/copier.ts';
import { parseDigest } from '../../../src/image/digest.ts';
import type { MappedRow } from '../../../src/sync/rows.ts';

const DIGEST = parseDigest(`sha256:${'a'.repeat(64)}`);
const BLOB = parseDigest(`sha256:${'b'.repeat(64)}`);
const ROW: MappedRow = {
  row: { line: 2, namespace: 'a', repository: 'b', tag: '1', status: 'damaged' },
  source: { registry: 's.test', path: 'a/b', tag: '1' },
  target: { registry: 't.test', path: 'a/b', tag: '1' },
};
const COPIED: CopyResult = {
  outcome: 'copied',
  digest: DIGEST,
  blobs: { present: 0, mounted: 0, copied: 1 },
  bytes: 10,
  mountedBytes: 1,
};

type Seen = Pick<Verdict, 'status'> & Partial<Verdict>;
const OK: Seen = { status: 'ok' };
const what = `blob ${BLOB} is missing`;
const DAMAGED: Seen = { status: 'damaged', detail: what, damage: [{ digest: BLOB, what }] };

/** Repairs a row that looks so after each copy; tells what was done. */
async function repair(...verdicts: Seen[]) {
  const calls: string[] = [];
  const settings: RepairSettings = {
    copy: async () => {
      calls.push('copy');
      return COPIED;
    },
    verify: async (row) => {
      calls.push(`verify ${row.row.digest}`);
      const seen = verdicts.shift() ?? OK;
      return { ...row, detail: '', damage: [], elapsedMs: 0, ...seen };
    },
    doubt: (_, digest) => void calls.push(`doubt ${digest}`),
  };
  const result = await createRepair(settings)({} as CopyRequest, ROW);
  return { calls, result };
}

describe('a repair', () => {
  it('is a copy that was looked at, by the digest that was copied', async () => {
    const { calls, result } = await repair(OK);

    deepEqual(calls, ['copy', `verify ${DIGEST}`]);
    deepEqual(result, COPIED);
  });

  it('brings once more, without asking, what is damaged then', async () => {
    const { calls, result } = await repair(DAMAGED, OK);

    const once = ['copy', `verify ${DIGEST}`];
    deepEqual(calls, [...once, `doubt ${BLOB}`, ...once]);
    deepEqual([result.bytes, result.mountedBytes], [20, 2]);
  });

  it('says what is to be done where that helps nothing', async () => {
    await rejects(repair(DAMAGED, DAMAGED), (error: RegistrySyncError) => {
      equal(error.code, 'REJECTED');
      equal(error.details.side, 'target');
      return /^target t\.test\/a\/b:1: was pushed again and is still damaged: blob \S+ is missing: the registry keeps what it has .* Delete that content .* then repair again$/.test(
        error.message,
      );
    });
  });

  for (const status of ['missing', 'differs'] as const) {
    it(`has failed at once when the image is ${status} after all`, async () => {
      const message = 'target t.test/a/b:1: was pushed again, and then: is gone';
      await rejects(repair({ status, detail: 'is gone' }), { code: 'REJECTED', message });
    });
  }

  it('has failed when nobody knows what came of it', async () => {
    const error = new RegistrySyncError('UNAVAILABLE', 'is away');

    await rejects(repair({ status: 'failed', error }), error);
  });
});
