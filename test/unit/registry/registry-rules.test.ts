import { deepEqual, equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { formatReference, type Reference } from '../../../src/image/reference.ts';
import { mergeConfs, parseRegistriesConf } from '../../../src/registry/registries-conf.ts';
import { RegistryRules } from '../../../src/registry/registry-rules.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

function rulesOf(text: string): RegistryRules {
  return new RegistryRules(mergeConfs([parseRegistriesConf(text, '/etc/r.conf')]).rules);
}

function referenceOf(text: string): Reference {
  const [, registry = '', path = '', tag, digest] =
    /^([^/]+)\/([^:@]+)(?::(.+)|@(.+))?$/.exec(text) ?? [];
  return { registry, path, ...(tag && { tag }), ...(digest && { digest }) } as Reference;
}

/** `reference`, with ` (insecure)` where it is. */
function placesOf(rules: RegistryRules, text: string): string[] {
  return rules
    .pullPlaces(referenceOf(text))
    .map(({ reference, insecure }) => formatReference(reference) + (insecure ? ' (insecure)' : ''));
}

const RULES = rulesOf(`
[[registry]]
location = "a.test"
insecure = true
[[registry]]
prefix = "a.test/ns"
location = "b.test/other"
[[registry.mirror]]
location = "m1.test:5000"
insecure = true
[[registry.mirror]]
location = "m2.test/x/y"
[[registry]]
prefix = "a.test/one/app:v1"
location = "b.test/app:v2"
[[registry]]
location = "c.test"
[[registry.mirror]]
location = "digest.test"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "tag.test"
pull-from-mirror = "tag-only"
[[registry]]
prefix = "*.example.com"
insecure = true
[[registry]]
prefix = "*.sub.example.com"
location = "moved.test/sub"
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "mirror.test/hub"
`);

describe('pullPlaces', () => {
  /** A reference, where it is read. */
  const PLACES: [string, string[]][] = [
    ['other.test/x:1', ['other.test/x:1']],
    ['a.test/x:1', ['a.test/x:1 (insecure)']],
    ['a.test:5000/x:1', ['a.test:5000/x:1']],
    [
      'a.test/ns/app:1',
      ['m1.test:5000/app:1 (insecure)', 'm2.test/x/y/app:1', 'b.test/other/app:1'],
    ],
    ['a.test/nsx/app:1', ['a.test/nsx/app:1 (insecure)']],
    ['a.test/one/app:v1', ['b.test/app:v2']],
    ['a.test/one/app:v10', ['a.test/one/app:v10 (insecure)']],
    ['c.test/x:1', ['tag.test/x:1', 'c.test/x:1']],
    [`c.test/x@${DIGEST}`, [`digest.test/x@${DIGEST}`, `c.test/x@${DIGEST}`]],
    ['c.test/x', ['tag.test/x', 'c.test/x']],
    ['x.example.com/a:1', ['x.example.com/a:1 (insecure)']],
    ['x.y.example.com:5000/a:1', ['x.y.example.com:5000/a:1 (insecure)']],
    ['example.com/a:1', ['example.com/a:1']],
    ['example.org/x.example.com:1', ['example.org/x.example.com:1']],
    ['x.sub.example.com/a:1', ['moved.test/sub/a:1']],
    [
      'docker.io/library/busybox:1',
      ['mirror.test/hub/library/busybox:1', 'docker.io/library/busybox:1'],
    ],
  ];
  for (const [text, expected] of PLACES) {
    it(`reads ${text} from ${expected.join(', ')}`, () => {
      deepEqual(placesOf(RULES, text), expected);
    });
  }

  it('says which file leads to no reference', () => {
    const rules = rulesOf('[[registry]]\nprefix = "a.test/x"\nlocation = "b.test"');
    throws(() => placesOf(rules, 'a.test/x:1'), {
      code: 'USAGE',
      message: /^\/etc\/r\.conf: .*b\.test:1/,
    });
  });
});

describe('isInsecure', () => {
  it('goes by the longest prefix', () => {
    equal(RULES.isInsecure('a.test'), true);
    equal(RULES.isInsecure('a.test/x'), true);
    equal(RULES.isInsecure('a.test/ns/app'), false);
    equal(RULES.isInsecure('m1.test:5000'), false); // only as a mirror
    equal(RULES.isInsecure('aa.test'), false);
  });
});

describe('what is blocked', () => {
  const rules = rulesOf(
    '[[registry]]\nlocation = "a.test"\nblocked = true\n[[registry]]\nlocation = "a.test/free"',
  );

  it('is neither read nor met, and the file is named', () => {
    const expected = { code: 'REJECTED', message: /a\.test is blocked in \/etc\/r\.conf/ };
    throws(() => rules.pullPlaces(referenceOf('a.test/x:1')), expected);
    throws(() => rules.isInsecure('a.test'), expected);
  });

  it('is blocked on each of its ports', () => {
    throws(() => rules.isInsecure('a.test:5000/x'), { code: 'REJECTED' });
    equal(rules.isInsecure('a.test.example.com'), false);
  });

  it('is not what has a rule of its own', () => {
    deepEqual(placesOf(rules, 'a.test/free/x:1'), ['a.test/free/x:1']);
  });
});
