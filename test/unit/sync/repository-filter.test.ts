import { deepEqual, equal, rejects, throws } from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import {
  createRepositoryFilter,
  namedRepository,
  readRepositories,
  type RepositoryOptions,
} from '../../../src/sync/repository-filter.ts';
import { tempDir } from '../../support/temp-dir.ts';

const PATHS = ['redis', 'acme/web', 'acme/team/web', 'acme/api', 'acme-2/web', 'other/acme/web'];

/** Options, and which of PATHS they want. */
const WANTED: [RepositoryOptions, string[]][] = [
  [{}, PATHS],
  [{ namespace: 'acme' }, ['acme/web', 'acme/team/web', 'acme/api']],
  [{ namespace: 'team' }, []],
  [{ repository: 'redis' }, ['redis']],
  [{ repository: 'acme/web' }, ['acme/web', 'other/acme/web']],
  [{ namespace: 'acme', repository: 'team/web' }, ['acme/team/web']],
  [{ namespace: 'acme', repositoryRegex: 'web' }, ['acme/web']],
  [{ namespace: 'acme', repositoryRegex: '.*web|api' }, ['acme/web', 'acme/team/web', 'acme/api']],
  [{ repositoryRegex: '(?i)WEB$' }, ['acme/web', 'acme-2/web']],
];

describe('createRepositoryFilter', () => {
  for (const [options, expected] of WANTED) {
    it(`wants ${expected.join(' ') || 'nothing'} for ${JSON.stringify(options)}`, () => {
      deepEqual(PATHS.filter(createRepositoryFilter(options)), expected);
    });
  }

  it('refuses a repository together with a pattern', () => {
    throws(() => createRepositoryFilter({ repository: 'a', repositoryRegex: 'b' }), {
      code: 'USAGE',
    });
  });
});

describe('namedRepository', () => {
  it('is the one repository that needs no catalog', () => {
    equal(namedRepository({ repository: 'a/b' }), 'a/b');
    equal(namedRepository({ namespace: 'n', repository: 'a/b' }), 'n/a/b');
    equal(namedRepository({ namespace: 'n' }), undefined);
  });

  it('refuses a name that is none', () => {
    throws(() => namedRepository({ repository: 'A/..' }), { code: 'USAGE', message: /"A\/\.\."/ });
  });
});

async function read(text: string): Promise<string[]> {
  await using dir = await tempDir();
  await writeFile(join(dir.path, 'list'), text);
  return await readRepositories(join(dir.path, 'list'));
}

/** What it shows, the file. All name acme/web and redis. */
const FILES: [string, string][] = [
  ['a list', 'acme/web\nredis\n'],
  [
    'a list with spaces, comments, blank lines and repetitions',
    '# x\n acme/web \r\n\nredis\nredis',
  ],
  ['a list with a byte order mark', '\uFEFFacme/web\nredis'],
  ['a list in quotes', '"acme/web"\n"redis"\n'],
  ['a repositories.csv', 'namespace,name\r\nacme,web\r\n,redis\r\n'],
  [
    'a repositories.csv that a spreadsheet saved',
    '\uFEFF"Namespace","Name"\r\n"acme","web"\r\n"","redis"',
  ],
  ['a repositories.csv with other columns', '# c\nname,tags,namespace\n"web",3,acme\n\nredis,1,\n'],
];

describe('readRepositories', () => {
  for (const [shown, text] of FILES) {
    it(`reads ${shown}`, async () => {
      deepEqual(await read(text), ['acme/web', 'redis']);
    });
  }

  for (const [shown, text, message] of [
    [
      'a wrong name',
      'acme/web\n\n# c\nAcme/Web\n',
      /list: line 4: "Acme\/Web" is no name of a rep/,
    ],
    [
      'a wrong name in a CSV',
      'namespace,name\nacme,we b\n',
      /list: line 2: "acme\/we b" is no name/,
    ],
    ['a short row of a CSV', 'namespace,name\nacme\n', /list: line 2: "acme\/" is no name/],
    ['an image', 'acme/web:1.0\n', /line 1: "acme\/web:1\.0" is no name/],
    ['an empty file', '\n# nothing\n', /list: no repositories$/],
    ['a header alone', 'namespace,name\n', /list: no repositories$/],
    ['binary garbage', '\0\u0001\u0002', /line 1: "\\u0000\\u0001\\u0002" is no name/],
    ['a line of 1 MB', 'x'.repeat(1e6), /line 1: "x{200,300}" is no name/],
  ] as const) {
    it(`refuses ${shown}`, async () => {
      await rejects(read(text), { code: 'USAGE', message });
    });
  }

  it('says that a file is not there', async () => {
    await rejects(readRepositories('/nowhere/list'), {
      code: 'USAGE',
      message: /\/nowhere\/list: /,
    });
  });
});
