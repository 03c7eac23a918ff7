import { deepEqual, equal, match, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { digestOf } from '../../../src/image/digest.ts';
import {
  EMPTY_INDEX,
  findEntry,
  formatLayoutIndex,
  listEntries,
  parseLayoutIndex,
  unnamedEntries,
  withEntry,
} from '../../../src/store/layout-index.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';
const MEDIA_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const described = (text: string) => ({
  mediaType: MEDIA_TYPE,
  digest: digestOf(Buffer.from(text)),
  size: text.length,
});
const [A, B] = [described('a'), described('bb')];
const named = (descriptor: object, name: string) => ({
  ...descriptor,
  annotations: { [REF_NAME]: name },
});
const parse = (json: unknown) => parseLayoutIndex(Buffer.from(JSON.stringify(json)), 'index.json');
const entriesOf = (index: { entries: readonly unknown[] }): unknown => index.entries;

describe('withEntry', () => {
  it('adds a named image to an empty index', () => {
    const index = withEntry(EMPTY_INDEX, A, 'v1');

    deepEqual(JSON.parse(formatLayoutIndex(index).toString()), {
      schemaVersion: 2,
      manifests: [named(A, 'v1')],
    });
  });

  it('moves a name: the image that had it stays without', () => {
    const index = withEntry(parse({ manifests: [named(A, 'v1')] }), B, 'v1');

    deepEqual(entriesOf(index), [A, named(B, 'v1')]);
  });

  it('keeps what else an image without its name is annotated with', () => {
    const old = { ...A, annotations: { [REF_NAME]: 'v1', other: 'kept' }, unknown: 1 };

    const index = withEntry(parse({ manifests: [old] }), B, 'v1');

    deepEqual(entriesOf(index), [
      { ...A, annotations: { other: 'kept' }, unknown: 1 },
      named(B, 'v1'),
    ]);
  });

  it('gives its name to the same image that has none', () => {
    const index = withEntry(parse({ manifests: [A, named(B, 'b')] }), A, 'v1');

    deepEqual(entriesOf(index), [named(A, 'v1'), named(B, 'b')]);
  });

  it('is the same when done twice', () => {
    const once = withEntry(EMPTY_INDEX, A, 'v1');

    deepEqual(withEntry(once, A, 'v1'), once);
    deepEqual(withEntry(withEntry(EMPTY_INDEX, A), A), withEntry(EMPTY_INDEX, A));
  });

  it('keeps several names of one image', () => {
    deepEqual(entriesOf(withEntry(withEntry(EMPTY_INDEX, A, 'x'), A, 'y')), [
      named(A, 'x'),
      named(A, 'y'),
    ]);
  });

  it('adds an image without a name beside those with one', () => {
    deepEqual(entriesOf(withEntry(parse({ manifests: [named(A, 'x')] }), A)), [named(A, 'x'), A]);
  });

  it('keeps what it does not know', () => {
    const index = withEntry(parse({ schemaVersion: 2, extra: { a: 1 }, manifests: null }), A);

    deepEqual(JSON.parse(formatLayoutIndex(index).toString()), {
      schemaVersion: 2,
      extra: { a: 1 },
      manifests: [A],
    });
  });
});

describe('findEntry', () => {
  const index = parse({ manifests: [named(A, 'a'), named(B, 'b'), A] });

  it('finds by name, by number, or the only one', () => {
    equal(findEntry(index, { name: 'b' }, 'x')?.digest, B.digest);
    equal(findEntry(index, { index: 2 }, 'x')?.digest, A.digest);
    equal(findEntry(parse({ manifests: [named(B, 'b')] }), {}, 'x')?.digest, B.digest);
  });

  it('finds nothing', () => {
    equal(findEntry(index, { name: 'c' }, 'x'), undefined);
    equal(findEntry(index, { index: 3 }, 'x'), undefined);
    equal(findEntry(EMPTY_INDEX, {}, 'x'), undefined);
  });

  it('takes the first of two of the same name, as skopeo does', () => {
    const twice = parse({ manifests: [named(A, 'a'), named(B, 'a')] });

    equal(findEntry(twice, { name: 'a' }, 'x')?.digest, A.digest);
    equal(listEntries(twice), 'a, @1');
  });

  it('lists what there is when one has to be chosen', () => {
    throws(
      () => findEntry(index, {}, 'oci:x'),
      (error: Error & { code?: string }) => {
        equal(error.code, 'USAGE');
        match(error.message, /^oci:x holds 3 images: .*: a, b, @2$/);
        return true;
      },
    );
  });

  it('does not stumble over another entry that is malformed', () => {
    const odd = parse({ manifests: [{ digest: 'x' }, 7, named(A, 'a')] });

    equal(findEntry(odd, { name: 'a' }, 'x')?.digest, A.digest);
    throws(() => findEntry(odd, { index: 0 }, 'x'), { code: 'PROTOCOL' });
    throws(() => findEntry(odd, { index: 1 }, 'x'), { code: 'PROTOCOL' });
  });

  for (const digest of ['sha256:../../../etc/passwd', 'sha256:AB', 'md5:00', 'sha256:%2e']) {
    it(`makes no path of ${digest}`, () => {
      const hostile = parse({ manifests: [{ ...A, digest }] });

      throws(() => findEntry(hostile, {}, 'x'), { code: 'PROTOCOL' });
    });
  }
});

it('unnamedEntries are those without a name', () => {
  deepEqual(unnamedEntries(parse({ manifests: [named(A, 'a'), B, named(A, '')] })), [
    B,
    named(A, ''),
  ]);
});

it('shows no more names than a screen has room for', () => {
  const many = parse({
    manifests: Array.from({ length: 500 }, (_, at) => named(A, `v${at}\u001b[31m`)),
  });

  const listed = listEntries(many);

  match(listed, /^v0 \[31m, .*v19 \[31m, … \(500 in all\)$/);
});

describe('parseLayoutIndex', () => {
  const wrong: readonly [string, string, string][] = [
    ['no JSON', '{', 'PROTOCOL'],
    ['no object', '[]', 'PROTOCOL'],
    ['no list', '{"manifests":{}}', 'PROTOCOL'],
    ['another version', '{"schemaVersion":3,"manifests":[]}', 'UNSUPPORTED'],
  ];
  for (const [what, text, code] of wrong) {
    it(`refuses ${what}`, () => {
      throws(() => parseLayoutIndex(Buffer.from(text), 'index.json'), { code });
    });
  }
});
