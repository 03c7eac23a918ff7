import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { formatReference } from '../../../src/image/reference.ts';
import { createMapping, type MappingSettings } from '../../../src/sync/mapping.ts';
import { openRows, type RowFile } from '../../../src/sync/rows.ts';
import { collect } from '../../support/collect.ts';
import { tempDir } from '../../support/temp-dir.ts';

const A = `sha256:${'a'.repeat(64)}`;
const B = `sha256:${'b'.repeat(64)}`;
const HEADER = 'namespace,repo_name,name,created_on,last_updated_on,digest';

interface Opening extends Partial<MappingSettings> {
  readonly namespace?: string;
}

function open(path: string, { namespace, ...settings }: Opening = {}): Promise<RowFile> {
  const all = { source: 's.test', target: 't.test', targetPath: 'keep', appendSuffix: '' };
  return openRows({ path, namespace, map: createMapping({ ...all, ...settings }) });
}

/** The counts of a file, and the targets of its rows. */
async function read(
  lines: readonly string[],
  opening: Opening = {},
): Promise<{ count: number; duplicates: number; targets: string[] }> {
  await using dir = await tempDir();
  const path = join(dir.path, 'tags.csv');
  await writeFile(path, lines.join('\r\n'));
  await using rows = await open(path, opening);
  const targets = (await collect(rows.rows())).map(({ target }) => formatReference(target));
  return { count: rows.count, duplicates: rows.duplicates, targets };
}

describe('openRows', () => {
  it('counts the rows before it gives the first', async () => {
    const lines = [HEADER, `a,x,1,,,${A}`, `a,x,2,,,${A}`, `b,x,1,,,${B}`];

    deepEqual(await read(lines), {
      count: 3,
      duplicates: 0,
      targets: ['t.test/a/x:1', 't.test/a/x:2', 't.test/b/x:1'],
    });
  });

  it('leaves out rows that say the same again, however they say it', async () => {
    const lines = [
      HEADER,
      `a,x,1,,,${A}`,
      `a,x,1,2024-01-01,,${A}`,
      `a,x,1@${A},,,`,
      `a,x,2,,,`,
      `a,x,@${A},,,`,
      `a,x,${A},,,${A}`,
    ];

    deepEqual(await read(lines), {
      count: 3,
      duplicates: 3,
      targets: ['t.test/a/x:1', 't.test/a/x:2', `t.test/a/x@${A}`],
    });
  });

  it('gives only rows of the namespace, and then counts only them', async () => {
    const lines = [HEADER, `a,x,1,,,${A}`, `b,x,1,,,${A}`, `,x,1,,,${A}`];

    const { count, targets } = await read(lines, { namespace: 'a' });

    deepEqual([count, targets], [1, ['t.test/a/x:1']]);
  });

  it('gives the rows anew each time it is asked', async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, 't.csv'), `${HEADER}\n a,x,1,,,${A}\n`);
    await using rows = await open(join(dir.path, 't.csv'));

    deepEqual(await collect(rows.rows()), await collect(rows.rows()));
  });
});

/** What collides, the rows after the header, settings, what the error says. */
const COLLISIONS: [string, string[], Opening, RegExp][] = [
  [
    'one tag with two digests',
    [`a,x,1,,,${A}`, `a,x,1,,,${B}`],
    {},
    /tags\.csv: line 2 \(s\.test\/a\/x:1@sha256:a+\) and line 3 \(s\.test\/a\/x:1@sha256:b+\) would \w+ become t\.test\/a\/x:1$/,
  ],
  ['one tag with and without a digest', [`a,x,1,,,${A}`, `a,x,1,,,`], {}, /line 2 .* and line 3 /],
  [
    'two namespaces that --target-namespace makes one',
    [`a,x,1,,,${A}`, `b,y,1,,,${A}`, `b,x,1,,,${A}`],
    { targetNamespace: 'c' },
    /line 2 \(s\.test\/a\/x:1@.*\) and line 4 \(s\.test\/b\/x:1@.*\) would \w+ become t\.test\/c\/x:1$/,
  ],
  [
    'two paths that a separator makes one',
    [`a,x/y,1,,,${A}`, `a,x-y,1,,,${A}`],
    { targetPath: 'two-components' },
    /become t\.test\/a\/x-y:1$/,
  ],
  [
    'two repositories of one last name',
    [`a,b/x,1,,,${A}`, `a,c/x,1,,,${A}`],
    { targetPath: 'last' },
    /line 2/,
  ],
  [
    'tags that a template makes one',
    [`a,x,1,,,${A}`, `a,x,2,,,${A}`],
    { targetPath: 'x:latest' },
    /line 2/,
  ],
  [
    'a tag that a suffix makes another',
    [`a,x,1,,,${A}`, `a,x,2,,,${A}`, `b,x,1,,,${B}`],
    { targetPath: '{path}', appendSuffix: '-eu' },
    /line 2 .* and line 4 .* become t\.test\/x:1-eu$/,
  ],
];

/** What is wrong, the whole file, what the error says after the file's name. */
const REFUSED: [string, string, string | RegExp][] = [
  [
    'a wrong digest',
    `${HEADER}\n\na,x,1,,,sha256:0\n`,
    / line 3: "sha256:0" is no digest: sha256: and 64/,
  ],
  ['an illegal name', `${HEADER}\nA,x,1,,,${A}\n`, / line 2: "A\/x" is no name of a repository$/],
  [
    'a missing column',
    `namespace,name,digest\na,x,${A}\n`,
    / line 1: no column repo_name in the header/,
  ],
  ['a short row', `${HEADER}\na,x\n`, / line 2: "a,x" has 2 fields instead of 6$/],
  ['an empty file', '', / no rows, not even a header$/],
  ['a header without rows', `${HEADER}\n`, / no rows$/],
  ['binary garbage', '\0\u0001\u0002'.repeat(1e5), / from line 1 on: /],
  [
    'binary garbage with lines',
    '\0\u0001\n\u0002\n',
    / line 1: no column namespace, repo_name, name, digest in/,
  ],
  [
    'an unclosed quote',
    `${HEADER}\na,"x,1,,,${A}\nb,x,1,,,${A}\n`,
    / from line 2 on: a quote is opened/,
  ],
  [
    'a line of 1 MB',
    `${HEADER}\na,${'x'.repeat(1e6)},1,,,${A}\n`,
    / from line 2 on: a row is longer/,
  ],
  [
    'a name that is too long',
    `${HEADER}\na,${'x'.repeat(300)},1,,,${A}\n`,
    / line 2: "a\/x{198}" is no name/,
  ],
];

describe('openRows refuses', () => {
  for (const [shown, lines, opening, message] of COLLISIONS) {
    it(shown, async () => {
      await rejects(read([HEADER, ...lines], opening), { code: 'USAGE', message });
    });
  }

  for (const [shown, text, message] of REFUSED) {
    it(shown, async () => {
      await rejects(read([text]), (error: Error & { code: string }) => {
        const [, path, rest = ''] = /^(\S+tags\.csv):(.*)$/s.exec(error.message) ?? [];
        ok(path, error.message);
        ok(typeof message === 'string' ? rest === message : message.test(rest), error.message);
        return error.code === 'USAGE';
      });
    });
  }

  it('a namespace without rows, by its name', async () => {
    await rejects(read([HEADER, `a,x,1,,,${A}`], { namespace: 'b' }), {
      code: 'USAGE',
      message: /no rows of the namespace "b"$/,
    });
  });

  it('a mistake in a row of a namespace that is not asked for, as it may be one in the name', async () => {
    await rejects(read([HEADER, `a,x,1,,,${A}`, `b,x,1,,,oops`], { namespace: 'a' }), {
      message: /line 3: "oops"/,
    });
  });

  it('a file with many mistakes, and shows ten and counts the rest', async () => {
    const lines = Array.from({ length: 25 }, (_, n) => `a,x,bad tag ${n},,,${A}`);

    await rejects(read([HEADER, ...lines]), (error: Error) => {
      const shown = error.message.split('\n');
      deepEqual([shown.length, shown.at(-1)], [12, '  and 15 more']);
      equal(shown[1], '  line 2: "bad tag 0" is neither a tag nor tag@digest nor @digest');
      return true;
    });
  });

  it('a file that is not there, and says what makes it', async () => {
    await rejects(open('/nowhere/tags.csv'), {
      code: 'USAGE',
      message: "can't read /nowhere/tags.csv: there is none: run crawl first",
    });
  });

  it('a directory', async () => {
    await using dir = await tempDir();

    await rejects(open(dir.path), {
      code: 'USAGE',
      message: new RegExp(`^${dir.path}: .*directory`),
    });
  });
});

describe('rows of some statuses', () => {
  const STATUSES = { wanted: ['missing', 'damaged'], others: ['ok'] };
  const WITH_STATUS = 'namespace,repo_name,name,digest,status,detail';

  async function chosen(lines: readonly string[]) {
    await using dir = await tempDir();
    const path = join(dir.path, 'verify.csv');
    await writeFile(path, lines.join('\r\n'));
    const ends = { source: 's.test', target: 't.test', targetPath: 'keep', appendSuffix: '' };
    await using rows = await openRows({ path, map: createMapping(ends), statuses: STATUSES });
    const tags = (await collect(rows.rows())).map(({ row }) => `${row.tag} ${row.status}`);
    return { total: rows.total, count: rows.count, tags };
  }

  it('are chosen, and all are counted', async () => {
    const lines = [`a,x,1,${A},ok,`, `a,x,2,${A},missing,is gone`, `a,x,3,,damaged,`];

    deepEqual(await chosen([WITH_STATUS, ...lines]), {
      total: 3,
      count: 2,
      tags: ['2 missing', '3 damaged'],
    });
  });

  it('may be none', async () => {
    deepEqual(await chosen([WITH_STATUS, `a,x,1,${A},ok,`]), { total: 1, count: 0, tags: [] });
  });

  it('are all where the file has none', async () => {
    const { tags } = await chosen([HEADER, `a,x,1,,,${A}`]);

    deepEqual(tags, ['1 undefined']);
  });

  it('are refused with a status that is not known, or where it is cut off', async () => {
    await rejects(chosen([WITH_STATUS, `a,x,1,${A},copied,`]), {
      code: 'USAGE',
      message: /line 2: the status "copied" is none of ok, missing, damaged$/,
    });
    await rejects(chosen([WITH_STATUS, `a,x,1,${A}`]), /has 4 fields instead of 6/);
  });
});

describe('how many rows go to a repository', () => {
  async function counts(lines: readonly string[], opening: Opening = {}): Promise<number[]> {
    await using dir = await tempDir();
    const path = join(dir.path, 'tags.csv');
    await writeFile(path, [HEADER, ...lines].join('\r\n'));
    await using rows = await open(path, opening);
    return ['a/x', 'b/x', 'm/x', 'none'].map((name) => rows.countAt(name));
  }

  it('is known by its name at the target', async () => {
    const lines = [`a,x,1,,,${A}`, `a,x,2,,,${A}`, `b,x,1,,,${B}`];

    deepEqual(await counts(lines), [2, 1, 0, 0]);
    deepEqual(await counts(lines.slice(0, 2), { targetNamespace: 'm' }), [0, 0, 2, 0]);
    deepEqual(await counts(lines, { namespace: 'b' }), [0, 1, 0, 0]);
  });

  it('is known of files that are not kept', async () => {
    const lines = Array.from({ length: 10_001 }, (_, n) => `a,x,${n},,,${A}`);

    deepEqual(await counts([...lines, `b,x,1,,,${B}`]), [10_001, 1, 0, 0]);
  });
});
