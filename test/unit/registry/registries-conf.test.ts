import { deepEqual, equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { mergeConfs, parseRegistriesConf } from '../../../src/registry/registries-conf.ts';

const FULL = `
unqualified-search-registries = ["example.com"]
credential-helpers = ["containers-auth.json"]
short-name-mode = "enforcing"
[aliases]
"busybox" = "docker.io/library/busybox"
[[registry]]
prefix = "example.com/foo"
location = "internal.example.com/bar/"
blocked = false
[[registry.mirror]]
location = "mirror-0.local/foo"
[[registry.mirror]]
location = "mirror-1.local/foo"
insecure = true
pull-from-mirror = "tag-only"
[[registry]]
location = "r.test:5000"
insecure = true
mirror-by-digest-only = true
[[registry.mirror]]
location = "m.test"
[[registry]]
prefix = "*.blocked.test"
blocked = true
`;

describe('parseRegistriesConf', () => {
  it('reads all that there is', () => {
    const plain = { insecure: false, blocked: false, mirrors: [], file: 'f' };
    deepEqual(parseRegistriesConf(FULL, 'f'), {
      rules: [
        {
          ...plain,
          prefix: 'example.com/foo',
          location: 'internal.example.com/bar',
          mirrors: [
            { location: 'mirror-0.local/foo', insecure: false, use: 'all' },
            { location: 'mirror-1.local/foo', insecure: true, use: 'tag-only' },
          ],
        },
        {
          ...plain,
          prefix: 'r.test:5000',
          location: 'r.test:5000',
          insecure: true,
          mirrors: [{ location: 'm.test', insecure: false, use: 'digest-only' }],
        },
        { ...plain, prefix: '*.blocked.test', location: undefined, blocked: true },
      ],
      searchRegistries: ['example.com'],
      credentialHelpers: ['containers-auth.json'],
      aliases: { busybox: 'docker.io/library/busybox' },
    });
  });

  for (const text of ['', '# nothing', '[registries.search]\nregistries = []', 'later = 1']) {
    it(`finds no rules in ${JSON.stringify(text)}`, () => {
      deepEqual(parseRegistriesConf(text, 'f').rules, []);
    });
  }
});

describe('parseRegistriesConf, of what is wrong', () => {
  const registry = '[[registry]]\n';
  const mirrored = `${registry}location = "a.test"\n[[registry.mirror]]\n`;
  /** The text, what is said of it after the file's name. */
  const WRONG: [string, RegExp][] = [
    ['[[registry', /^f, line 1: /],
    ["[registries.search]\nregistries = ['a.test']", /registries\.search is of version 1/],
    ["[registries.block]\nregistries = ['a.test']", /registries\.block is of version 1/],
    ['[registry]\nlocation = "a"', /registry is no \[\[registry\]\]/],
    ['unqualified-search-registries = "a"', /unqualified-search-registries is no list/],
    ['aliases = 1', /aliases is no table/],
    ['[aliases]\na = 1', /aliases\.a is no text/],
    [registry, /registry\[0\]\.location is missing/],
    [`${registry}prefix = "a.test"`, /registry\[0\]\.location is missing/],
    [`${registry}location = "https://a.test"`, /registry\[0\]\.location has a scheme/],
    [`${registry}location = 5`, /registry\[0\]\.location is no text/],
    [`${registry}location = "a"\ninsecure = "yes"`, /registry\[0\]\.insecure is neither/],
    [`${registry}prefix = "a.*.test"\nlocation = "b"`, /prefix "a\.\*\.test" may have a \*/],
    [`${registry}prefix = "*.test/ns"\nlocation = "b"`, /prefix "\*\.test\/ns" may have a \*/],
    [`${registry}location = "a"\npull-from-mirror = "all"`, /belongs to a \[\[registry\.mirror/],
    [`${registry}location = "a"\nproxy = "http://p.test"`, /registry\[0\]\.proxy is not supported/],
    [mirrored, /registry\[0\]\.mirror\[0\]\.location is missing/],
    [`${mirrored}location = "m"\npull-from-mirror = "never"`, /pull-from-mirror is none of all/],
    [
      `${registry}location = "a"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m"\npull-from-mirror = "all"`,
      /mirror\[0\]\.pull-from-mirror is not possible/,
    ],
  ];
  for (const [text, expected] of WRONG) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      throws(
        () => parseRegistriesConf(text, 'f'),
        ({ code, message }: Error & { code: string }) =>
          code === 'USAGE' && message.startsWith('f') && expected.test(message),
      );
    });
  }
});

describe('mergeConfs', () => {
  const conf = (text: string, file: string) => parseRegistriesConf(text, file);

  it('has later files replace rules of the same prefix, whole', () => {
    const { rules } = mergeConfs([
      conf('[[registry]]\nlocation = "a"\nblocked = true\n[[registry]]\nlocation = "b"', '1'),
      conf('[[registry]]\nlocation = "a"\ninsecure = true', '2'),
    ]);
    deepEqual(
      rules
        .map(({ prefix, insecure, blocked, file }) => [prefix, insecure, blocked, file])
        .toSorted(),
      [
        ['a', true, false, '2'],
        ['b', false, false, '1'],
      ],
    );
  });

  it('has the first of two equal prefixes count in one file', () => {
    const text = '[[registry]]\nlocation = "a"\n[[registry]]\nlocation = "b"\nprefix = "a"';
    const { rules } = mergeConfs([conf(text, '1')]);
    deepEqual(
      rules.map(({ location }) => location),
      ['a'],
    );
  });

  it('adds aliases, and takes the last list', () => {
    const merged = mergeConfs([
      conf('unqualified-search-registries = ["a"]\n[aliases]\nx = "1"\ny = "1"', '1'),
      conf('unqualified-search-registries = ["b"]\n[aliases]\ny = "2"', '2'),
      conf('', '3'),
    ]);
    deepEqual(merged.aliases, { x: '1', y: '2' });
    deepEqual(merged.searchRegistries, ['b']);
    equal(merged.credentialHelpers, undefined);
  });
});
