/** What is in the image, and what is said of it. */
import { deepEqual, doesNotMatch, equal, ok } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, describe, it } from 'node:test';

import { BASE_IMAGE } from '../support/containers/base-image.ts';
import { container } from '../support/containers/container.ts';
import { IMAGE, podman } from '../support/containers/engine.ts';

/** All that we add, unpacked. */
const MAX_OWN_BYTES = 6e6;

interface Inspected {
  readonly Size: number;
  readonly Config: {
    readonly User: string;
    readonly WorkingDir: string;
    readonly Entrypoint: readonly string[];
    readonly Labels: Readonly<Record<string, string>>;
  };
}

let image: Inspected;
/** Path of every file outside of what the kernel gives. */
let files: readonly string[];

before(async () => {
  image = await inspect(IMAGE);
  const find = ['/', '-xdev', '-not', '-type', 'd', '-printf', '%p\n'];
  const { stdout } = await container(find, { entrypoint: 'find', user: '0:0' });
  files = stdout.trimEnd().split('\n');
});

async function inspect(name: string): Promise<Inspected> {
  const { stdout } = await podman(['image', 'inspect', name]);
  return (JSON.parse(stdout) as Inspected[])[0] as Inspected;
}

describe('the image', () => {
  it('runs as a user with a number that is not 0', () => {
    equal(image.Config.User, '1000:1000');
    equal(image.Config.WorkingDir, '/data');
    deepEqual(image.Config.Entrypoint, ['registry-sync']);
  });

  it('says where it is from, which version it is, and under which licence', async () => {
    const { version, license } = JSON.parse(await readFile('package.json', 'utf8')) as {
      version: string;
      license: string;
    };
    const ours = Object.entries(image.Config.Labels).filter(([name]) => name.startsWith('org.'));
    deepEqual(Object.fromEntries(ours), {
      'org.opencontainers.image.title': 'registry-sync',
      'org.opencontainers.image.description': 'Keeps container images in sync between registries',
      'org.opencontainers.image.source': 'https://github.com/giantswarm/registry-sync',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': license,
    });
  });

  it('has the program, its licences, and four commands', () => {
    const own = files.filter((path) => path.startsWith('/app/'));
    const beside = own.filter((path) => !path.startsWith('/app/dist/'));
    deepEqual(beside.toSorted(), ['/app/LICENSE', '/app/package.json']);
    ok(own.includes('/app/dist/main.js'), own.join('\n'));
    ok(own.some((path) => path.endsWith('.LEGAL.txt')));
    deepEqual(files.filter((path) => path.startsWith('/usr/local/bin/')).toSorted(), [
      '/usr/local/bin/crawl',
      '/usr/local/bin/node',
      '/usr/local/bin/registry-sync',
      '/usr/local/bin/sync',
      '/usr/local/bin/verify',
    ]);
  });

  it('has no package manager of Node, no packages, no sources, no maps, nothing of a build', () => {
    const amiss =
      /\/(node_modules|\.npm|\.cache|include\/node)\/|\.(ts|map)$|\/bin\/(npm|npx|yarn)/;
    deepEqual(
      files.filter((path) => amiss.test(path)),
      [],
    );
    doesNotMatch(files.join('\n'), /^\/(build|tmp|root)\/(?!\.(bashrc|profile)$)/m);
  });

  it('adds no more to its base than the program', async (t) => {
    const base = await inspect(BASE_IMAGE);
    const ownBytes = image.Size - base.Size;
    t.diagnostic(`${(ownBytes / 1e6).toFixed(1)} MB on ${(base.Size / 1e6).toFixed(0)} MB`);
    ok(ownBytes < MAX_OWN_BYTES, `${ownBytes} bytes`);
  });

  it('leaves no file that its user could change', async () => {
    const writable = ['/app', '/usr', '/etc', '-writable', '-not', '-type', 'l'];
    const { stdout } = await container(writable, { entrypoint: 'find' });
    equal(stdout, '');
  });
});
