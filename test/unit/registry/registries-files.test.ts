import { deepEqual, rejects } from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';

import { readRegistriesConf } from '../../../src/registry/registries-files.ts';
import { tempDir } from '../../support/temp-dir.ts';

const USER = 'home/.config/containers';

/** Each file has an alias `x` that is its path, so the last one is seen, and one that is its own. */
async function aliasesOf(
  files: readonly string[],
  { named, variable }: { readonly named?: string; readonly variable?: string } = {},
): Promise<string[]> {
  await using dir = await tempDir();
  const at = (path: string): string => join(dir.path, path);
  for (const path of files) {
    await mkdir(dirname(at(path)), { recursive: true });
    await writeFile(at(path), `[aliases]\nlast = "${path}"\n"${path}" = ""\n`);
  }
  const env = {
    HOME: at('home'),
    ...(variable !== undefined && { CONTAINERS_REGISTRIES_CONF: at(variable) }),
  };
  const { aliases } = await readRegistriesConf(named && at(named), env, at('etc'));
  const { last, ...read } = aliases;
  return last === undefined ? [] : [...Object.keys(read).toSorted(), `last: ${last}`];
}

describe('readRegistriesConf', () => {
  it('finds nothing where nothing is', async () => deepEqual(await aliasesOf([]), []));

  it("reads the system's file, its drop-ins by name, then the user's", async () => {
    const files = [
      'etc/registries.conf',
      'etc/registries.conf.d/b.conf',
      'etc/registries.conf.d/a.conf',
      'etc/registries.conf.d/README',
      `${USER}/registries.conf.d/0.conf`,
    ];
    const expected = files.filter((name) => name.endsWith('.conf')).toSorted();
    deepEqual(await aliasesOf(files), [...expected, `last: ${USER}/registries.conf.d/0.conf`]);
    deepEqual((await aliasesOf(files.slice(0, 3))).at(-1), 'last: etc/registries.conf.d/b.conf');
  });

  it("reads nothing of the system's when the user has a file", async () => {
    const files = [
      'etc/registries.conf',
      'etc/registries.conf.d/a.conf',
      `${USER}/registries.conf`,
    ];
    deepEqual(await aliasesOf(files), [`${USER}/registries.conf`, `last: ${USER}/registries.conf`]);
  });

  it('reads a named file instead, and the drop-ins', async () => {
    const files = [
      'etc/registries.conf',
      `${USER}/registries.conf`,
      'mine',
      'yours',
      'etc/registries.conf.d/a.conf',
    ];
    const dropIn = 'etc/registries.conf.d/a.conf';
    deepEqual(await aliasesOf(files, { variable: 'mine' }), [dropIn, 'mine', `last: ${dropIn}`]);
    deepEqual(await aliasesOf(files, { variable: 'mine', named: 'yours' }), [
      dropIn,
      'yours',
      `last: ${dropIn}`,
    ]);
  });

  it('misses a file that is named', async () => {
    await rejects(aliasesOf([], { named: 'mine' }), { code: 'USAGE', message: /no file .*mine/ });
    await rejects(aliasesOf([], { variable: 'mine' }), { code: 'USAGE' });
  });

  it('names the file that can not be read', async () => {
    await using dir = await tempDir();
    await mkdir(join(dir.path, 'registries.conf'));
    await rejects(readRegistriesConf(undefined, { HOME: dir.path }, dir.path), {
      code: 'USAGE',
      message: /can't read .*registries\.conf \(EISDIR\)/,
    });
  });
});
