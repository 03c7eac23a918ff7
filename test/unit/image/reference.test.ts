import { deepEqual, equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { parseDigest, tryParseDigest } from '../../../src/image/digest.ts';
import {
  formatReference,
  isRepositoryPath,
  isTag,
  parseRegistry,
  repositoryPath,
  tryParseVersion,
} from '../../../src/image/reference.ts';

const HEX = 'a'.repeat(64);
const DIGEST = parseDigest(`sha256:${HEX}`);

describe('parseRegistry', () => {
  const read: [string, string][] = [
    ['GHCR.io', 'ghcr.io'],
    [' r.test:5000 ', 'r.test:5000'],
    ['index.docker.io', 'docker.io'],
    ['registry-1.docker.io', 'docker.io'],
    ['localhost', 'localhost'],
    ['[::1]:5000', '[::1]:5000'],
  ];
  for (const [text, expected] of read) {
    it(`reads ${JSON.stringify(text)} as ${expected}`, () => equal(parseRegistry(text), expected));
  }

  const refused: [string, RegExp][] = [
    ['https://r.test', /scheme/],
    ['r.test/a', /path/],
    ['', /host/],
    ['u@r.test', /host/],
    ['r.test:port', /host/],
    ['r.test:99999', /host/],
    ['1.2.3.4.5', /host/],
    ['[::zz]', /host/],
    ['[:::]', /host/],
    ['-r.test', /host/],
    ['r.test?x', /host/],
  ];
  for (const [text, message] of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      throws(() => parseRegistry(text), { code: 'USAGE', message });
    });
  }
});

describe('isRepositoryPath', () => {
  it('takes what the specification takes', () => {
    const good = ['a', 'a/b/c', 'a.b_c__d---e/f', '0', 'a'.repeat(255)];
    const bad = [
      '',
      '/a',
      'a/',
      'a//b',
      'A',
      'a..b',
      'a___b',
      '.a',
      'a.',
      '../a',
      'a b',
      'a:b',
      'a\n',
      'a'.repeat(256),
    ];

    deepEqual(
      good.filter((path) => !isRepositoryPath(path)),
      [],
    );
    deepEqual(bad.filter(isRepositoryPath), []);
  });
});

describe('isTag', () => {
  it('takes what the specification takes', () => {
    const good = ['1', '_a', 'v1.2-x_Y', 'a'.repeat(128)];
    const bad = ['', '.a', '-a', 'a/b', 'a:b', 'a+b', 'a\n', 'é', 'a'.repeat(129)];

    deepEqual(
      good.filter((tag) => !isTag(tag)),
      [],
    );
    deepEqual(bad.filter(isTag), []);
  });
});

describe('tryParseVersion', () => {
  const read: [string, object | undefined][] = [
    ['v1', { tag: 'v1' }],
    [DIGEST, { digest: DIGEST }],
    [`@${DIGEST}`, { digest: DIGEST }],
    [`v1@${DIGEST}`, { tag: 'v1', digest: DIGEST }],
    ['', undefined],
    ['@', undefined],
    ['v1@', undefined],
    ['-@' + DIGEST, undefined],
    ['v1@sha256:12', undefined],
    ['sha256:../x', undefined],
    [`a@b@${DIGEST}`, undefined],
  ];
  for (const [text, expected] of read) {
    it(`reads ${JSON.stringify(text)}`, () => deepEqual(tryParseVersion(text), expected));
  }
});

describe('formatReference', () => {
  it('writes what there is', () => {
    const place = { registry: 'r.test', path: 'a/b' };

    equal(formatReference(place), 'r.test/a/b');
    equal(formatReference({ ...place, tag: '1', digest: DIGEST }), `r.test/a/b:1@${DIGEST}`);
  });
});

describe('repositoryPath', () => {
  it("adds library/ to Docker Hub's own images, and to nothing else", () => {
    equal(repositoryPath('docker.io', 'redis'), 'library/redis');
    equal(repositoryPath('docker.io', 'bitnami/redis'), 'bitnami/redis');
    equal(repositoryPath('r.test', 'redis'), 'redis');
  });
});

describe('tryParseDigest', () => {
  it('takes each algorithm with its own length only', () => {
    equal(tryParseDigest(`sha512:${HEX}${HEX}`), `sha512:${HEX}${HEX}`);
    equal(tryParseDigest(`sha384:${HEX}`), undefined);
    equal(tryParseDigest(`sha256:${HEX.toUpperCase()}`), undefined);
    equal(tryParseDigest(`toString:${HEX}`), undefined);
    throws(() => parseDigest('x'), { code: 'PROTOCOL' });
  });
});
