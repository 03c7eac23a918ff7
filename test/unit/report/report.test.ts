import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { STATES } from '../../../src/report/payload.ts';
import { makeReport, type Report } from '../../../src/report/report.ts';
import { textReport } from '../../../src/report/text-report.ts';
import { digest, NOW, reportOf, rowsOf, writeWorkdir } from '../../support/report-workdir.ts';
import { tempDir } from '../../support/temp-dir.ts';

const tag = (name: string, path = 'acme/web') => ({ path, name });
const statesOf = ({ states, workdir: { rows } }: Report): Record<string, string> =>
  Object.fromEntries(Array.from(states, (state, row) => [rows.nameOf(row), STATES[state] ?? '']));

describe('the state of a tag', () => {
  it('is what the sync says of it', async () => {
    const report = await reportOf({
      tags: ['1', '2', '3', '4', '5'].map((name) => tag(name)),
      results: [
        { ...tag('1'), status: 'copied' },
        { ...tag('2'), status: 'unchanged' },
        { ...tag('3'), status: 'failed', error: 'no' },
        { ...tag('4'), status: 'would-copy' },
      ],
    });

    deepEqual(statesOf(report), {
      1: 'there',
      2: 'there',
      3: 'failed',
      4: 'would-copy',
      5: 'no-result',
    });
  });

  it('is what verify says where it has looked; the failure that explains it stays', async () => {
    const all = rowsOf(
      ['1', '2', '3', '4'].map((name) => tag(name)),
      () => ({ status: 'copied' }),
    );
    const report = await reportOf({
      tags: [...all, tag('5')],
      results: [
        ...all.slice(0, 3),
        { ...tag('4'), status: 'failed', error: 'no' },
        { ...tag('5'), status: 'failed', error: 'no' },
      ],
      verdicts: [
        { ...tag('1'), status: 'missing' },
        { ...tag('2'), status: 'differs', found: digest('other') },
        { ...tag('4'), status: 'missing' },
        { ...tag('5'), status: 'ok' },
      ],
    });

    deepEqual(statesOf(report), {
      1: 'missing',
      2: 'differs',
      3: 'there',
      4: 'failed',
      5: 'there',
    });
    equal(report.totals.failures, 2);
    equal(report.totals.failedYetThere, 1);
    equal(report.totals.failed, 1);
    match(textReport(report), /acme\/web:2: differs\n/);
  });
});

describe('totals', () => {
  it('are of tags, repositories, bytes and images, each digest once', async () => {
    const same = { digest: digest('same') };
    const report = await reportOf({
      repositories: ['acme/web', 'acme/empty'],
      tags: [{ ...tag('1'), ...same }, { ...tag('2'), ...same }, tag('1', 'acme/api')],
      results: [
        { ...tag('1'), ...same, status: 'copied', bytes: 100 },
        { ...tag('2'), ...same, status: 'copied', bytes: 11 },
        { ...tag('9'), status: 'failed', error: 'gone' },
      ],
      verdicts: [
        { ...tag('1'), ...same, status: 'ok', size: 1000 },
        { ...tag('2'), ...same, status: 'ok', size: 1000 },
        { ...tag('1', 'acme/api'), status: 'ok', size: 5 },
      ],
    });

    const { totals } = report;
    deepEqual(
      [totals.repositories, totals.tags, totals.notInTags, totals.bytesMoved, totals.failures],
      [3, 3, 1, 111, 0],
    );
    deepEqual([totals.images, totals.imageBytes], [2, 1005]);
    deepEqual(
      report.repositories.map(({ path, tags, there, wrong, size }) => [
        path,
        tags,
        there,
        wrong,
        size,
      ]),
      [
        ['acme/api', 1, 1, 0, 5],
        ['acme/empty', 0, 0, 0, -1],
        ['acme/web', 2, 2, 0, 2000],
      ],
    );
  });

  it('have a band for each age, and say how many have none', async () => {
    const report = await reportOf({
      tags: [
        { ...tag('1'), updated: '2026-11-20T23:00:00Z' },
        { ...tag('2'), updated: '2026-11-15 10:00:00.123456+00:00' },
        { ...tag('3'), updated: 'yesterday' },
      ],
    });

    deepEqual(
      report.ages.bands.filter(({ count }) => count > 0),
      [
        { label: 'up to a day', count: 1 },
        { label: 'up to a week', count: 1 },
      ],
    );
    equal(report.ages.unknown, 1);
  });
});

describe('notes', () => {
  it('say which files and records are missing', async () => {
    const { notes } = await reportOf({ tags: [tag('1')] });

    deepEqual(
      notes.map((note) => note.split(':')[0]),
      [
        'repositories.csv is missing',
        'results.csv is missing',
        'verify.csv is missing',
        'crawl.json is missing',
      ],
    );
  });

  it('tell of a record that is damaged, and the report goes on', async () => {
    await using dir = await tempDir();
    const workdir = await writeWorkdir(dir.path, { tags: [tag('1')] });
    await writeFile(join(workdir, 'crawl.json'), '{"command":"crawl"');

    const report = await makeReport({
      workdir,
      version: '0',
      now: NOW,
      hide: (text: string) => text,
      signal: new AbortController().signal,
    });

    equal(report.totals.tags, 1);
    match(report.notes[0] ?? '', /crawl\.json: is no record of a crawl/);
  });

  it('speak of a sync only where there was one', async () => {
    const noteOf = async (content: Parameters<typeof reportOf>[0]): Promise<string | undefined> => {
      const { notes } = await reportOf(content);
      return notes.find((note) => note.startsWith('verify.csv'));
    };

    match((await noteOf({ tags: [tag('1')] })) ?? '', /nobody has looked at the target \(/);
    match((await noteOf({ tags: [tag('1')], results: [] })) ?? '', /the target after the sync \(/);
  });

  it('say of a joined crawl that a shard is missing, and nothing else', async () => {
    const joined = {
      command: 'crawl',
      state: 'partial',
      joinedFrom: 2,
      message: 'joined from 2 shards; missing: shard 1/3',
    } as const;
    const { notes } = await reportOf({ tags: [tag('1')], records: [joined] });

    ok(
      notes.includes('the crawl is not complete: joined from 2 shards; missing: shard 1/3'),
      notes.join('\n'),
    );
  });
});

describe('notes of records', () => {
  it('take of a record that was edited what is as it should be', async () => {
    const edited = {
      command: 'crawl',
      message: { no: 1 },
      run: 5,
      counts: { tags: 'x', failed: 2 },
    };
    const report = await reportOf({ tags: [tag('1')], records: [edited as never] });

    const { run, counts, message } = report.workdir.records.crawl ?? {};
    deepEqual([run, counts, message], ['unknown', { failed: 2 }, undefined]);
    match(textReport(report), /crawl {3}complete/);
  });
});

describe('a file that is damaged', () => {
  const content = {
    repositories: ['acme/web'],
    tags: [tag('1')],
    results: [
      { ...tag('1'), status: 'copied' },
      { ...tag('new'), status: 'copied' },
    ],
    verdicts: [{ ...tag('1'), status: 'missing' }],
    repairs: [{ ...tag('1'), status: 'copied' }],
    pruned: [{ ...tag('old'), status: 'deleted' }],
  };
  const NAMES = [
    'repositories.csv',
    'results.csv',
    'verify.csv',
    'repair-results.csv',
    'prune-results.csv',
  ] as const;

  async function damaged(names: readonly string[]): Promise<Report> {
    await using dir = await tempDir();
    const workdir = await writeWorkdir(dir.path, content);
    for (const name of names) await appendFile(join(workdir, name), 'a,b c,d\r\na,b c,d\r\n');
    const settings = { workdir, version: '0', now: NOW, hide: (text: string) => text };
    return await makeReport({ ...settings, signal: new AbortController().signal });
  }

  for (const name of NAMES) {
    it(`is left out as a whole, with a note: ${name}`, async () => {
      const { notes, workdir } = await damaged([name]);

      const [note = ''] = notes;
      match(note, new RegExp(`/${name}: line \\d: .*: ${name} is left out$`));
      ok(!notes.some((text) => text.startsWith(`${name} is missing`)), notes.join('\n'));
      equal(workdir.files.has(name), false);
      equal(workdir.files.size, NAMES.length);
    });
  }

  it('leaves nothing of what was read before its mistake', async () => {
    const report = await damaged(['results.csv', 'verify.csv', 'repair-results.csv']);

    deepEqual(statesOf(report), { 1: 'no-result' });
  });

  it('is an error where it is tags.csv', async () => {
    await rejects(damaged(['tags.csv']), { code: 'USAGE', message: /tags\.csv: line 3: / });
  });
});

describe('notes of runs', () => {
  for (const [what, record, note] of [
    [
      'was killed',
      { command: 'sync', state: 'running' },
      /^the sync has not ended: it was killed, or still runs/,
    ],
    [
      'is in part',
      { command: 'crawl', state: 'partial', message: '2 repositories could not be read' },
      /^the crawl is incomplete.*: 2 repositories/,
    ],
    [
      'was of a shard',
      { command: 'sync', shard: '1/3' },
      /^the sync was shard 1\/3: tags of others have no result here/,
    ],
    [
      'counts otherwise',
      { command: 'crawl', counts: { tags: 7 } },
      /^crawl\.json counts 7 tags, and tags\.csv has 1/,
    ],
  ] as const) {
    it(`tell of a run that ${what}`, async () => {
      const { notes } = await reportOf({ tags: [tag('1')], results: [], records: [record] });

      ok(
        notes.some((text) => note.test(text)),
        notes.join('\n'),
      );
    });
  }
});

describe('a report', () => {
  it('is not made of a directory that has nothing of ours', async () => {
    await rejects(reportOf({}), { code: 'USAGE', message: /has neither repositories\.csv/ });
  });

  it('hides secrets and what turns the direction of text', async () => {
    const text = textReport(
      await reportOf({
        tags: [tag('1')],
        results: [{ ...tag('1'), status: 'failed', error: 'password hunter2 \u202egpj.exe' }],
      }),
    );

    match(text, /acme\/web:1: password \*\*\* \ufffdgpj\.exe/);
  });

  it('as text names the first twenty of a kind and counts the rest', async () => {
    const rows = Array.from({ length: 50 }, (_, n) => tag(`v${n}`));
    const text = textReport(
      await reportOf({
        tags: [...rows, tag('left')],
        results: rowsOf(rows, () => ({ status: 'failed', error: 'denied' })),
      }),
    );

    match(text, /Failed \(50\):\n {2}acme\/web:v0: denied\n/);
    equal(text.match(/:v\d+: denied\n/g)?.length, 20);
    match(text, / {2}and 30 more\n/);
    match(text, /Not started, or left out \(1\):\n {2}acme\/web:left\n/);
  });
});

describe('a report of a directory that was pruned', () => {
  const pruned = [
    { ...tag('v1', 'mirror/web'), status: 'deleted' },
    { ...tag('v2', 'mirror/web'), status: 'deleted' },
    { ...tag('v3', 'mirror/web'), status: 'failed', error: '403 hunter2' },
    { ...tag('v4', 'mirror/web'), status: 'kept' },
  ];

  it('says what was deleted, and what was not', async () => {
    const text = textReport(
      await reportOf({
        tags: [tag('1')],
        pruned,
        records: [{ command: 'prune', state: 'partial', counts: { deleted: 2 } }],
      }),
    );

    match(text, / {2}prune {3}partial/);
    match(
      text,
      /\nPruned at the target: 2 deleted, 1 kept, as their images are needed, 1 failed\n {2}failed mirror\/web:v3: 403 \*\*\*\n {2}deleted mirror\/web:v1\n {2}deleted mirror\/web:v2\n/,
    );
  });

  it('does not say that what went from the source is still at the target', async () => {
    const before = {
      tags: [tag('1'), tag('gone')],
      records: [{ command: 'crawl', startedAt: '2026-11-20T03:00:00Z' }],
    } as const;
    const now = { tags: [tag('1')], records: [{ command: 'crawl' }] } as const;

    match(
      textReport(await reportOf({ ...now, pruned }, before)),
      /went from the source: sync leaves them at the target, prune deletes them there, and has deleted 2 tags\n/,
    );
    match(textReport(await reportOf(now, before)), /prune deletes them there\n/);
  });

  it('says that the rows are not of the last prune, which made a plan only', async () => {
    const { notes } = await reportOf({
      tags: [tag('1')],
      pruned,
      records: [{ command: 'prune', counts: { planned: 4 } }],
    });

    ok(notes.some((note) => note.startsWith('prune-results.csv is of an earlier prune')));
  });
});

describe('a report of two runs', () => {
  it('says what came, went and moved since the run before', async () => {
    const before = {
      tags: [tag('same'), tag('gone'), { ...tag('moved'), digest: digest('old') }],
      results: [{ ...tag('same'), status: 'failed', error: 'x' }],
      records: [{ command: 'crawl', startedAt: '2026-11-20T03:00:00Z' }],
    } as const;
    const report = await reportOf(
      { tags: [tag('same'), tag('new'), tag('moved')], records: [{ command: 'crawl' }] },
      before,
    );

    deepEqual(report.previous?.changes, { new: 1, moved: 1, gone: 1 });
    equal(report.previous?.totals.failed, 1);
    equal(report.totals.tags, 3);
    match(textReport(report), /1 tag came, 1 went, 1 moved to another digest/);
  });

  it('compares nothing where the crawl has left no tags.csv', async () => {
    const report = await reportOf({ results: [] }, { tags: [tag('1')] });

    deepEqual(report.previous?.changes, { new: 0, moved: 0, gone: 0 });
  });

  it('is made all the same where the earlier run that was found is damaged', async () => {
    await using dir = await tempDir();
    const records = [{ command: 'crawl', startedAt: '2026-11-20T03:00:00Z' }] as const;
    const before = await writeWorkdir(join(dir.path, 'before'), { tags: [tag('1')], records });
    await writeFile(join(before, 'tags.csv'), 'nonsense');
    const workdir = await writeWorkdir(join(dir.path, 'now'), { tags: [tag('1')] });
    const settings = { workdir, version: '0', now: NOW, hide: (text: string) => text };
    const { signal } = new AbortController();

    const report = await makeReport({ ...settings, previous: dir.path, signal });

    match(report.notes[0] ?? '', /^the earlier run can't be compared: .*before\/tags\.csv: line 1/);
    await rejects(makeReport({ ...settings, previous: before, signal }), { code: 'USAGE' });
  });

  it('takes the newest earlier run of a directory of runs, never a newer one', async () => {
    await using dir = await tempDir();
    for (const day of ['19', '20', '21', '22']) {
      await writeWorkdir(join(dir.path, day), {
        tags: [tag('1')],
        records: [{ command: 'crawl', startedAt: `2026-11-${day}T03:00:00Z` }],
      });
    }
    await mkdir(join(dir.path, 'lost+found'));
    const settings = { version: '0', now: NOW, hide: (text: string) => text };
    const { signal } = new AbortController();
    const previousOf = async (day: string): Promise<string | undefined> => {
      const workdir = join(dir.path, day);
      const report = await makeReport({ ...settings, workdir, previous: dir.path, signal });
      return report.previous?.path;
    };

    equal(await previousOf('21'), join(dir.path, '20'));
    equal(await previousOf('19'), undefined);
  });
});
