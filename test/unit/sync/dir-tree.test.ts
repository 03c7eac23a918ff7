import { deepEqual, rejects } from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { formatLocation } from '../../../src/store/location.ts';
import { findDirImages, nameOfDir, refuseExisting } from '../../../src/sync/dir-tree.ts';
import { tempDir } from '../../support/temp-dir.ts';

async function makeImage(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'manifest.json'), '{}');
}

describe('findDirImages', () => {
  it('finds all images of a tree, by the order of their names', async () => {
    await using dir = await tempDir();
    const paths = ['web:2', 'r.test:5000/a/web:1', 'r.test:5000/a/web:0', 'plain'];
    for (const path of paths) await makeImage(join(dir.path, path));
    await mkdir(join(dir.path, 'empty/below'), { recursive: true });
    await writeFile(join(dir.path, 'empty/file'), '');
    const found = await findDirImages(`${dir.path}/`);

    deepEqual(
      found.map(({ source, name }) => [formatLocation(source), name.registry, name.path, name.tag]),
      [
        [`dir:${dir.path}/plain`, '', 'plain', 'latest'],
        [`dir:${dir.path}/r.test:5000/a/web:0`, 'r.test:5000', 'a/web', '0'],
        [`dir:${dir.path}/r.test:5000/a/web:1`, 'r.test:5000', 'a/web', '1'],
        [`dir:${dir.path}/web:2`, '', 'web', '2'],
      ],
    );
  });

  it('takes a directory that is an image, by its own name', async () => {
    await using dir = await tempDir();
    await makeImage(join(dir.path, 'busybox:1-glibc'));
    const [found, ...more] = await findDirImages(join(dir.path, 'busybox:1-glibc'));

    deepEqual([found?.name, more], [{ registry: '', path: 'busybox', tag: '1-glibc' }, []]);
  });

  it('follows no links, and takes none for a manifest', async () => {
    await using dir = await tempDir();
    await using other = await tempDir();
    await makeImage(join(other.path, 'secret:1'));
    await symlink(other.path, join(dir.path, 'link'));
    await mkdir(join(dir.path, 'odd:1'));
    await symlink(
      join(other.path, 'secret:1/manifest.json'),
      join(dir.path, 'odd:1/manifest.json'),
    );

    deepEqual(await findDirImages(dir.path), []);
  });

  it('says that a directory is not there', async () => {
    await rejects(findDirImages('/nonexistent/usb'), {
      code: 'NOT_FOUND',
      message: "can't read /nonexistent/usb: there is no such file or directory",
    });
  });
});

describe('nameOfDir', () => {
  const D = `sha256:${'a'.repeat(64)}`;
  for (const [path, registry, repository, version] of [
    ['web', '', 'web', 'latest'],
    ['web:1.0', '', 'web', '1.0'],
    [`web@${D}`, '', 'web', D],
    [`r.test/web@${D}`, 'r.test', 'web', D],
    ['a/web:1', '', 'a/web', '1'],
    ['localhost/web:1', 'localhost', 'web', '1'],
    ['127.0.0.1:5000/a/b/web', '127.0.0.1:5000', 'a/b/web', 'latest'],
  ] as const) {
    it(`reads ${path}`, () => {
      const { tag, digest, ...rest } = nameOfDir(path);
      deepEqual({ ...rest, version: tag ?? digest }, { registry, path: repository, version });
    });
  }
});

describe('refuseExisting', () => {
  it('refuses a directory that is there, even an empty one, and no other', async () => {
    await using dir = await tempDir();
    const at = (name: string) => ({ transport: 'dir', path: join(dir.path, name) }) as const;
    await mkdir(join(dir.path, 'web:1'));

    await refuseExisting([at('web:2'), { transport: 'oci', path: dir.path }]);
    await rejects(refuseExisting([at('web:2'), at('web:1')]), {
      code: 'USAGE',
      message: /^Refusing to overwrite destination directory ".*\/web:1": remove it/,
    });
  });
});
