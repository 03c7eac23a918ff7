import { deepEqual, equal, match, throws } from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { checkCrawl } from '../../../src/audit/prune-checks.ts';
import { readRunId } from '../../../src/cli/options/observe.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { mergeWorkdirs } from '../../../src/report/merge.ts';
import { runsApart } from '../../../src/report/merge-runs.ts';
import { readRecord, type RunRecord } from '../../../src/sync/run-record.ts';
import { record, writeWorkdir } from '../../support/report-workdir.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** A shard's crawl: its run, and when it began. */
function part(index: number, run: string, startedAt: string): RunRecord {
  const endedAt = new Date(Date.parse(startedAt) + 60_000).toISOString();
  return record({ command: 'crawl', shard: `${index}/3`, run, startedAt, endedAt });
}

const madeUp = (time: string): string => readRunId(undefined, Date.parse(time));

describe('shards', () => {
  it('are of one run where they share its id', () => {
    const run = 'nightly-29385348';

    deepEqual(
      runsApart('crawl', [
        part(0, run, '2026-11-21T03:00:00Z'),
        part(1, run, '2026-11-21T15:00:00Z'), // waited for a place on a node
      ]),
      [],
    );
  });

  it('are of one run where they were run by hand, one after the other', () => {
    const times = ['2026-11-21T03:00:00Z', '2026-11-21T05:00:00Z', '2026-11-21T08:59:00Z'];

    deepEqual(
      runsApart(
        'crawl',
        times.map((time, index) => part(index, madeUp(time), time)),
      ),
      [],
    );
  });

  it('are of different runs where their ids were given and differ', () => {
    const [gap = '', ...more] = runsApart('crawl', [
      part(0, 'nightly-1', '2026-11-21T03:00:00Z'),
      part(1, 'nightly-2', '2026-11-21T03:00:01Z'),
      part(2, 'nightly-2', '2026-11-21T03:00:01Z'),
    ]);

    match(
      gap,
      /^the crawl of shard 0\/3 is of run nightly-1, that of shard 1\/3 of run nightly-2:/,
    );
    deepEqual(more, []);
  });

  it('are of different runs where they began long after each other', () => {
    const times = ['2026-11-21T03:00:00Z', '2026-11-21T09:00:01Z'] as const;
    const [gap = ''] = runsApart(
      'crawl',
      times.map((time, index) => part(index, madeUp(time), time)),
    );
    const [sameId = ''] = runsApart('crawl', [
      part(0, 'nightly', '2026-10-01T03:00:00Z'),
      part(1, 'nightly', '2026-11-21T03:00:00Z'),
    ]);

    match(gap, /shard 0\/3 began at 2026-11-21 03:00:00 UTC, .* more than 6 hours apart/);
    match(sameId, /2026-10-01 .*, that of shard 1\/3 at 2026-11-21 .* more than 24 hours apart/);
  });
});

describe('a list that is joined of an old shard and new ones', () => {
  const OLD = '2026-10-01T03:00:00Z';
  const NEW = '2026-11-21T03:00:00Z';

  async function joined(runs: readonly string[]): Promise<RunRecord | undefined> {
    await using dir = await tempDir();
    const parts = await Promise.all(
      runs.map((run, index) =>
        writeWorkdir(join(dir.path, `shard-${index}`), {
          tags: [{ path: `acme/app-${index}`, name: '1' }],
          records: [part(index, run, index === 0 ? OLD : NEW)],
        }),
      ),
    );
    const workdir = join(dir.path, 'all');
    await mergeWorkdirs(parts, workdir, new AbortController().signal);
    return await readRecord(workdir, 'crawl');
  }

  for (const [ids, runs] of [
    ['made up', [madeUp(OLD), madeUp(NEW), madeUp(NEW)]],
    ['given', ['october', 'today', 'today']],
    ['the same every night', ['nightly', 'nightly', 'nightly']],
  ] as const) {
    it(`is never whole, and as old as the old one: ids ${ids}`, async () => {
      const found = await joined(runs);

      equal(found?.state, 'partial');
      match(found?.message ?? '', /^joined from 3 shards; the crawl of shard 0\/3 /);
      equal(Date.parse(found?.endedAt ?? ''), Date.parse(OLD) + 60_000);
    });
  }

  it('is too old for prune even if its record were taken for whole', async () => {
    const found = await joined([madeUp(OLD), madeUp(NEW), madeUp(NEW)]);
    const now = Date.parse(NEW) + 3_600_000;
    const list = {
      path: 'tags.csv',
      digest: digestOf(Buffer.from('list')),
      rows: 3,
      writtenAt: now,
    };
    const check = (): void =>
      checkCrawl({
        path: 'crawl.json',
        record: found && { ...found, state: 'complete' },
        list,
        source: 's.test',
        shard: undefined,
        maxAgeMs: 24 * 3_600_000,
        now,
      });

    throws(check, {
      message: /the last crawl began at 2026-10-01T03:00:00Z, longer ago than/,
    });
  });
});
