import { deepEqual, doesNotThrow, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { applyPolicy, dockerScopes, parsePolicy, pathScopes } from '../../../src/image/policy.ts';

const YES = '[{"type":"insecureAcceptAnything"}]';
const NO = '[{"type":"reject"}]';
const SIGNED = '[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k"}]';
const scoped = (transport: string, scope: string): string =>
  `{"default":${YES},"transports":{"${transport}":{"${scope}":${NO}}}}`;

describe('parsePolicy', () => {
  /** The text, what is wrong with it. */
  const WRONG: [string, RegExp][] = [
    ['', /^f is no JSON/],
    [`{"default":${YES}} x`, /^f is no JSON/],
    ['[]', /^f: is no JSON object/],
    ['{}', /has no "default"/],
    ['{"default":[]}', /default is no list of requirements, or an empty one/],
    ['{"default":{}}', /default is no list/],
    ['{"default":["reject"]}', /default\[0\] is no object/],
    ['{"default":[{"type":"foo"}]}', /default\[0\] has a type that is not known: "foo"/],
    ['{"default":[{"type":"toString"}]}', /has a type that is not known/],
    ['{"default":[{}]}', /has a type that is not known/],
    ['{"default":[{"type":"reject","x":1}]}', /default\[0\] has a key that is not known: "x"/],
    [`{"default":${YES},"x":1}`, /has a key that is not known: "x"/],
    [`{"default":${YES},"default":${NO}}`, /has "default" twice/],
    [`{"default":${YES},"d\\u0065fault":${NO}}`, /has "default" twice/],
    ['{"default":[{"type":"reject","type":"insecureAcceptAnything"}]}', /has "type" twice/],
    [`{"default":${YES},"transports":[]}`, /transports is no object/],
    [`{"default":${YES},"transports":{"dir":1}}`, /transports\.dir is no object/],
    [`{"default":${YES},"transports":{"dir":{"":[]}}}`, /transports\.dir\."" is no list/],
    [scoped('dir', 'relative'), /transports\.dir\."relative" is no absolute path/],
    [scoped('dir', '/'), /is no absolute path/],
    [scoped('dir', '/a/'), /is no absolute path/],
    [scoped('dir', '/a/../b'), /is no absolute path/],
    [scoped('oci', 'a:v1'), /is no absolute path/],
    [scoped('docker-archive', '/a'), /this transport has none but ""/],
    [scoped('docker', 'a*.test'), /may have a \* only as in/],
    [scoped('docker', '*.a.test/x'), /may have a \* only as in/],
  ];
  for (const [text, expected] of WRONG) {
    it(`refuses ${text}`, () => {
      throws(() => parsePolicy(text, 'f'), { code: 'USAGE', message: expected });
    });
  }

  const RIGHT = [
    scoped('dir', '/a/..b/.c'),
    scoped('oci', '/a:v1'),
    scoped('docker', '*.a.test'),
    scoped('containers-storage', '[overlay@/x]*'),
    `{"default":${SIGNED}}`,
    // The same key in two objects, and as a value
    `{"default":[{"type":"reject"},{"type":"reject"}],"transports":{"a":{"type":${NO}},"b":{"type":${NO}}}}`,
  ];
  for (const text of RIGHT) {
    it(`takes ${text}`, () => doesNotThrow(() => parsePolicy(text, 'f')));
  }
});

describe('applyPolicy', () => {
  const policy = parsePolicy(
    `{"default":${NO},"transports":{
      "docker":{
        "docker.io/library/busybox:v1":${NO},
        "docker.io/library/busybox":${YES},
        "docker.io/signed":${SIGNED},
        "docker.io/both":[{"type":"insecureAcceptAnything"},{"type":"reject"}],
        "r.test:5000/ns":${YES},
        "*.example.com":${YES}
      },
      "dir":{"":${YES},"/no":${NO}}
    }}`,
    '/p.json',
  );
  const docker = (name: string, version = ':1') => ({
    transport: 'docker',
    scopes: dockerScopes(name, version),
  });
  const dir = (path: string) => ({ transport: 'dir', scopes: pathScopes(path) });

  for (const subject of [
    docker('docker.io/library/busybox'),
    docker('docker.io/library/busybox', ':v10'),
    docker('r.test:5000/ns/a/b'),
    docker('x.example.com/a'),
    docker('y.x.example.com:5000/a'),
    dir('/yes'),
    dir('/nothing'),
  ]) {
    it(`lets ${subject.scopes[0]} pass`, () => {
      doesNotThrow(() => applyPolicy(policy, subject, 'it'));
    });
  }

  /** What is refused, by which rule, with which code. */
  const REFUSED: [ReturnType<typeof docker>, string, string][] = [
    [
      docker('docker.io/library/busybox', ':v1'),
      'transports.docker."docker.io/library/busybox:v1"',
      'REJECTED',
    ],
    [docker('docker.io/library/other'), 'default', 'REJECTED'],
    [docker('docker.io/both/a'), 'transports.docker."docker.io/both"', 'REJECTED'],
    [docker('docker.io/signed/a'), 'transports.docker."docker.io/signed"', 'UNSUPPORTED'],
    [docker('r.test/ns/a'), 'default', 'REJECTED'],
    [docker('example.com/a'), 'default', 'REJECTED'],
    [dir('/no/a/b'), 'transports.dir."/no"', 'REJECTED'],
    [{ transport: 'oci', scopes: pathScopes('/a') }, 'default', 'REJECTED'],
    [{ transport: 'constructor', scopes: ['name'] }, 'default', 'REJECTED'],
  ];
  for (const [subject, where, code] of REFUSED) {
    it(`refuses ${subject.scopes[0]} by ${where}`, () => {
      throws(
        () => applyPolicy(policy, subject, 'it'),
        (error: Error & { code: string }) =>
          error.code === code && error.message.includes(`/p.json (${where})`),
      );
    });
  }
});

describe('scopes', () => {
  it('of an image in a registry', () => {
    deepEqual(dockerScopes('a.b.test:5000/x/y', '@sha256:1'), [
      'a.b.test:5000/x/y@sha256:1',
      'a.b.test:5000/x/y',
      'a.b.test:5000/x',
      'a.b.test:5000',
      '*.b.test',
      '*.test',
    ]);
  });

  it('of a path', () => deepEqual(pathScopes('/a/b/c'), ['/a/b/c', '/a/b', '/a']));
});
