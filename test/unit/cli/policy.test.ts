import { deepEqual, equal, rejects } from 'node:assert/strict';
import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { checkPolicy, readPolicy } from '../../../src/cli/policy.ts';
import { parseLocation } from '../../../src/store/location.ts';
import { tempDir } from '../../support/temp-dir.ts';

const YES = [{ type: 'insecureAcceptAnything' }];
const NO = [{ type: 'reject' }];
const policyOf = (transports: object): string => JSON.stringify({ default: NO, transports });

describe('readPolicy', () => {
  it("takes the named one, else the user's, else the system's, else none", async () => {
    await using dir = await tempDir();
    const env = { HOME: join(dir.path, 'home') };
    const [named, users, system] = [
      join(dir.path, 'named'),
      join(env.HOME, '.config/containers/policy.json'),
      join(dir.path, 'system'),
    ] as const;
    const fileFor = async (options: object): Promise<string | undefined> =>
      (await readPolicy(options, env, system))?.file;

    equal(await fileFor({}), undefined);
    await rejects(fileFor({ policy: named }), { code: 'USAGE', message: /no policy .*named/ });
    await writeFile(system, policyOf({}));
    equal(await fileFor({}), system);
    await mkdir(join(env.HOME, '.config/containers'), { recursive: true });
    await writeFile(users, policyOf({}));
    equal(await fileFor({}), users);
    await writeFile(named, policyOf({}));
    equal(await fileFor({ policy: named }), named);
    equal(await fileFor({ policy: named, 'insecure-policy': true }), undefined);
  });
});

describe('checkPolicy', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  /** The location, the only scope that is let pass. `DIR` is a directory without links. */
  const SCOPES: [string, string, string][] = [
    ['docker://busybox', 'docker', 'docker.io/library/busybox:latest'],
    [`docker://r.test:5000/a/b@${digest}`, 'docker', `r.test:5000/a/b@${digest}`],
    ['docker://r.test/a:1', 'docker', ''],
    ['dir:DIR/link/image', 'dir', 'DIR/real/image'],
    ['dir:DIR/real/image', 'dir', 'DIR/real'],
    ['oci:DIR/link/image:v1', 'oci', 'DIR/real/image'],
    ['oci-archive:DIR/real/image.tar:v1', 'oci-archive', 'DIR/real/image.tar'],
    ['docker-archive:DIR/real/image.tar', 'docker-archive', ''],
    ['docker-daemon:busybox:1', 'docker-daemon', 'docker.io/library/busybox:1'],
    [`docker-daemon:${digest}`, 'docker-daemon', digest],
  ];
  for (const [text, transport, scope] of SCOPES) {
    it(`finds ${transport} «${scope}» for ${text}`, async () => {
      await using dir = await tempDir();
      const real = await realpath(dir.path);
      await mkdir(join(real, 'real/image'), { recursive: true });
      await symlink('real', join(real, 'link'));
      const policy = join(real, 'policy.json');
      const location = parseLocation(text.replace('DIR', real));
      const allowed = { [transport]: { [scope.replace('DIR', real)]: YES } };

      await writeFile(policy, policyOf(allowed));
      equal(await checkPolicy(location, { policy }, {}), undefined);

      await writeFile(policy, policyOf({ other: { '': YES } }));
      await rejects(checkPolicy(location, { policy }, {}), {
        code: 'REJECTED',
        message: /\(default\)$/,
      });
      deepEqual(await checkPolicy(location, { policy, 'insecure-policy': true }, {}), undefined);
    });
  }
});
