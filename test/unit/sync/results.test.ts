import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setImmediate as immediate } from 'node:timers/promises';

import { RegistrySyncError, type ErrorCode } from '../../../src/base/errors.ts';
import { Secrets } from '../../../src/base/redact.ts';
import { parseDigest } from '../../../src/image/digest.ts';
import { formatBytes } from '../../../src/base/format-bytes.ts';
import {
  createResults,
  describeSummary,
  Totals,
  writeSummary,
  type Summary,
} from '../../../src/sync/results.ts';
import type { TagOutcome } from '../../../src/sync/sync.ts';
import { tempDir } from '../../support/temp-dir.ts';

const D = parseDigest(`sha256:${'a'.repeat(64)}`);
const MAPPED = {
  row: { line: 2, namespace: 'acme', repository: 'team/web', tag: '1.0', digest: D },
  source: { registry: 's.test', path: 'acme/team/web', tag: '1.0', digest: D },
  target: { registry: 't.test', path: 'mirror/web', tag: '1.0-eu' },
  elapsedMs: 12.6,
};

function done(result: 'copied' | 'unchanged' | 'would-copy', more: object = {}): TagOutcome {
  return { ...MAPPED, digest: D, result, bytes: 0, mountedBytes: 0, moved: false, ...more };
}

function failed(message: string, code: ErrorCode = 'UNAVAILABLE'): TagOutcome {
  return { ...MAPPED, result: 'failed', error: new RegistrySyncError(code, message) };
}

const TRAFFIC = { requests: 0, received: 0, sent: 0 };
const REQUESTS = { source: { ...TRAFFIC, requests: 3 }, target: { ...TRAFFIC, requests: 4 } };

function summaryOf(outcomes: readonly TagOutcome[], rows = outcomes.length): Summary {
  const totals = new Totals();
  for (const outcome of outcomes) totals.add(outcome);
  return totals.summary({ rows, elapsedMs: 1234, requests: REQUESTS });
}

describe('Totals', () => {
  it('counts outcomes, bytes, and the rows that were not started', () => {
    const outcomes = [
      done('copied', { bytes: 1500, mountedBytes: 10, moved: true }),
      done('copied', { bytes: 500 }),
      done('unchanged'),
      done('would-copy'),
      failed('gone'),
    ];

    deepEqual(summaryOf(outcomes, 8), {
      rows: 8,
      copied: 2,
      unchanged: 1,
      wouldCopy: 1,
      failed: 1,
      notStarted: 3,
      moved: 1,
      bytesCopied: 2000,
      bytesMounted: 10,
      elapsedMs: 1234,
      requests: REQUESTS,
    });
  });

  it('knows when every row that was tried was denied', () => {
    const totals = new Totals();
    equal(totals.isAllRefused, false);
    totals.add(failed('no', 'UNAUTHORIZED'));
    equal(totals.isAllRefused, true);
    totals.add(done('unchanged'));
    equal(totals.isAllRefused, false);
  });
});

describe('describeSummary', () => {
  it('is one line for people', () => {
    const summary = summaryOf([done('copied', { bytes: 2.5e6, mountedBytes: 999 }), failed('no')]);

    equal(
      describeSummary(summary),
      '2 rows: 1 copied, 0 unchanged, 1 failed; 2.5 MB moved, 999 B saved by mounts; 7 requests (3 source, 4 target); 1.2 s',
    );
  });

  it('says what is out of the ordinary only where it is', () => {
    const line = describeSummary(
      summaryOf([done('would-copy'), done('unchanged', { moved: true })], 9),
    );

    match(
      line,
      /: 0 copied, 1 unchanged, 1 would be copied, 0 failed, 7 not started, 1 moved since/,
    );
  });
});

describe('formatBytes', () => {
  for (const [bytes, expected] of [
    [0, '0 B'],
    [1, '1 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [1500, '1.5 kB'],
    [999_940, '999.9 kB'],
    [999_960, '1.0 MB'],
    [1e6, '1.0 MB'],
    [123_456_789, '123.5 MB'],
    [1e9, '1.0 GB'],
    [1e12, '1.0 TB'],
    [5e15, '5000.0 TB'],
  ] as const) {
    it(`writes ${bytes} as ${expected}`, () => {
      equal(formatBytes(bytes), expected);
    });
  }
});

async function written(
  outcomes: readonly TagOutcome[],
  secrets: Secrets = new Secrets(),
): Promise<string[]> {
  await using dir = await tempDir();
  const results = await createResults(join(dir.path, 'new/results.csv'), secrets);
  for (const outcome of outcomes) await results.write(outcome);
  await results.close();
  return (await readFile(join(dir.path, 'new/results.csv'), 'utf8')).split('\r\n');
}

describe('results.csv', () => {
  it('has a row per outcome', async () => {
    deepEqual(await written([done('copied', { bytes: 7 }), failed('r.test: gone')]), [
      'namespace,repo_name,name,digest,target,status,bytes,elapsed_ms,error',
      `acme,team/web,1.0,${D},t.test/mirror/web:1.0-eu,copied,7,13,`,
      `acme,team/web,1.0,${D},t.test/mirror/web:1.0-eu,failed,0,13,r.test: gone`,
      '',
    ]);
  });

  it('quotes what needs it, and keeps an error on its line', async () => {
    const [, row = ''] = await written([failed('said "no",\n  then\r\nnothing')]);

    match(row, /,"said ""no"", then nothing"$/);
  });

  it('hides the secrets of the run, and tokens of any kind', async () => {
    const secrets = new Secrets();
    secrets.add('hunter2+x');

    const rows = await written(
      [failed('sent hunter2+x'), failed('sent hunter2%2Bx'), failed('Bearer abcdefgh0123')],
      secrets,
    );

    deepEqual(
      rows.slice(1, 4).map((row) => row.split(',').at(-1)),
      ['sent ***', 'sent ***', 'Bearer ***'],
    );
  });
});

describe('a results file and the disk', () => {
  it('writes many rows, without a warning, as fast as the disk takes them', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): unknown => warnings.push(warning);
    process.on('warning', note);

    const rows = await written(Array.from({ length: 5000 }, () => done('unchanged')));
    await new Promise((resolve) => setImmediate(resolve));

    process.off('warning', note);
    deepEqual([rows.length, warnings], [5002, []]);
  });

  it('is there, with its header, before the first row is done', async () => {
    await using dir = await tempDir();
    const results = await createResults(join(dir.path, 'results.csv'), new Secrets());
    await results.write(done('copied'));

    deepEqual(await readdir(dir.path), ['results.csv']);
    await results.close();
  });

  it('takes all rows when the disk is full, and fails at the end', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'results.csv');
    await symlink('/dev/full', path);
    const results = await createResults(path, new Secrets());

    for (let n = 0; n < 1000; n += 1) await results.write(done('copied'));

    await rejects(results.close(), {
      code: 'USAGE',
      message: `can't write ${path}: the disk is full`,
    });
  });

  it('fails at the end whatever the moment at which the disk said it', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'results.csv');
    await symlink('/dev/full', path);

    for (let ticks = 0; ticks < 40; ticks += 1) {
      const results = await createResults(path, new Secrets());
      await results.write(done('copied'));
      for (let n = 0; n < ticks; n += 1) await immediate();

      await rejects(results.close(), { code: 'USAGE' }, `after ${ticks} ticks`);
    }
  });

  it('says at once that there can be no file', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'file'), '');

    for (const path of [join(dir.path, 'file/results.csv'), dir.path]) {
      await rejects(createResults(path, new Secrets()), {
        code: 'USAGE',
        message: /^can't write/,
      });
    }
  });
});

describe('writeSummary', () => {
  it('writes JSON, into a directory that need not exist, and nothing else', async () => {
    await using dir = await tempDir();
    const summary = summaryOf([done('copied')]);

    await writeSummary(join(dir.path, 'a/summary.json'), summary);

    deepEqual(JSON.parse(await readFile(join(dir.path, 'a/summary.json'), 'utf8')), summary);
    deepEqual(await readdir(join(dir.path, 'a')), ['summary.json']);
  });

  it('says why it can not', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'file'), '');

    await rejects(writeSummary(join(dir.path, 'file/s.json'), summaryOf([])), {
      code: 'USAGE',
      message: /file\/s\.json: a part of the path is no directory$/,
    });
  });
});

describe('the pulls that are left', () => {
  const pullLimit = { limit: 100, remaining: 7, windowSeconds: 21_600 };
  const withLimits = (source?: object, target?: object): Summary =>
    new Totals().summary({
      rows: 0,
      elapsedMs: 0,
      requests: { source: { ...TRAFFIC, ...source }, target: { ...TRAFFIC, ...target } },
    });

  it('are said of each side that counts them', () => {
    const window = { limit: 200, remaining: 0, windowSeconds: 0 };

    match(
      describeSummary(withLimits({ pullLimit })),
      /; 7 of 100 pulls per 6 h left at the source; /,
    );
    match(
      describeSummary(withLimits({ pullLimit }, { pullLimit: window })),
      /; 7 of 100 pulls per 6 h left at the source; 0 of 200 pulls left at the target; /,
    );
  });

  it('are said with the hours as they are', () => {
    const short = { ...pullLimit, windowSeconds: 5400 };

    match(describeSummary(withLimits({ pullLimit: short })), /7 of 100 pulls per 1\.5 h left/);
  });

  it('are not said where nobody counts', () => {
    equal(/pulls/.test(describeSummary(withLimits())), false);
  });

  it('are in the summary for machines', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'summary.json');

    await writeSummary(path, withLimits({ pullLimit }));

    const { requests } = JSON.parse(await readFile(path, 'utf8')) as Summary;
    deepEqual(requests, { source: { ...TRAFFIC, pullLimit }, target: TRAFFIC });
  });
});
