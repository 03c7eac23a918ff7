import { deepEqual, equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { pathOf, splitPath, tagRowReader, type TagRow } from '../../../src/sync/tag-row.ts';

const D = `sha256:${'a'.repeat(64)}`;
const HEADER = ['namespace', 'repo_name', 'name', 'created_on', 'last_updated_on', 'digest'];

/** Reads the row on line 2 of a file with this header. */
function read(fields: readonly string[], header: readonly string[] = HEADER): TagRow {
  return tagRowReader({ line: 1, fields: header })({ line: 2, fields });
}

describe('tagRowReader', () => {
  it('reads a row', () => {
    deepEqual(read(['acme', 'team/web', '1.0', '', '', D]), {
      line: 2,
      namespace: 'acme',
      repository: 'team/web',
      tag: '1.0',
      digest: D,
    });
  });

  it('finds columns in any order and case, among others, and needs no dates', () => {
    const header = ['Digest', 'size', 'NAME', 'repo_name', 'namespace', 'note'];

    const { namespace, repository, tag, digest } = read([D, '1', 'x', 'web', 'acme'], header);

    deepEqual([namespace, repository, tag, digest], ['acme', 'web', 'x', D]);
  });

  it('takes a repository without a namespace', () => {
    equal(pathOf(read(['', 'redis', '7', '', '', D])), 'redis');
  });

  for (const [name, digest, expected] of [
    ['1.0', '', { tag: '1.0' }],
    [`1.0@${D}`, '', { tag: '1.0', digest: D }],
    [`1.0@${D}`, D, { tag: '1.0', digest: D }],
    [`@${D}`, '', { digest: D }],
    [D, '', { digest: D }],
  ] as const) {
    it(`reads the version ${name.replace(D, 'DIGEST')} with digest ${digest && 'DIGEST'}`, () => {
      const { tag, digest: found } = read(['a', 'b', name, '', '', digest]);

      deepEqual({ ...(tag && { tag }), ...(found && { digest: found }) }, expected);
    });
  }
});

describe('tagRowReader refuses', () => {
  /** What is wrong, the row, what the error says: line and value. */
  const refused: [string, string[], RegExp][] = [
    ['a wrong digest', ['a', 'b', 'c', '', '', 'sha256:1'], /^line 2: "sha256:1" is no digest/],
    ['a digest in capitals', ['a', 'b', 'c', '', '', D.toUpperCase()], /^line 2: "SHA256:A+"/],
    [
      'two digests',
      ['a', 'b', `c@sha256:${'b'.repeat(64)}`, '', '', D],
      /^line 2: "c@sha256:b+" names another/,
    ],
    [
      'a repository in capitals',
      ['a', 'B', 'c', '', '', D],
      /^line 2: "a\/B" is no name of a repo/,
    ],
    ['a path that climbs', ['..', 'b', 'c', '', '', D], /^line 2: "\.\.\/b" is no name/],
    ['no repository', ['a', '', 'c', '', '', D], /^line 2: "a\/" is no name/],
    ['no tag', ['a', 'b', '', '', '', D], /^line 2: "" is neither a tag nor/],
    ['a tag with a slash', ['a', 'b', 'c/d', '', '', D], /^line 2: "c\/d" is neither/],
    ['a tag of 129 characters', ['a', 'b', 'c'.repeat(129), '', '', D], /^line 2: "c{129}"/],
    ['a short row', ['a', 'b', 'c', D], /^line 2: "a,b,c,sha256:a+" has 4 fields instead of 6$/],
    ['control characters, escaped', ['a', 'b', '\u001b[31m', '', '', D], /"\\u001b\[31m"/],
    ['a value of a kilobyte, cut', ['a', 'b', 'x'.repeat(1024), '', '', D], /^line 2: "x{200}" is/],
  ];
  for (const [shown, fields, message] of refused) {
    it(shown, () => {
      throws(() => read(fields), { code: 'USAGE', message });
    });
  }

  it('a header without its columns, and says which and what is there', () => {
    throws(() => tagRowReader({ line: 3, fields: ['namespace', 'name', 'hash'] }), {
      code: 'USAGE',
      message:
        'line 3: no column repo_name, digest in the header "namespace,name,hash": it has to have namespace, repo_name, name, digest',
    });
  });
});

describe('splitPath', () => {
  for (const path of ['redis', 'a/b', 'a/b/c/d']) {
    it(`takes ${path} apart so that pathOf puts it together`, () => {
      equal(pathOf(splitPath(path)), path);
    });
  }

  it('takes the first part for the namespace', () => {
    deepEqual(splitPath('a/b/c'), { namespace: 'a', repository: 'b/c' });
    deepEqual(splitPath('redis'), { namespace: '', repository: 'redis' });
  });
});
