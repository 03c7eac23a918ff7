import { deepEqual, equal, match, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { formatLocation, parseNamed } from '../../../src/store/location.ts';
import { nameOfDir } from '../../../src/sync/dir-tree.ts';
import {
  checkNaming,
  planSync,
  type Destination,
  type FoundGroup,
  type FoundImage,
} from '../../../src/sync/sync-plan.ts';

const D = `sha256:${'a'.repeat(64)}`;

function inRegistry(name: string): FoundImage {
  const reference = parseNamed(name);
  if (reference === undefined) throw new Error(name);
  return { source: { transport: 'docker', reference }, name: reference };
}

function inDir(path: string): FoundImage {
  return { source: { transport: 'dir', path: `/media/usb/${path}` }, name: nameOfDir(path) };
}

function destination(settings: Partial<Destination>): Destination {
  return { transport: 'docker', to: 't.test', naming: {}, prefix: '', suffix: '', ...settings };
}

function plan(images: readonly FoundImage[], settings: Partial<Destination> = {}): string[] {
  const groups: FoundGroup[] = [{ images }];
  return planSync(groups, destination(settings)).map((one) => formatLocation(one.destination));
}

/** A source in a registry, settings, what it becomes. */
const NAMES: [string, Partial<Destination>, string][] = [
  // skopeo-sync(1), and what skopeo 1.9.3 does
  ['r.test/busybox:1', { transport: 'dir', to: '/media/usb' }, 'dir:/media/usb/busybox:1'],
  ['r.test:5000/a/b/web:1', { transport: 'dir', to: '/usb/' }, 'dir:/usb/web:1'],
  [
    'r.test:5000/a/b/web:1',
    { transport: 'dir', to: '/usb', naming: { pathStyle: 'scoped' } },
    'dir:/usb/r.test:5000/a/b/web:1',
  ],
  ['r.test/busybox:1', { transport: 'dir', to: 'usb' }, 'dir:usb/busybox:1'],
  ['r.test/busybox:1', { to: 'my-registry.local.lan' }, 'docker://my-registry.local.lan/busybox:1'],
  ['r.test/repo/busybox:1', { to: 't.test/repo' }, 'docker://t.test/repo/busybox:1'],
  ['r.test/a/b/web:1', { to: 't.test/x/y/' }, 'docker://t.test/x/y/web:1'],
  ['r.test/a/b/web:1', { to: 't.test//x///y' }, 'docker://t.test/x/y/web:1'],
  ['r.test/a/web:1', { naming: { pathStyle: 'scoped' } }, 'docker://t.test/r.test/a/web:1'],
  ['r.test/web:1', { suffix: '-mirror' }, 'docker://t.test/web:1-mirror'],
  [`r.test/web@${D}`, {}, `docker://t.test/web@${D}`],
  [`r.test/web@${D}`, { transport: 'dir', to: '/usb' }, `dir:/usb/web@${D}`],
  ['nginx:latest', {}, 'docker://t.test/nginx:latest'],
  ['nginx:1', { naming: { pathStyle: 'scoped' } }, 'docker://t.test/docker.io/library/nginx:1'],
  ['r.test/web:1', { to: 'mirror' }, 'docker://docker.io/mirror/web:1'],
  ['r.test/web:1', { to: 'docker.io' }, 'docker://docker.io/library/web:1'],
  // ours
  [
    'r.test:5000/web:1',
    { naming: { pathStyle: 'scoped' } },
    'docker://t.test/r.test/web:1', // skopeo can't
  ],
  [
    'r.test/a/b/web:1',
    { naming: { pathStyle: 'scoped-without-registry' } },
    'docker://t.test/a/b/web:1',
  ],
  [
    'registry.gitlab.com/me/project/container:1',
    { to: 'docker.io/me', naming: { pathStyle: 'flat' } },
    'docker://docker.io/me/me-project-container:1',
  ],
  ['r.test/a/b/web:1', { naming: { pathStyle: 'flat:__' } }, 'docker://t.test/a__b__web:1'],
  ['r.test/web:1', { naming: { pathStyle: 'flat' } }, 'docker://t.test/web:1'],
  [
    'registry.gitlab.com/me/project/container:1',
    { to: 'docker.io/me', prefix: 'project-' },
    'docker://docker.io/me/project-container:1',
  ],
  [
    'registry.gitlab.com/me/project/container:1',
    { to: 'docker.io/me', naming: { targetPath: '{path:-}' } },
    'docker://docker.io/me/project-container:1',
  ],
  [
    'r.test/a/b/web:1',
    { naming: { targetPath: 'two-components' }, suffix: '-x' },
    'docker://t.test/a/b-web:1-x',
  ],
  [
    'r.test/a/b/web:1',
    { naming: { targetPath: 'images:{path:-}-{tag}' } },
    'docker://t.test/images:b-web-1',
  ],
  ['r.test/a/b/web:1', { transport: 'oci', to: '/tmp/web' }, 'oci:/tmp/web:1'],
  [`r.test/a/web@${D}`, { transport: 'oci', to: '/tmp/web' }, `oci:/tmp/web:${D}`],
  [
    'r.test/a/web:1',
    { transport: 'oci', to: 'out', naming: { pathStyle: 'last' } },
    'oci:out:web:1',
  ],
  ['r.test/a/web:1', { transport: 'oci', to: 'out', prefix: 'x-' }, 'oci:out:x-web:1'],
];

/** The path of a directory below the source, settings, what it becomes. */
const DIRS: [string, Partial<Destination>, string][] = [
  ['busybox:1-glibc', { to: 't.test/test/' }, 'docker://t.test/test/busybox:1-glibc'],
  ['r.test/a/web:1', {}, 'docker://t.test/web:1'],
  ['r.test/a/web:1', { naming: { pathStyle: 'scoped' } }, 'docker://t.test/r.test/a/web:1'],
  ['r.test:5000/a/web:1', { naming: { pathStyle: 'scoped' } }, 'docker://t.test/r.test/a/web:1'],
  ['a/web:1', { naming: { pathStyle: 'scoped' } }, 'docker://t.test/a/web:1'],
  ['r.test/a/web:1', { naming: { pathStyle: 'flat' } }, 'docker://t.test/a-web:1'],
  ['web', {}, 'docker://t.test/web:latest'],
  ['web', { suffix: '-x' }, 'docker://t.test/web:latest-x'],
  [`web@${D}`, {}, `docker://t.test/web@${D}`],
];

/** What can't be, and what is said of it. */
const REFUSED: [FoundImage, Partial<Destination>, RegExp][] = [
  [inRegistry('r.test/a:1'), { to: 'docker://t.test' }, /"docker:\/\/t\.test": leave out docker:/],
  [inRegistry('r.test/a:1'), { to: '' }, /the destination is empty/],
  [inRegistry('r.test/a:1'), { to: 't.test/x:1' }, /would become "t\.test\/x:1\/a:1", which is no/],
  [inRegistry('r.test/a:1'), { to: 't.test/UP' }, /would become "t\.test\/UP\/a:1", which is no/],
  [inRegistry('r.test/a:1'), { suffix: '+x' }, /would become "a:1\+x", which is no legal name/],
  [inRegistry(`r.test/a@${D}`), { suffix: '-x' }, /--append-suffix is for tags/],
  [inRegistry('r.test/a:1'), { transport: 'oci', to: 'a:b' }, /an oci layout has no colon/],
  [inDir('Web:1'), {}, /^dir:\/media\/usb\/Web:1: would become "t\.test\/Web:1", which is no/],
  [
    inRegistry('r.test/a/b:1'),
    { transport: 'dir', to: '/x', naming: { targetPath: '../{name}' } },
    /would become "\.\.\/b", which is no legal name/,
  ],
  [
    inRegistry('r.test/a/b/c:1'),
    { to: 'docker.io/me', naming: { pathStyle: 'scoped-without-registry' } },
    /would become docker\.io\/me\/a\/b\/c:1, but names at Docker Hub have exactly 2 parts: --destination-path-style flat/,
  ],
];

describe('planSync', () => {
  for (const [source, settings, expected] of NAMES) {
    it(`names ${source} ${JSON.stringify(settings)}`, () => {
      deepEqual(plan([inRegistry(source)], settings), [expected]);
    });
  }

  for (const [path, settings, expected] of DIRS) {
    it(`names the directory ${path} ${JSON.stringify(settings)}`, () => {
      deepEqual(plan([inDir(path)], settings), [expected]);
    });
  }

  for (const [image, settings, message] of REFUSED) {
    it(`refuses ${formatLocation(image.source)} ${JSON.stringify(settings)}`, () => {
      throws(() => plan([image], settings), { code: 'USAGE', message });
    });
  }
});

describe('planSync, of several images', () => {
  it('names images of a layout with their repository where there are several', () => {
    const images = ['r.test/a/web:1', 'r.test/a/api:1'].map(inRegistry);

    deepEqual(plan(images, { transport: 'oci', to: 'out' }), ['oci:out:web:1', 'oci:out:api:1']);
  });

  it("prefers a group's own naming", () => {
    const groups: FoundGroup[] = [
      { images: [inRegistry('r.test/a/web:1')], naming: { pathStyle: 'flat' } },
      { images: [inRegistry('r.test/a/api:1')] },
    ];
    const planned = planSync(groups, destination({ naming: { targetPath: 'x/{name}' } }));

    deepEqual(
      planned.map((one) => formatLocation(one.destination)),
      ['docker://t.test/a-web:1', 'docker://t.test/x/api:1'],
    );
  });

  it('refuses images that would become one, naming both', () => {
    const images = ['r.test/a/web:1', 'r.test/b/web:1', 'r.test/b/web:2'].map(inRegistry);

    throws(() => plan(images), {
      code: 'USAGE',
      message:
        /nothing was copied: .*\n {2}docker:\/\/r\.test\/a\/web:1 and docker:\/\/r\.test\/b\/web:1 would both become docker:\/\/t\.test\/web:1$/,
    });
  });

  it('shows ten of many collisions', () => {
    const images = Array.from({ length: 12 }, (_, n) => inRegistry(`r.test/a${n}/web:1`));

    throws(
      () => plan(images),
      (error: Error) => {
        equal(error.message.split('\n').length, 12);
        match(error.message, /\n {2}and 1 more$/);
        return true;
      },
    );
  });

  it('plans once what was found twice, and counts in each group', () => {
    const [one, two, three] = ['r.test/a:1', 'r.test/a:2', 'r.test/a:3'].map(inRegistry) as [
      FoundImage,
      FoundImage,
      FoundImage,
    ];
    const groups: FoundGroup[] = [{ images: [one, two] }, { images: [two, three] }];

    deepEqual(
      planSync(groups, destination({})).map(({ source, position }) => [
        formatLocation(source),
        position,
      ]),
      [
        ['docker://r.test/a:1', 1],
        ['docker://r.test/a:2', 2],
        ['docker://r.test/a:3', 1],
      ],
    );
  });
});

describe('checkNaming', () => {
  it('refuses what is no style, both ways, and broken templates', () => {
    throws(() => checkNaming('f.yml:3', { pathStyle: 'flat:/' }), /"flat:\/" is none of last, /);
    throws(() => checkNaming('f.yml:3', { targetPath: '{x}' }), /unknown part \{x\}/);
    throws(
      () => checkNaming('f.yml:3', { pathStyle: 'flat', targetPath: 'keep' }),
      /^RegistrySyncError: f\.yml:3: give only one of/,
    );
    checkNaming('f.yml:3', { pathStyle: 'flat:.' });
    checkNaming('f.yml:3', {});
  });
});
