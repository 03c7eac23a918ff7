import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { openCsv, readRows, type CsvName, type FileRow } from '../../../src/report/row-files.ts';
import { collect } from '../../support/collect.ts';
import { digest } from '../../support/report-workdir.ts';
import { tempDir } from '../../support/temp-dir.ts';

const RESULT_HEADER = 'namespace,repo_name,name,digest,target,status,bytes,elapsed_ms,error\r\n';

async function read(name: CsvName, text: string): Promise<{ rows: FileRow[]; remarks: string[] }> {
  await using dir = await tempDir();
  const path = join(dir.path, name);
  await writeFile(path, text);
  const file = await open(path);
  const remarks: string[] = [];
  try {
    return {
      rows: await collect(readRows(file, { name, path }, (remark) => remarks.push(remark))),
      remarks,
    };
  } finally {
    await file.close();
  }
}

/** What it shows, the file, its text, what is said of it. */
const REFUSED: readonly (readonly [string, CsvName, string, RegExp])[] = [
  [
    'a status that is none',
    'results.csv',
    `${RESULT_HEADER}acme,web,1,,t,done,0,0,\n`,
    /results\.csv: line 2: "done" is no status: copied, unchanged, would-copy, failed are$/,
  ],
  [
    'a count that is none',
    'results.csv',
    `${RESULT_HEADER}acme,web,1,,t,copied,-1,0,\n`,
    /results\.csv: line 2: "-1" is no whole number$/,
  ],
  [
    'a repository that is none',
    'tags.csv',
    'namespace,repo_name,name,digest\nAcme,web,1,\n',
    /tags\.csv: line 2: "Acme\/web" is no name of a repository$/,
  ],
  [
    'a digest that is none',
    'tags.csv',
    'namespace,repo_name,name,digest\nacme,web,1,md5:1\n',
    /tags\.csv: line 2: "md5:1" is no digest/,
  ],
  [
    'a verdict that is none',
    'verify.csv',
    'namespace,repo_name,name,digest,status\nacme,web,1,,fine\n',
    /verify\.csv: line 2: "fine" is no status: ok, missing/,
  ],
  [
    'a missing column',
    'verify.csv',
    'namespace,repo_name,name,digest\n',
    /verify\.csv: line 1: no column status in the header/,
  ],
  [
    'another file',
    'repositories.csv',
    'a,b\n1,2\n',
    /repositories\.csv: line 1: no column namespace in the header "a,b"$/,
  ],
  [
    'a deletion that is none',
    'prune-results.csv',
    'repository,tag,digest,status,error\nacme/web,1,,done,\n',
    /prune-results\.csv: line 2: "done" is no status: deleted, gone, kept/,
  ],
  ['nothing at all', 'tags.csv', '', /tags\.csv: no rows, not even a header$/],
  [
    'a mistake that is not in the last row',
    'results.csv',
    `${RESULT_HEADER}acme,web\nacme,web,1,,t,copied,0,0,`,
    /results\.csv: line 2: "acme,web" has 2 fields instead of 9$/,
  ],
];

describe('rows of the CSV files', () => {
  it('have all columns, in our order, whatever their order in the file', async () => {
    const { rows } = await read(
      'tags.csv',
      `digest,name,extra,repo_name,namespace\n${digest('a')},1,x,web,acme\n`,
    );

    deepEqual(rows, [
      { line: 2, path: 'acme/web', name: '1', fields: ['acme', 'web', '1', '', '', digest('a')] },
    ]);
  });

  for (const [what, name, text, message] of REFUSED) {
    it(`are refused with file, line and value: ${what}`, async () => {
      await rejects(read(name, text), { code: 'USAGE', message });
    });
  }

  for (const [where, end] of [
    ['a row', 'acme,web,2,,t,cop'],
    ['a quote', 'acme,web,2,,t,failed,0,0,"no, '],
    ['its first field', 'ac'],
  ]) {
    it(`are read as far as they go where a killed run left off in ${where}`, async () => {
      const { rows, remarks } = await read(
        'results.csv',
        `${RESULT_HEADER}acme,web,1,,t,copied,0,0,\r\n${end}`,
      );

      deepEqual(
        rows.map(({ name }) => name),
        ['1'],
      );
      equal(remarks.length, 1);
      match(remarks[0] ?? '', /^results\.csv ends in the middle of a row .*its run was killed$/);
    });
  }

  it('of a file that is not there are none', async () => {
    equal(await openCsv('/nonexistent/tags.csv'), undefined);
  });
});
