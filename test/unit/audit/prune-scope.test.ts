import { deepEqual, equal, throws } from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { namespacesOf, Scope } from '../../../src/audit/prune-scope.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { profileOf } from '../../../src/registry/profile.ts';
import { createMapping, type MapRow } from '../../../src/sync/mapping.ts';
import { openRows } from '../../../src/sync/rows.ts';
import { tempDir } from '../../support/temp-dir.ts';

const D = digestOf(Buffer.from('d'));

function mapTo(targetPath = 'keep', appendSuffix = '', targetNamespace?: string): MapRow {
  return createMapping({
    source: 's.test',
    target: 't.test',
    targetPath,
    appendSuffix,
    targetNamespace,
    targetProfile: profileOf('t.test'),
  });
}

async function scopeOf(map: MapRow, rows: readonly string[]): Promise<Scope> {
  await using dir = await tempDir();
  const path = join(dir.path, 'tags.csv');
  await writeFile(path, ['namespace,repo_name,name,digest', ...rows].join('\n'));
  await using file = await openRows({ path, map });
  const scope = new Scope(map, {});
  await scope.addRows(file);
  return scope;
}

describe('Scope', () => {
  it('wants the tags and images of rows, under their names at the target', async () => {
    const scope = await scopeOf(mapTo('keep', '-m', 'x'), [`a,app,v1,${D}`, `a,app,@${D},`]);

    deepEqual([...scope.repositories], ['x/app']);
    equal(scope.isWanted('x/app', 'v1-m'), true);
    equal(scope.isWanted('x/app', 'v1'), false);
    equal(scope.isWanted('a/app', 'v1-m'), false);
    equal(scope.isPromised('x/app', D), true);
    equal(scope.isPromised('a/app', D), false);
  });

  it('has repositories without rows', () => {
    const scope = new Scope(mapTo(), {});
    scope.addSource('a/left');

    deepEqual([...scope.repositories], ['a/left']);
    equal(scope.isOurs('a/left', 'anything'), true);
    equal(scope.isOurs('a/other', 'anything'), false);
  });

  it('leaves out other namespaces, and repositories of other shards', () => {
    const scope = new Scope(mapTo(), { namespace: 'a', shard: { index: 0, of: 2 } });
    for (let n = 0; n < 20; n += 1) for (const one of ['a', 'b']) scope.addSource(`${one}/r${n}`);

    const found = [...scope.repositories];
    equal(
      found.every((path) => path.startsWith('a/')),
      true,
    );
    equal(found.length > 0 && found.length < 20, true);
  });

  /** Template, suffix, tags of `mirror/all` that rows of `a/web` and `a/api` could make, and others. */
  const FORMS = [
    ['mirror/all:{name}-{tag}', '', ['web-1', 'api-x.y'], ['1', 'web-', 'db-1', 'webs-1']],
    ['mirror/all', '-m', ['1-m', 'a-m-m'], ['1', '-m', '1-mm']],
    ['mirror/all:{name}', '', ['web', 'api'], ['web-1', 'latest']],
    ['mirror/all:{tag}.{tag}', '', ['1.1', 'v2.v2'], ['1.2', '1', '1x1']],
  ] as const;
  for (const [template, suffix, ours, others] of FORMS) {
    it(`knows the tags of ${template}${suffix && ` with ${suffix}`} from others`, () => {
      const scope = new Scope(mapTo(template, suffix), {});
      for (const path of ['a/web', 'a/api']) scope.addSource(path);

      deepEqual(
        [...ours, ...others].filter((tag) => scope.isOurs('mirror/all', tag)),
        ours,
      );
    });
  }

  it('refuses tags in the names of repositories', () => {
    const scope = new Scope(mapTo('{path}/{tag}'), {});

    throws(() => scope.addSource('a/app'), { code: 'USAGE', message: /\{tag\} in the name/ });
  });

  it('passes over repositories whose names fit no repository of the target', () => {
    const map = createMapping({
      source: 's.test',
      target: 'docker.io',
      targetPath: 'keep',
      appendSuffix: '',
      targetProfile: profileOf('docker.io'),
    });
    const scope = new Scope(map, {});
    scope.addSource('a/b/c');

    equal(scope.size, 0);
  });
});

describe('namespacesOf', () => {
  it('is what is said, or the directories that repositories have in common', () => {
    deepEqual(namespacesOf(['a/b', 'a/c', 'd/e/f'], undefined), ['a', 'd/e']);
    deepEqual(namespacesOf(['m/r1/a/b', 'm/r1/c'], undefined), ['m/r1']);
    deepEqual(namespacesOf(['m/r1/a', 'm/r10/c'], undefined), ['m']);
    deepEqual(namespacesOf(['x/y/b'], 'x'), ['x']);
  });

  it('is not what is said where rows go elsewhere', () => {
    deepEqual(namespacesOf(['x/b', 'm/c'], 'x'), ['x', 'm']);
    throws(() => namespacesOf(['m/c'], 'x'), { code: 'USAGE', message: /no row goes to x/ });
  });

  it('refuses to mean the whole registry', () => {
    throws(() => namespacesOf(['app'], undefined), { code: 'USAGE', message: /whole registry/ });
    throws(() => namespacesOf(['a/app'], ''), { code: 'USAGE' });
  });
});
