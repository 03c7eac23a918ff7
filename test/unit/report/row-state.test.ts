import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { STATES } from '../../../src/report/payload.ts';
import type { Report } from '../../../src/report/report.ts';
import { textReport } from '../../../src/report/text-report.ts';
import type { RunRecord } from '../../../src/sync/run-record.ts';
import { digest, reportOf, rowsOf } from '../../support/report-workdir.ts';

const tag = (name: string) => ({ path: 'acme/web', name });
const statesOf = ({ states, workdir: { rows } }: Report): Record<string, string> =>
  Object.fromEntries(Array.from(states, (state, row) => [rows.nameOf(row), STATES[state] ?? '']));

/** Records of runs in the order of their words, an hour apart. */
function inOrder(commands: readonly RunRecord['command'][]): Partial<RunRecord>[] {
  return commands.map((command, hour) => ({ command, startedAt: `2026-11-21T0${hour}:00:00Z` }));
}

const FOUND = ['ok', 'missing', 'differs', 'damaged', 'failed'] as const;

/** A tag for each thing that verify can say, all with the same outcome of a sync (or repair). */
async function after(
  outcome: string,
  records: readonly Partial<RunRecord>[],
  file: 'results' | 'repairs' = 'results',
): Promise<Record<string, string>> {
  const tags = FOUND.map((name) => tag(name));
  return statesOf(
    await reportOf({
      tags,
      verdicts: tags.map((one) => ({ ...one, status: one.name })),
      [file]: rowsOf(tags, () => ({ status: outcome, error: outcome === 'failed' ? 'no' : '' })),
      records,
    }),
  );
}

describe('what verify found', () => {
  it('stays where nobody has done anything since', async () => {
    const records = inOrder(['sync', 'verify']);

    deepEqual(await after('copied', records), { ...asFound(), ok: 'there' });
    deepEqual(await after('failed', records), {
      ok: 'there',
      missing: 'failed',
      differs: 'failed',
      damaged: 'damaged',
      failed: 'failed',
    });
  });

  for (const outcome of ['copied', 'unchanged']) {
    it(`is mended by a newer sync that says ${outcome}, but for damage`, async () => {
      deepEqual(await after(outcome, inOrder(['verify', 'sync'])), {
        ok: 'there',
        missing: 'there',
        differs: 'there',
        damaged: 'damaged',
        failed: 'there',
      });
    });
  }

  it('stays where a newer sync failed, and what was well is not any more', async () => {
    deepEqual(await after('failed', inOrder(['verify', 'sync'])), {
      ok: 'failed',
      missing: 'failed',
      differs: 'failed',
      damaged: 'damaged',
      failed: 'failed',
    });
  });

  it('is nothing that rows of a dry run end', async () => {
    const states = await after('would-copy', inOrder(['verify', 'sync']));

    const { missing, differs, damaged } = states;
    deepEqual([missing, differs, damaged], ['missing', 'differs', 'damaged']);
  });

  it('is ended by a repair, which has looked, and not by one that failed', async () => {
    const records = inOrder(['verify', 'repair']);

    deepEqual(
      new Set(Object.values(await after('copied', records, 'repairs'))),
      new Set(['there']),
    );
    deepEqual(await after('failed', records, 'repairs'), {
      ok: 'failed',
      missing: 'failed',
      differs: 'failed',
      damaged: 'damaged',
      failed: 'failed',
    });
  });

  it('counts again where verify has looked after the repair', async () => {
    const states = await after('copied', inOrder(['repair', 'verify']), 'repairs');

    deepEqual(states, { ...asFound(), ok: 'there' });
  });
});

function asFound(): Record<string, string> {
  return Object.fromEntries(FOUND.map((name) => [name, name]));
}

describe('what was said of another digest', () => {
  it('by a sync that is older than the crawl, is nothing', async () => {
    const report = await reportOf({
      tags: [tag('1'), tag('2')],
      results: [
        { ...tag('1'), status: 'copied', digest: digest('old') },
        { ...tag('2'), status: 'copied' },
      ],
      records: inOrder(['sync', 'crawl']),
    });

    deepEqual(statesOf(report), { 1: 'no-result', 2: 'there' });
  });

  it('by verify, is nothing, and told', async () => {
    const report = await reportOf({
      tags: [tag('1'), tag('2')],
      verdicts: [
        { ...tag('1'), status: 'ok', digest: digest('old') },
        { ...tag('2'), status: 'ok' },
      ],
    });

    deepEqual(statesOf(report), { 1: 'no-result', 2: 'there' });
    equal(report.totals.verified, 1);
    ok(report.notes.some((note) => note.startsWith('1 row of verify.csv is of another digest')));
  });

  it('by a repair, mends nothing', async () => {
    const report = await reportOf({
      tags: [tag('1')],
      verdicts: [{ ...tag('1'), status: 'damaged' }],
      repairs: [{ ...tag('1'), status: 'copied', digest: digest('old') }],
      records: inOrder(['verify', 'repair']),
    });

    deepEqual(statesOf(report), { 1: 'damaged' });
  });
});

describe('images that are not in tags.csv', () => {
  it('are a state and a line of their own, and in no other total', async () => {
    const before = {
      tags: [tag('1'), tag('gone')],
      records: [{ command: 'crawl', startedAt: '2026-11-20T03:00:00Z' }],
    } as const;
    const report = await reportOf(
      {
        tags: [tag('1')],
        results: [
          { ...tag('1'), status: 'copied' },
          { ...tag('gone'), status: 'failed', error: 'denied', bytes: 7 },
        ],
        records: [{ command: 'crawl' }],
      },
      before,
    );

    const { totals } = report;
    deepEqual(
      [totals.repositories, totals.tags, totals.there, totals.failed, totals.failures],
      [1, 1, 1, 0, 0],
    );
    deepEqual([totals.notInTags, totals.bytesMoved, report.ages.unknown], [1, 0, 1]);
    const text = textReport(report);
    match(text, /1 tag in 1 repository; 0 B moved/);
    match(text, / {2}1 {2}not in tags\.csv \(besides those above\)\n/);
    match(text, /Not in tags\.csv \(1\):\n {2}acme\/web:gone: failed: denied\n/);
    match(text, /: 0 tags came, 1 went, .*\n.*\n {2}then: 2 tags, .*\n {2}now: {2}1 tag, /);
    doesNotMatch(text, /Failed \(/);
  });

  it('are all that there is where tags.csv is missing', async () => {
    const report = await reportOf({ results: [{ ...tag('1'), status: 'copied' }] });

    deepEqual(statesOf(report), { 1: 'there' });
    equal(report.totals.notInTags, 0);
  });
});

describe('what is at the target', () => {
  it('is put down to those who brought or saw it', async () => {
    const tags = ['1', '2', '3', '4'].map((name) => tag(name));
    const text = textReport(
      await reportOf({
        tags,
        results: [
          { ...tag('1'), status: 'copied' },
          { ...tag('2'), status: 'unchanged' },
          { ...tag('3'), status: 'unchanged' },
        ],
        verdicts: [
          { ...tag('3'), status: 'damaged' },
          { ...tag('4'), status: 'ok' },
        ],
        repairs: [{ ...tag('3'), status: 'copied' }],
        records: inOrder(['sync', 'verify', 'repair']),
      }),
    );

    match(
      text,
      / {2}4 {2}at the target \(1 copied, 1 unchanged, 1 repaired, 1 by verify\.csv alone\)/,
    );
    match(text, / {2}repair {2}complete/);
    match(text, / {2}- there has been a repair since verify: 1 image repaired, 0 failed\n/);
  });
});
