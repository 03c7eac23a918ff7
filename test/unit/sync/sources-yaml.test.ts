import { deepEqual, doesNotMatch, equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { readSourcesYaml, type YamlRegistry } from '../../../src/sync/sources-yaml.ts';

const DIGEST = `sha256:${'0'.repeat(32)}${'1'.repeat(32)}`;

/** skopeo-sync(1)'s own example. */
const EXAMPLE = `registry.example.com:
    images:
        busybox: []
        redis:
            - "1.0"
            - "2.0"
            - "${DIGEST}"
    images-by-tag-regex:
        nginx: ^1\\.13\\.[12]-alpine-perl$
    images-by-semver:
        alpine: ">= 3.12.0"
    credentials:
        username: john
        password: this is a secret
    tls-verify: true
    cert-dir: /home/john/certs
quay.io:
    tls-verify: false
    images:
        coreos/etcd:
            - latest
`;

const read = (text: string): YamlRegistry[] => readSourcesYaml('sync.yml', text);

/** `registry/path wanted`, one per repository. */
function listed(text: string): string[] {
  return read(text).flatMap(({ repositories }) =>
    repositories.map(({ repository, wanted }) => {
      const { registry, path } = repository;
      const what =
        wanted.kind === 'named'
          ? wanted.versions.map(({ tag, digest }) => tag ?? digest).join(' ')
          : wanted.kind;
      return `${registry}/${path} ${what}`;
    }),
  );
}

/** A file, and what is said of it. */
const WRONG: [string, string, RegExp][] = [
  ['nothing', '', /^sync\.yml:1: has no registries$/],
  ['a list', '- a\n', /^sync\.yml:1: the file needs lines of the form/],
  ['no YAML', 'a:\n  b: 1\n   c: 2\n', /^sync\.yml:\d: is no YAML: /],
  ['two documents', 'a: {}\n---\nb: {}\n', /^sync\.yml:\d: is no YAML: /],
  ['a registry twice', 'a.b: {}\na.b: {}\n', /^sync\.yml:2: is no YAML: Map keys must be unique/],
  [
    'images on the first level, as in document 003',
    'nginx:\n  - latest\nredis:\n  - alpine\n',
    /^sync\.yml:1: "nginx" has a list, but the first level is registries: write docker\.io: /,
  ],
  ['an unknown setting', 'a.b:\n  image:\n    x: []\n', /^sync\.yml:2: "image" is no setting of/],
  ['images as a list', 'a.b:\n  images: [x]\n', /^sync\.yml:2: images needs lines of the form/],
  ['tags as a text', 'a.b:\n  images:\n    x: "1.0"\n', /^sync\.yml:3: "x" needs a list of tags/],
  [
    'a tag that is none',
    'a.b:\n  images:\n    x:\n      - ok\n      - "no tag"\n',
    /^sync\.yml:5: "no tag" of "x" is neither a tag nor a digest$/,
  ],
  ['a list as a tag', 'a.b:\n  images:\n    x: [[a]]\n', /^sync\.yml:3: a tag of "x" needs a text/],
  [
    'a short digest',
    'a.b:\n  images:\n    x: ["sha256:12"]\n',
    /:3: "sha256:12" of "x" is neither/,
  ],
  ['an illegal name', 'a.b:\n  images:\n    Big: []\n', /^sync\.yml:3: "a\.b\/Big" is no name of/],
  ['a name with a tag', 'a.b:\n  images:\n    x:1: []\n', /:3: "a\.b\/x:1" is no name of/],
  [
    'a broken regex',
    'a.b:\n  images-by-tag-regex:\n    x: "("\n',
    /^sync\.yml:3: "x": "\(" is no regular expression/,
  ],
  ['no regex', 'a.b:\n  images-by-tag-regex:\n    x:\n', /^sync\.yml:3: "x" has no value$/],
  [
    'a broken constraint',
    'a.b:\n  images-by-semver:\n    x: newest\n',
    /^sync\.yml:3: "x": "newest" is no constraint of versions/,
  ],
  ['tls-verify: maybe', 'a.b:\n  tls-verify: maybe\n', /^sync\.yml:2: tls-verify is true or false/],
  ['tls-verify quoted', 'a.b:\n  tls-verify: "no"\n', /^sync\.yml:2: tls-verify is true or false/],
  [
    'half of the credentials',
    'a.b:\n  credentials:\n    username: john\n',
    /^sync\.yml:3: credentials need a username and a password$/,
  ],
  [
    'other credentials',
    'a.b:\n  credentials:\n    user: john\n    password: hunter2\n',
    /^sync\.yml:3: credentials are username and password, and nothing else$/,
  ],
  [
    'credentials in a text',
    'a.b:\n  credentials: john:hunter2\n',
    /^sync\.yml:2: credentials needs lines of the form/,
  ],
  [
    'a style for what is not listed',
    'a.b:\n  images:\n    x: []\n  destination-path-style:\n    x: flat\n    y: flat\n',
    /^sync\.yml:6: destination-path-style names "y", which is not among the images$/,
  ],
];

describe('readSourcesYaml', () => {
  it("reads skopeo's example", () => {
    deepEqual(listed(EXAMPLE), [
      'registry.example.com/busybox all',
      `registry.example.com/redis 1.0 2.0 ${DIGEST}`,
      'registry.example.com/nginx matching',
      'registry.example.com/alpine matching',
      'quay.io/coreos/etcd latest',
    ]);
    const [first, second] = read(EXAMPLE);
    deepEqual(first?.credentials, { username: 'john', password: 'this is a secret' });
    deepEqual([first?.tlsVerify, first?.certDir], [true, '/home/john/certs']);
    deepEqual(
      [second?.tlsVerify, second?.certDir, second?.credentials],
      [false, undefined, undefined],
    );
  });

  it('compiles regular expressions and constraints', () => {
    const [, , nginx, alpine] = read(EXAMPLE)[0]?.repositories ?? [];
    const tags = ['1.13.1-alpine-perl', 'x1.13.1-alpine-perl', '3.12', '3.11.9', '4.0.0'];
    const kept = [nginx, alpine].map((one) =>
      one?.wanted.kind === 'matching' ? tags.filter(one.wanted.matches) : [],
    );

    deepEqual(kept, [['1.13.1-alpine-perl'], ['3.12', '4.0.0']]);
  });

  it('takes tags as they are written, numbers or not', () => {
    deepEqual(listed('a.b:\n  images:\n    x: [1.10, 1.20, 007, 1e3, 0x10, true, 2024-01-01]\n'), [
      'a.b/x 1.10 1.20 007 1e3 0x10 true 2024-01-01',
    ]);
  });

  it('takes no value for all tags, as an empty list', () => {
    deepEqual(listed('a.b:\n  images:\n    x:\n    y: ~\n    z: []\n'), [
      'a.b/x all',
      'a.b/y all',
      'a.b/z all',
    ]);
  });

  it("knows Docker Hub's library, ports and registries with a path", () => {
    deepEqual(
      listed(
        'docker.io: {images: {nginx: []}}\n"localhost:5000": {images: {a/b: []}}\nquay.io/coreos: {images: {etcd: []}}\n',
      ),
      ['docker.io/library/nginx all', 'localhost:5000/a/b all', 'quay.io/coreos/etcd all'],
    );
  });
});

describe('readSourcesYaml, of less usual files', () => {
  it('takes aliases', () => {
    const [, second] = read(
      'a.b:\n  credentials: &c {username: u, password: p}\nc.d:\n  credentials: *c\n  images: {x: []}\n',
    );

    deepEqual(second?.credentials, { username: 'u', password: 'p' });
  });

  it('takes a style for all repositories, or for each', () => {
    const styles = (text: string): unknown[] =>
      read(text).flatMap(({ repositories }) =>
        repositories.map(({ pathStyle, targetPath }) => pathStyle ?? targetPath),
      );

    deepEqual(styles('a.b: {images: {x: [], y: []}, destination-path-style: flat}\n'), [
      'flat',
      'flat',
    ]);
    deepEqual(
      styles(
        'a.b: {images: {x: [], y: [], z: []}, destination-path-style: {x: flat}, target-path: {y: "p/{name}"}}\n',
      ),
      ['flat', 'p/{name}', undefined],
    );
  });
});

describe('readSourcesYaml, of a wrong file', () => {
  for (const [what, text, message] of WRONG) {
    it(`refuses ${what}`, () => {
      throws(() => read(text), { code: 'USAGE', message });
    });
  }

  it('shows no password of a wrong file', () => {
    const texts = WRONG.map(([, text]) => text).filter((text) => text.includes('hunter2'));
    equal(texts.length, 2);
    for (const text of texts) {
      throws(
        () => read(text),
        (error: Error) => {
          doesNotMatch(error.message, /hunter2/);
          return true;
        },
      );
    }
  });
});

it('refuses an alias of nothing, which would be all tags', () => {
  throws(() => readSourcesYaml('a.yaml', 'h.example:\n  images: {a/b: *tgas}\n'), {
    code: 'USAGE',
    message: /^a\.yaml:2: \*tgas stands for nothing/,
  });
});
