import { deepEqual, equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { parseDigest } from '../../../src/image/digest.ts';
import { formatReference } from '../../../src/image/reference.ts';
import { profileOf } from '../../../src/registry/profile.ts';
import { createMapping, type MappingSettings } from '../../../src/sync/mapping.ts';
import type { TagRow } from '../../../src/sync/tag-row.ts';

const D = parseDigest(`sha256:${'a'.repeat(64)}`);
const ROW: TagRow = { line: 7, namespace: 'acme', repository: 'team/web', tag: '1.0', digest: D };

function mapping(settings: Partial<MappingSettings> = {}): (row?: TagRow) => string {
  const all = { source: 's.test:5000', target: 't.test', targetPath: 'keep', appendSuffix: '' };
  const map = createMapping({ ...all, ...settings });
  return (row = ROW) => formatReference(map(row).target);
}

/** A template, other settings, what becomes of acme/team/web:1.0. */
const TEMPLATES: [string, Partial<MappingSettings>, string][] = [
  ['keep', {}, 't.test/acme/team/web:1.0'],
  ['keep', { targetNamespace: 'mirror' }, 't.test/mirror/team/web:1.0'],
  ['keep', { targetNamespace: 'mirror/of/acme' }, 't.test/mirror/of/acme/team/web:1.0'],
  ['keep', { targetNamespace: '' }, 't.test/team/web:1.0'],
  ['two-components', {}, 't.test/acme/team-web:1.0'],
  ['last', {}, 't.test/acme/web:1.0'],
  ['{path}', {}, 't.test/team/web:1.0'],
  ['{namespace}/{path:--}', {}, 't.test/acme/team--web:1.0'],
  ['{namespace}/{path:_}', {}, 't.test/acme/team_web:1.0'],
  ['{namespace:-}-{path:}', { targetNamespace: 'a/b' }, 't.test/a-b-teamweb:1.0'],
  ['{registry}/{namespace}/{path}', {}, 't.test/s.test/acme/team/web:1.0'],
  ['{namespace}/{name}/{tag}', {}, 't.test/acme/web/1.0:1.0'],
  ['images:{namespace}-{path:-}-{tag}', {}, 't.test/images:acme-team-web-1.0'],
  ['{path:-}:v{tag}', {}, 't.test/team-web:v1.0'],
  ['fixed', {}, 't.test/fixed:1.0'],
  ['/fixed//{name}/', {}, 't.test/fixed/web:1.0'],
  ['keep', { appendSuffix: '-eu' }, 't.test/acme/team/web:1.0-eu'],
  ['x:{tag}-{name}', { appendSuffix: '-eu' }, 't.test/x:1.0-web-eu'],
];

/** Templates that can't be understood, and what is said of them. */
const UNKNOWN: [string, RegExp][] = [
  ['{repo}', /has the unknown part \{repo\}: there are \{namespace\} \{path\}/],
  ['{Namespace}/{path}', /has the unknown part \{Namespace\}/],
  ['{}', /has the unknown part \{\}/],
  ['{constructor}', /has the unknown part \{constructor\}/],
  ['{path', /has braces that do not match/],
  ['path}', /has braces that do not match/],
  ['{path:{tag}}', /has braces that do not match/],
  ['a:b:{tag}', /has more than one colon/],
  ['', /is empty/],
];

/** Mappings that make a name which no registry takes. */
const ILLEGAL: [Partial<MappingSettings>, Partial<TagRow>, RegExp][] = [
  [
    { targetNamespace: 'Acme' },
    {},
    /^line 7: acme\/team\/web would become the repository "Acme\/team\/web" at/,
  ],
  [{ targetNamespace: '../x' }, {}, /the repository "\.\.\/x\/team\/web"/],
  [{ targetPath: '{namespace}-/{name}' }, {}, /the repository "acme-\/web"/],
  [{ targetPath: '{path}/{tag}' }, { tag: 'V1' }, /the repository "team\/web\/V1"/],
  [
    { appendSuffix: '+x' },
    {},
    /^line 7: acme\/team\/web would become the tag "1\.0\+x" at the target/,
  ],
  [{ appendSuffix: '-x' }, { tag: 'a'.repeat(127) }, /would become the tag "a+-x"/],
  [{ targetPath: 'x:{path}' }, {}, /would become the tag "team\/web"/],
  [{ targetNamespace: 'n'.repeat(255) }, {}, /no legal name$/],
];

describe('createMapping', () => {
  for (const [targetPath, settings, expected] of TEMPLATES) {
    it(`maps by ${targetPath} ${JSON.stringify(settings)}`, () => {
      equal(mapping({ targetPath, ...settings })(), expected);
    });
  }

  it('reads from the whole path, by tag and digest', () => {
    const map = createMapping({ source: 's', target: 't', targetPath: 'last', appendSuffix: '-x' });

    deepEqual(map(ROW).source, { registry: 's', path: 'acme/team/web', tag: '1.0', digest: D });
  });

  it('puts what has no tag under its digest, without the suffix', () => {
    const { tag: _, ...row } = ROW;

    equal(mapping({ appendSuffix: '-x' })(row), `t.test/acme/team/web@${D}`);
  });

  it("takes a word that is no preset for a path, even one of JavaScript's own", () => {
    equal(mapping({ targetPath: 'constructor' })(), 't.test/constructor:1.0');
  });

  it("adds Docker Hub's library on both sides, and only there", () => {
    const row: TagRow = { line: 2, namespace: '', repository: 'redis', tag: '7' };
    const hub = createMapping({
      source: 'docker.io',
      target: 'docker.io',
      targetPath: 'keep',
      appendSuffix: '-x',
    });

    deepEqual(Object.values(hub(row)).map(formatReference), [
      'docker.io/library/redis:7',
      'docker.io/library/redis:7-x',
    ]);
    equal(mapping()(row), 't.test/redis:7');
  });

  for (const [targetPath, message] of UNKNOWN) {
    it(`refuses the template ${JSON.stringify(targetPath)}`, () => {
      throws(() => mapping({ targetPath }), { code: 'USAGE', message });
    });
  }

  for (const [settings, row, message] of ILLEGAL) {
    it(`refuses what becomes illegal by ${JSON.stringify(settings).slice(0, 60)}`, () => {
      throws(() => mapping(settings)({ ...ROW, ...row }), { code: 'USAGE', message });
    });
  }
});

describe('names at a registry that takes so many parts', () => {
  const ONE = { ...ROW, namespace: '', repository: 'redis' };
  const hub = { target: 'docker.io', targetProfile: profileOf('docker.io') };
  const quay = { target: 'quay.io', targetProfile: profileOf('quay.io') };
  const plain = { target: 't.test', targetProfile: profileOf('t.test') };

  for (const [settings, row, expected] of [
    [{ ...hub, targetPath: 'two-components' }, ROW, 'docker.io/acme/team-web:1.0'],
    [{ ...hub, targetPath: 'last', targetNamespace: 'mirror' }, ROW, 'docker.io/mirror/web:1.0'],
    [hub, { ...ROW, namespace: 'library', repository: 'redis' }, 'docker.io/library/redis:1.0'],
    [{ ...hub, targetNamespace: 'mirror' }, ONE, 'docker.io/mirror/redis:1.0'],
    [quay, ROW, 'quay.io/acme/team/web:1.0'],
    [{ ...quay, targetPath: 'last' }, ROW, 'quay.io/acme/web:1.0'],
    [{ ...plain, targetPath: '{name}' }, ROW, 't.test/web:1.0'],
    [{ ...plain, targetNamespace: 'a/b/c/d' }, ROW, 't.test/a/b/c/d/team/web:1.0'],
  ] as const) {
    it(`may have as many: ${expected}`, () => equal(mapping(settings)(row), expected));
  }

  for (const [settings, message] of [
    [
      hub,
      'line 7: acme/team/web would become docker.io/acme/team/web, but names at Docker Hub have exactly 2 parts: --target-path two-components joins the rest by "-"',
    ],
    [
      { ...quay, targetPath: '{name}' },
      'line 7: acme/team/web would become quay.io/web, but names at Quay have at least 2 parts: give --target-namespace',
    ],
    [
      { ...plain, targetPath: '{name}', targetProfile: profileOf('t.test', 'harbor') },
      'line 7: acme/team/web would become t.test/web, but names at Harbor have at least 2 parts: give --target-namespace',
    ],
  ] as const) {
    it(`may not have others: ${message.slice(40, 90)}`, () => {
      throws(() => mapping(settings)(), { code: 'USAGE', message });
    });
  }

  for (const [settings, row] of [
    [hub, ONE],
    [
      { ...hub, targetNamespace: '' },
      { ...ROW, repository: 'redis' },
    ],
    [
      { ...hub, targetPath: '{name}' },
      { ...ROW, repository: 'redis' },
    ],
  ] as const) {
    it(`may not be Docker’s own images without saying so: ${JSON.stringify(settings).slice(23, 60)}`, () => {
      const name = [row.namespace, row.repository].filter(Boolean).join('/');

      throws(() => mapping(settings)(row), {
        code: 'USAGE',
        message: `line 7: ${name} would become docker.io/redis, but names at Docker Hub have exactly 2 parts: give --target-namespace`,
      });
    });
  }
});
