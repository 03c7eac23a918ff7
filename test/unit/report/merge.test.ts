import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { mergeWorkdirs } from '../../../src/report/merge.ts';
import { createMapping } from '../../../src/sync/mapping.ts';
import { openRows } from '../../../src/sync/rows.ts';
import { readRecord } from '../../../src/sync/run-record.ts';
import { collect } from '../../support/collect.ts';
import {
  rowsOf,
  shardOf,
  writeWorkdir,
  type WorkdirContent,
} from '../../support/report-workdir.ts';
import { tempDir } from '../../support/temp-dir.ts';

const { signal } = new AbortController();

const PATHS = Array.from({ length: 40 }, (_, n) => `acme/${n % 3 === 0 ? 'sub/' : ''}app-${n}`);
const TAGS = PATHS.flatMap((path) => ['v1.10', 'v1.9', 'latest'].map((name) => ({ path, name })));

/** One crawl, one sync and one verify of everything. */
const WHOLE: WorkdirContent = {
  repositories: PATHS,
  tags: TAGS,
  results: rowsOf(TAGS.toReversed(), (n) => ({
    status: n % 10 === 0 ? 'failed' : 'copied',
    bytes: n,
    error: n % 10 === 0 ? 'denied, "really"' : '',
  })),
  verdicts: rowsOf(TAGS, () => ({ status: 'ok', size: 10 })),
  records: [
    { command: 'crawl', source: 's.test', counts: { tags: 1, repositories: 2 } },
    { command: 'sync', source: 's.test', target: 't.test', counts: { copied: 3 } },
  ],
};

const CSVS = ['repositories.csv', 'tags.csv', 'results.csv', 'verify.csv'];

async function shards(root: string, of: number, all = WHOLE): Promise<string[]> {
  return Promise.all(
    Array.from({ length: of }, (_, index) =>
      writeWorkdir(join(root, `shard-${index}`), shardOf(all, index, of)),
    ),
  );
}

function textsIn(dir: string): Promise<string[]> {
  return Promise.all(CSVS.map((name) => readFile(join(dir, name), 'utf8')));
}

describe('shards joined', () => {
  it('are the same bytes, of 1, 3 or 16 of them, in any order', async () => {
    await using dir = await tempDir();
    const results: string[][] = [];
    for (const of of [1, 3, 16]) {
      const parts = await shards(join(dir.path, `of-${of}`), of);
      for (const [at, order] of [parts, parts.toReversed()].entries()) {
        const workdir = join(dir.path, `joined-${of}-${at}`);
        deepEqual(await mergeWorkdirs(order, workdir, signal), []);
        results.push(await textsIn(workdir));
      }
    }

    const [first = []] = results;
    for (const one of results) deepEqual(one, first);
    const [repositories = '', tags = '', verdicts = ''] = first;
    equal(repositories.split('\r\n').length, PATHS.length + 2);
    equal(tags.split('\r\n').length, TAGS.length + 2);
    ok(verdicts.includes('"denied, ""really"""'));
  });

  it('are rows in the order of their repositories and tags', async () => {
    await using dir = await tempDir();
    const workdir = join(dir.path, 'joined');
    await mergeWorkdirs(await shards(dir.path, 3), workdir, signal);

    const [, tags = ''] = await textsIn(workdir);
    const names = tags
      .split('\r\n')
      .slice(1, -1)
      .map((line) => line.split(',').slice(0, 3).join('/'));
    deepEqual(names.slice(0, 3), ['acme/app-1/latest', 'acme/app-1/v1.10', 'acme/app-1/v1.9']);
    deepEqual(names, names.toSorted());
  });

  it('are a workdir that a sync reads', async () => {
    await using dir = await tempDir();
    const workdir = join(dir.path, 'joined');
    await mergeWorkdirs(await shards(dir.path, 3), workdir, signal);

    const map = createMapping({
      source: 's.test',
      target: 't.test',
      targetPath: 'keep',
      appendSuffix: '',
    });
    await using rows = await openRows({ path: join(workdir, 'tags.csv'), map });
    equal((await collect(rows.rows())).length, TAGS.length);
  });
});

describe('the record of joined shards', () => {
  it('has sums, the first start, and is as old as its oldest part', async () => {
    await using dir = await tempDir();
    const workdir = join(dir.path, 'joined');
    const parts = await Promise.all(
      [0, 1].map((index) =>
        writeWorkdir(join(dir.path, `${index}`), {
          tags: [],
          records: [
            {
              command: 'crawl',
              shard: `${index}/2`,
              source: 's.test',
              startedAt: `2026-11-21T03:0${5 - index}:00Z`,
              endedAt: `2026-11-21T03:1${5 - index}:00Z`,
              counts: { tags: 10 + index },
            },
          ],
        }),
      ),
    );

    await mergeWorkdirs(parts, workdir, signal);

    deepEqual(await readRecord(workdir, 'crawl'), {
      command: 'crawl',
      run: 'run-1',
      version: '0.1.0',
      state: 'complete',
      startedAt: '2026-11-21T03:04:00Z',
      endedAt: '2026-11-21T03:14:00Z',
      source: 's.test',
      joinedFrom: 2,
      message: 'joined from 2 shards',
      counts: { tags: 21 },
    });
    equal(await readRecord(workdir, 'sync'), undefined);
  });

  it('is not made where there are results alone, as files', async () => {
    await using dir = await tempDir();
    const parts = await shards(dir.path, 2);
    const files = await Promise.all(
      parts.map(async (part, at) => {
        const file = join(dir.path, `${at}.csv`);
        await copyFile(join(part, 'results.csv'), file);
        return file;
      }),
    );
    const workdir = join(dir.path, 'joined');

    deepEqual(await mergeWorkdirs(files, workdir, signal), []);

    deepEqual(await readdir(workdir), ['results.csv']);
  });
});

describe('shards with gaps', () => {
  it('are joined, and what is missing is told and recorded', async () => {
    await using dir = await tempDir();
    const [first = '', , third = ''] = await shards(dir.path, 4);
    const workdir = join(dir.path, 'joined');

    const gaps = await mergeWorkdirs([third, first], workdir, signal);

    deepEqual(gaps, ['missing: shard 1/4, shard 3/4']);
    for (const command of ['crawl', 'sync'] as const) {
      const record = await readRecord(workdir, command);
      equal(record?.state, 'partial');
      match(record?.message ?? '', /missing: shard 1\/4, shard 3\/4/);
    }
  });

  for (const [what, change, gap] of [
    [
      'a crawl in part',
      { command: 'crawl', state: 'partial', message: 'no a/b' },
      /^the crawl of shard 1\/2 is incomplete: no a\/b$/,
    ],
    [
      'a crawl that failed',
      { command: 'crawl', state: 'failed' },
      /^the crawl of shard 1\/2 failed$/,
    ],
    [
      'a sync that was killed',
      { command: 'sync', state: 'running' },
      /^the sync of shard 1\/2 has not ended$/,
    ],
  ] as const) {
    it(`are told: ${what}`, async () => {
      await using dir = await tempDir();
      const parts = await shards(dir.path, 2);
      const [, second = ''] = parts;
      await writeWorkdir(second, {
        records: [
          {
            shard: '1/2',
            source: 's.test',
            ...(change.command === 'sync' && { target: 't.test' }),
            ...change,
          },
        ],
      });
      const workdir = join(dir.path, 'joined');

      const gaps = await mergeWorkdirs(parts, workdir, signal);

      equal(gaps.length, 1);
      match(gaps[0] ?? '', gap);
      equal((await readRecord(workdir, change.command))?.state, 'partial');
    });
  }
});

describe('a shard that is not whole', () => {
  it('is whole where images failed: the sync has told it', async () => {
    await using dir = await tempDir();
    const parts = await shards(dir.path, 2);
    await writeWorkdir(parts[1] ?? '', {
      records: [
        {
          command: 'sync',
          state: 'partial',
          shard: '1/2',
          source: 's.test',
          target: 't.test',
          message: '2 failed',
        },
      ],
    });
    const workdir = join(dir.path, 'joined');

    deepEqual(await mergeWorkdirs(parts, workdir, signal), []);

    const record = await readRecord(workdir, 'sync');
    equal(record?.state, 'partial');
    match(record?.message ?? '', /shard 1\/2: 2 failed/);
  });

  it('is told where it lacks a file or a record that others have', async () => {
    await using dir = await tempDir();
    const [first = '', second = ''] = await shards(dir.path, 2);
    const lone = await writeWorkdir(join(dir.path, 'lone'), {});
    await copyFile(join(second, 'results.csv'), join(lone, 'results.csv'));

    const gaps = await mergeWorkdirs([first, lone], join(dir.path, 'joined'), signal);

    const text = gaps.join('\n');
    for (const part of [
      'missing: shard 1/2',
      'lone has no tags.csv',
      'lone has no crawl.json',
      'which shard it is is not known',
    ]) {
      ok(text.includes(part), text);
    }
  });
});

describe('shards that do not belong together', () => {
  async function refused(contents: readonly WorkdirContent[], message: RegExp): Promise<void> {
    await using dir = await tempDir();
    const parts = await Promise.all(
      contents.map((content, at) => writeWorkdir(join(dir.path, `part-${at}`), content)),
    );
    const workdir = join(dir.path, 'joined');

    await rejects(mergeWorkdirs(parts, workdir, signal), { code: 'USAGE', message });

    const left = await readdir(workdir).catch(() => []);
    deepEqual(left, []);
  }

  const tags = [{ path: 'acme/web', name: '1' }];

  it('are refused where both have a repository', () =>
    refused(
      [{ tags }, { tags: [{ path: 'acme/web', name: '2' }] }],
      /part-0 and .*part-1 both have acme\/web in their tags\.csv/,
    ));

  it('are refused where both have a result', () =>
    refused(
      [0, 1].map(() => ({ results: rowsOf(tags, () => ({ status: 'copied' })) })),
      /both have acme\/web in their results\.csv/,
    ));

  it('are refused where both are the same shard', () =>
    refused(
      [0, 1].map(() => ({ tags: [], records: [{ command: 'crawl' as const, shard: '1/3' }] })),
      /part-0 and .*part-1 are both shard 1\/3/,
    ));

  it('are refused where they are of different numbers', () =>
    refused(
      ['0/3', '1/4'].map((shard) => ({
        tags: [],
        records: [{ command: 'crawl' as const, shard }],
      })),
      /part-0 is one of 3 shards, and .*part-1 one of 4 shards/,
    ));

  it('are refused where they are of different sources', () =>
    refused(
      ['a.test', 'b.test'].map((source, at) => ({
        tags: [],
        records: [{ command: 'crawl' as const, shard: `${at}/2`, source }],
      })),
      /has source a\.test, and of .*part-1 b\.test: these are no shards of one run/,
    ));

  it('are refused where a file is none of ours', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'tags.csv'), 'hello,world\r\n1,2\r\n');

    const merged = mergeWorkdirs([dir.path], join(dir.path, 'joined'), signal);

    await rejects(merged, { code: 'USAGE', message: /tags\.csv: line 1: no column namespace/ });
  });

  it('are refused where they have nothing', () => refused([{}], /none of .*part-0 has one of/));

  it('are refused where one is the directory that is written', async () => {
    await using dir = await tempDir();
    await writeWorkdir(dir.path, { tags });

    await rejects(mergeWorkdirs([dir.path], dir.path, signal), {
      code: 'USAGE',
      message: /is in --workdir/,
    });
  });
});

describe('the directory of an earlier join', () => {
  it('keeps nothing that would be taken for a part of the new one', async () => {
    await using dir = await tempDir();
    const workdir = join(dir.path, 'joined');
    await mergeWorkdirs(await shards(dir.path, 2), workdir, signal);
    const part = await writeWorkdir(join(dir.path, 'part'), {
      tags: [{ path: 'acme/web', name: '1' }],
      records: [{ command: 'crawl' }],
    });

    await mergeWorkdirs([part], workdir, signal);

    deepEqual((await readdir(workdir)).toSorted(), ['crawl.json', 'tags.csv']);
  });

  it('may be that of a join that was killed', async () => {
    await using dir = await tempDir();
    const workdir = join(dir.path, 'joined');
    const parts = await shards(dir.path, 2);
    await mergeWorkdirs(parts, workdir, signal);
    const record = await readRecord(workdir, 'crawl');
    await writeWorkdir(workdir, { records: [{ ...record, state: 'running' }] });

    deepEqual(await mergeWorkdirs(parts, workdir, signal), []);

    equal((await readRecord(workdir, 'crawl'))?.state, 'complete');
  });
});

describe('a directory that is of no join', () => {
  for (const [name, content] of [
    ['crawl.json', { records: [{ command: 'crawl' }] }],
    ['sync.json', { records: [{ command: 'sync' }] }],
    ['tags.csv', { tags: [] }],
    ['verify.csv', { verdicts: [] }],
  ] as const) {
    it(`is left as it is where it has a ${name}`, async () => {
      await using dir = await tempDir();
      const workdir = await writeWorkdir(join(dir.path, 'own'), content);

      await rejects(mergeWorkdirs(await shards(dir.path, 2), workdir, signal), {
        code: 'USAGE',
        message: new RegExp(`own has a ${name} that is of no join, and would be replaced`),
      });

      deepEqual(await readdir(workdir), [name]);
    });
  }
});
