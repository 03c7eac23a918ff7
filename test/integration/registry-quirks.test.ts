/**
 * skopeo can push to each emulated kind of registry and pull from it: none is odder than it is known to
 * be. And so can our program.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';

import { runCli } from '../support/cli.ts';
import { image, index } from '../support/images.ts';
import { quirksOf, type RegistryKind } from '../support/registry/quirks.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { putImage, repositoryOf, snapshot } from '../support/registry/store.ts';
import { skopeo } from '../support/skopeo.ts';
import { missingOf } from '../support/synced.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const IMAGE = index([{ image: image(), platform: { os: 'linux', architecture: 'amd64' } }]);
const KINDS: readonly RegistryKind[] = [
  'distribution 2',
  'distribution 3',
  'ecr',
  'gcr',
  'ghcr',
  'gitlab',
  'harbor',
  'quay',
  'zot',
];
const HEADER = 'namespace,repo_name,name,created_on,last_updated_on,digest';
const REPOSITORY = 'acme/app/web';
const USERS = { bot: { password: 'pw' } };
const LOGIN = 'bot:pw';

let dir: TempDir;
let source: Registry;
before(async () => {
  dir = await tempDir();
  source = await startRegistry();
  putImage(source.store, REPOSITORY, '1', IMAGE);
  const from = ['--src-tls-verify=false', `docker://${source.host}/${REPOSITORY}:1`];
  await skopeo(['copy', '--all', ...from, `dir:${dir.path}`]);
});
after(async () => {
  await source.close();
  await dir[Symbol.asyncDispose]();
});

/** A registry of that kind which takes pushes to the repository of the test. */
async function startKind(kind: RegistryKind): Promise<Registry> {
  const registry = await startRegistry(quirksOf(kind, { users: USERS, projects: ['acme/app'] }));
  repositoryOf(registry.store, REPOSITORY);
  return registry;
}

function hasAll({ store }: Registry): void {
  deepEqual(snapshot(store), { [`${REPOSITORY}:1`]: IMAGE.root.digest });
  deepEqual(missingOf(store, REPOSITORY, IMAGE), []);
}

for (const kind of KINDS) {
  describe(kind, () => {
    let registry: Registry;
    beforeEach(async () => {
      registry = await startKind(kind);
    });
    afterEach(() => registry.close());

    it('lets skopeo copy in and out', async () => {
      await using copy = await tempDir();
      const remote = `docker://${registry.host}/${REPOSITORY}:1`;

      const to = ['--dest-tls-verify=false', '--dest-creds', LOGIN];
      await skopeo(['copy', '--all', ...to, `dir:${dir.path}`, remote]);
      const from = ['--src-tls-verify=false', '--src-creds', LOGIN];
      await skopeo(['copy', '--all', ...from, remote, `dir:${copy.path}`]);

      hasAll(registry);
    });

    it('lets our program copy in', async () => {
      await using home = await tempDir();
      const row = `acme,app/web,1,,,${IMAGE.root.digest}`;
      await writeFile(join(home.path, 'tags.csv'), `${HEADER}\r\n${row}\r\n`);

      const from = ['--source-registry', source.host, '--src-tls-verify=false'];
      const to = ['--target-registry', registry.host, '--dest-tls-verify=false'];
      const args = ['sync', ...from, ...to, '--dest-creds', LOGIN];
      const { code, stderr } = await runCli(args, { cwd: home.path });

      equal(code, 0, stderr);
      hasAll(registry);
    });
  });
}
