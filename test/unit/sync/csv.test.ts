import { deepEqual, equal, rejects } from 'node:assert/strict';
import { mkdir, open, readdir, utimes, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { CsvFile, formatCsv, readCsv, type CsvRecord } from '../../../src/sync/csv.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** Reads text or bytes as a CSV file. */
async function read(content: string | Buffer): Promise<CsvRecord[]> {
  await using dir = await tempDir();
  const path = join(dir.path, 'a.csv');
  await writeFile(path, content);
  const file = await open(path, 'r');
  try {
    const records: CsvRecord[] = [];
    for await (const record of readCsv(file)) records.push(record);
    return records;
  } finally {
    await file.close();
  }
}

/** What it shows, the file, the fields of its records. */
const READ: [string, string, string[][]][] = [
  [
    'a byte order mark',
    '\uFEFFa,b\n1,2\n',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  ['a byte order mark before a quote', '\uFEFF"a",b\n', [['a', 'b']]],
  [
    'CRLF',
    'a,b\r\n1,2\r\n',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'the line ends of an old Mac',
    'a,b\r1,2\r',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'rows that were appended with other line ends',
    'a\r\nb\nc\r\nd\n',
    [['a'], ['b'], ['c'], ['d']],
  ],
  [
    'a last line without an end',
    'a,b\r\n1,2',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  ['quotes, doubled quotes and commas', '"a ""b""","c,d"\n', [['a "b"', 'c,d']]],
  ['a line end in quotes', '"a\nb",c\n', [['a\nb', 'c']]],
  ['spaces around values, also around quotes', ' a ,\tb\t, "c" \n', [['a', 'b', 'c']]],
  ['spaces in quotes as they are', '" a "\n', [[' a ']]],
  [
    'blank lines and rows of commas alone',
    '\n\na,b\n\r\n   \n,\n1,2\n\n',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'lines of comment, also indented',
    '# c, "d\na,b\n  # e\n1,2\n#',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  ['a # inside of a value', 'a#b,#c\n', [['a#b', '#c']]],
  ['rows of different lengths', 'a\nb,c,d\n', [['a'], ['b', 'c', 'd']]],
  ['an empty file', '', []],
  ['a file of nothing but comments', '# a\n# b\n', []],
];

/** What it is, the file, what the error says. */
const REFUSED: [string, string | Buffer, RegExp][] = [
  ['an unclosed quote', 'a,b\n1,2\n"3,4\n5,6\n', /^from line 3 on: a quote is opened and never/],
  ['a quote inside of a value', 'a,b\n1,2"3\n', /^line 2: a quote in the middle of a value/],
  ['text after a closing quote', 'a,b\n\n"1"2,3\n', /^line 3: a quote in the middle of a value/],
  [
    'a line of 1 MB',
    `a,b\n1,${'x'.repeat(2 ** 20)}\n`,
    /^from line 2 on: a row is longer than 65536/,
  ],
  [
    'a quote that swallows 100,000 lines',
    `a\n"b${'\nc'.repeat(1e5)}`,
    /^from line 2 on: a row is longer/,
  ],
  ['binary garbage', Buffer.alloc(2e6, '\0\xff\xfe\x80', 'latin1'), /^from line 1 on: .* no CSV$/],
];

describe('readCsv', () => {
  for (const [shown, content, expected] of READ) {
    it(`reads ${shown}`, async () => {
      deepEqual(
        (await read(content)).map(({ fields }) => fields),
        expected,
      );
    });
  }

  it('counts lines as an editor does, whatever was skipped', async () => {
    const records = await read('\uFEFFa\r\n\r\n# c\nb\n"c\nd"\r\ne');

    deepEqual(
      records.map(({ line, fields }) => [line, fields.join()]),
      [
        [1, 'a'],
        [4, 'b'],
        [6, 'c\nd'],
        [7, 'e'],
      ],
    );
  });

  for (const [shown, content, message] of REFUSED) {
    it(`refuses ${shown}, and says where`, async () => {
      await rejects(read(content), { code: 'USAGE', message });
    });
  }

  it('reads a character that lies on the border of two chunks', async () => {
    const text = `${'é'.repeat(20_000)}\n`.repeat(5);

    deepEqual(
      [...new Set((await read(text)).flatMap(({ fields }) => fields))],
      ['é'.repeat(20_000)],
    );
  });

  it('reads a file from its start each time, and leaves it open', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'a.csv'), 'a\nb\n');
    const file = await open(join(dir.path, 'a.csv'), 'r');

    for await (const { fields } of readCsv(file)) if (fields[0] === 'a') break;
    const again: string[] = [];
    for await (const { fields } of readCsv(file)) again.push(...fields);

    deepEqual(again, ['a', 'b']);
    await file.close();
  });
});

/**
 * Python 3.11: csv.writer(s).writerows(ROWS), as repr(s.getvalue()).
 */
const ROWS = [
  ['namespace', 'repo_name', 'name'],
  ['a\nb', 'c\rd', ' e ', 'f"g', 'h,i', '', '#x', 'é', "it's", 'a;b', 'tab\t', '""', 'x\r\ny'],
  ['', '', ''],
  ['=1+1', '-1', '1.0', '2024-01-01T00:00:00.0000000Z', 'sha256:0a', 'a/b'],
];
const AS_PYTHON =
  'namespace,repo_name,name\r\n' +
  '"a\nb","c\rd", e ,"f""g","h,i",,#x,é,it\'s,a;b,tab\t,"""""","x\r\ny"\r\n' +
  ',,\r\n' +
  '=1+1,-1,1.0,2024-01-01T00:00:00.0000000Z,sha256:0a,a/b\r\n';

describe('formatCsv', () => {
  it("writes byte for byte what Python's csv.writer writes", () => {
    equal(formatCsv(ROWS), AS_PYTHON);
  });

  it('is read back as it was', async () => {
    const rows = [
      ['a', 'b"c', 'd,e', 'f\ng'],
      ['é', '', 'x', 'y'],
    ];

    deepEqual(
      (await read(formatCsv(rows))).map(({ fields }) => fields),
      rows,
    );
  });
});

describe('CsvFile', () => {
  it('replaces a file only when it is committed, and leaves nothing else behind', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a.csv');
    await writeFile(path, 'old');

    const file = await CsvFile.create(path, ['n']);
    for (let i = 0; i < 1234; i += 1) await file.write([String(i)]);
    await file.finish();
    equal(await readFile(path, 'utf8'), 'old');
    await file.commit();
    await file[Symbol.asyncDispose]();

    const lines = (await readFile(path, 'utf8')).split('\r\n');
    deepEqual([lines[0], lines[1], lines[1234], lines.length], ['n', '0', '1233', 1236]);
    deepEqual(await readdir(dir.path), ['a.csv']);
  });

  it('leaves the old file and no trace of its own when it is given up', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'a.csv'), 'old');

    const file = await CsvFile.create(join(dir.path, 'a.csv'), ['n']);
    await file.write(['1']);
    await file[Symbol.asyncDispose]();

    equal(await readFile(join(dir.path, 'a.csv'), 'utf8'), 'old');
    deepEqual(await readdir(dir.path), ['a.csv']);
  });

  it('makes the directories that are missing, where there can be some', async () => {
    await using dir = await tempDir();

    await using file = await CsvFile.create(join(dir.path, 'x/y/a.csv'), ['n']);
    await file.finish();
    await file.commit();

    equal(await readFile(join(dir.path, 'x/y/a.csv'), 'utf8'), 'n\r\n');
    await rejects(CsvFile.create('/proc/x/a.csv', ['n']), {
      code: 'USAGE',
      message: "can't write /proc/x/a.csv: there is no such directory",
    });
  });

  it('removes what a run that was killed long ago left behind, and nothing newer', async () => {
    await using dir = await tempDir();
    const old = new Date(Date.now() - 8 * 24 * 60 * 60 * 1000);
    for (const name of ['.a.csv.old.tmp', '.a.csv.new.tmp', '.b.csv.old.tmp']) {
      await writeFile(join(dir.path, name), '');
      if (name.includes('old')) await utimes(join(dir.path, name), old, old);
    }

    const file = await CsvFile.create(join(dir.path, 'a.csv'), ['n']);
    await file[Symbol.asyncDispose]();

    deepEqual((await readdir(dir.path)).toSorted(), ['.a.csv.new.tmp', '.b.csv.old.tmp']);
  });

  it('says why there can be no file', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'file'), '');
    await mkdir(join(dir.path, 'taken.csv'));

    await rejects(CsvFile.create(join(dir.path, 'file/a.csv'), []), {
      code: 'USAGE',
      message: /^can't write .*\/file\/a\.csv: a part of the path is no directory$/,
    });
    await using taken = await CsvFile.create(join(dir.path, 'taken.csv'), []);
    await taken.finish();
    await rejects(taken.commit(), { code: 'USAGE', message: /taken\.csv: it is a directory$/ });
  });
});
