import { deepEqual, equal, rejects, throws } from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { describe, it } from 'node:test';

import { credentialsIn, readAuthFiles, type AuthFile } from '../../../src/registry/auth-file.ts';
import type { AskHelper } from '../../../src/registry/credential-helper.ts';
import type { Credentials } from '../../../src/registry/credentials.ts';
import { tempDir } from '../../support/temp-dir.ts';

const ZEROS = '00000000-0000-0000-0000-000000000000';
const auth = (text: string): { auth: string } => ({ auth: btoa(text) });
const auths = (entries: object): object => ({ auths: entries });

/** `user:password`, or what else the credentials are. */
function shortOf(found: Credentials | undefined): string | undefined {
  switch (found?.kind) {
    case 'basic':
      return `${found.username}:${found.password}`;
    case 'identity-token':
    case 'bearer':
      return `${found.kind} ${found.token}`;
    default:
      return found?.kind;
  }
}

/** Helpers that give their name and what they were asked for, and note it. */
function helpers(): { asked: string[]; ask: AskHelper } {
  const asked: string[] = [];
  const ask: AskHelper = async (name, server) => {
    asked.push(`${name} ${server}`);
    if (name === 'none') return undefined;
    return name === 'token'
      ? { username: '<token>', secret: 'from-helper' }
      : { username: name, secret: server };
  };
  return { asked, ask };
}

async function find(json: object, name: string, ask: AskHelper = helpers().ask): Promise<unknown> {
  const [registry = '', ...path] = name.split('/');
  const repository = path.length === 0 ? undefined : path.join('/');
  const file = { path: 'auth.json', json: json as AuthFile['json'] };
  return shortOf(await credentialsIn(file, registry, repository, ask));
}

const NESTED = auths({
  'r.test/a/b': auth('u:ab'),
  'r.test/a': auth('u:a'),
  'r.test': auth('u:host'),
});

// prettier-ignore
/** What it shows, the file, the registry (and repository), the credentials. */
const FOUND: [string, object, string, string | undefined][] = [
  ['a host', auths({ 'r.test': auth('u:p') }), 'r.test', 'u:p'],
  ['a host and port', auths({ 'r.test:5000': auth('u:p') }), 'r.test:5000', 'u:p'],
  ['no other port', auths({ 'r.test:5000': auth('u:p') }), 'r.test', undefined],
  ['no host with the same beginning', auths({ 'r.test': auth('u:p') }), 'r.test.evil', undefined],
  ['a URL', auths({ 'https://r.test/v1/': auth('u:p') }), 'r.test', 'u:p'],
  ['a URL without TLS', auths({ 'http://r.test': auth('u:p') }), 'r.test', 'u:p'],
  ['the host before a URL', auths({ 'https://r.test': auth('u:url'), 'r.test': auth('u:host') }), 'r.test', 'u:host'],
  ['Docker Hub as podman writes it', auths({ 'docker.io': auth('u:p') }), 'docker.io', 'u:p'],
  ['Docker Hub as docker writes it', auths({ 'https://index.docker.io/v1/': auth('u:p') }), 'docker.io', 'u:p'],
  ['Docker Hub by its real host', auths({ 'registry-1.docker.io': auth('u:p') }), 'docker.io', 'u:p'],
  ['nothing else as Docker Hub', auths({ 'hub.docker.io': auth('u:p') }), 'docker.io', undefined],
  ['the most of a path', NESTED, 'r.test/a/b/c', 'u:ab'],
  ['less of a path', NESTED, 'r.test/a/x', 'u:a'],
  ['none of a path', NESTED, 'r.test/x', 'u:host'],
  ['no part of a name', NESTED, 'r.test/a/bc', 'u:a'],
  ['the registry itself', NESTED, 'r.test', 'u:host'],
  ['a password with colons', auths({ 'r.test': auth('u:p:q:') }), 'r.test', 'u:p:q:'],
  ['a password with NULs behind it', auths({ 'r.test': auth('u:p\0\0') }), 'r.test', 'u:p'],
  ['a name and a password in the clear', auths({ 'r.test': { username: 'u', password: 'p' } }), 'r.test', 'u:p'],
  ['an identity token', auths({ 'r.test': { ...auth('u:'), identitytoken: 'it' } }), 'r.test', 'identity-token it'],
  ['a bare identity token', auths({ 'r.test': { identitytoken: 'it' } }), 'r.test', 'identity-token it'],
  ['what `az acr login` stores', auths({ 'r.test': auth(`${ZEROS}:it`) }), 'r.test', 'identity-token it'],
  ['a ready token', auths({ 'r.test': { registrytoken: 'rt' } }), 'r.test', 'bearer rt'],
  ['an entry that is empty', auths({ 'r.test': {} }), 'r.test', undefined],
  ['an entry with an empty auth', auths({ 'r.test': { auth: '' } }), 'r.test', undefined],
  ['an entry that is none', auths({ 'r.test': 'u:p' }), 'r.test', undefined],
  ['auths that are none', { auths: [] }, 'r.test', undefined],
  ['an empty file', {}, 'r.test', undefined],
  ['what is in every object', auths({}), 'constructor', undefined],
  ['a helper of the registry', { credHelpers: { 'r.test': 'x' } }, 'r.test/a', 'x:r.test'],
  ['no helper of another', { credHelpers: { 'r.test': 'x' } }, 's.test', undefined],
  ['a helper of Docker Hub', { credHelpers: { 'docker.io': 'x' } }, 'docker.io', 'x:https://index.docker.io/v1/'],
  ['a helper with an identity token', { credHelpers: { 'r.test': 'token' } }, 'r.test', 'identity-token from-helper'],
  ['a helper before an entry', { ...NESTED, credHelpers: { 'r.test': 'x' } }, 'r.test/a', 'x:r.test'],
  ['the entry where the helper has nothing', { ...NESTED, credHelpers: { 'r.test': 'none' } }, 'r.test', 'u:host'],
  ['a store', { credsStore: 'x' }, 'r.test', 'x:r.test'],
  ['a store for an entry that is empty', { ...auths({ 'r.test': {} }), credsStore: 'x' }, 'r.test', 'x:r.test'],
  ['an entry before the store', { ...NESTED, credsStore: 'x' }, 'r.test', 'u:host'],
  ['a helper before the store', { credHelpers: { 'r.test': 'x' }, credsStore: 'y' }, 'r.test', 'x:r.test'],
];

describe('credentialsIn', () => {
  for (const [shown, json, name, expected] of FOUND) {
    it(`reads ${shown}`, async () => {
      equal(await find(json, name), expected);
    });
  }

  it('asks the one helper once that is both the registry’s and the store', async () => {
    const { asked, ask } = helpers();

    await find({ credHelpers: { 'r.test': 'none' }, credsStore: 'none' }, 'r.test', ask);

    deepEqual(asked, ['none r.test']);
  });

  it('says where credentials were found', async () => {
    const file = { path: '/etc/auth.json', json: NESTED as AuthFile['json'] };

    equal((await credentialsIn(file, 'r.test', undefined, helpers().ask))?.from, '/etc/auth.json');
  });

  for (const broken of ['u:p', '!!!', btoa('no colon')]) {
    it(`refuses the auth «${broken}», without quoting it`, async () => {
      await rejects(find(auths({ 'r.test': { auth: broken } }), 'r.test'), (error: Error) => {
        deepEqual([(error as { code?: string } & Error).code], ['USAGE']);
        return !error.message.includes(broken) && error.message.includes('auth.json');
      });
    });
  }

  it('does not mind a broken entry of another registry', async () => {
    const json = auths({ 'r.test': auth('u:p'), 's.test': { auth: '!!!' } });

    equal(await find(json, 'r.test'), 'u:p');
  });
});

/** Writes files with an entry for r.test each, whose password is the file's name. */
async function write(dir: string, ...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    const entries = { 'r.test': auth(`u:${path}`) };
    const json = path.endsWith('.dockercfg') ? entries : auths(entries);
    await writeFile(join(dir, path), JSON.stringify(json));
  }
}

const IN_ORDER = [
  'run/containers/auth.json',
  'config/containers/auth.json',
  'docker/config.json',
  'home/.dockercfg',
];

describe('readAuthFiles', () => {
  it('searches where podman, skopeo and docker do, in their order', async () => {
    await using dir = await tempDir();
    const at = (name: string): string => join(dir.path, name);
    await write(dir.path, ...IN_ORDER);

    const files = readAuthFiles(undefined, {
      HOME: at('home'),
      XDG_RUNTIME_DIR: at('run'),
      XDG_CONFIG_HOME: at('config'),
      DOCKER_CONFIG: at('docker'),
    });

    deepEqual(
      files.map(({ path }) => path),
      IN_ORDER.map(at),
    );
    for (const [index, file] of files.entries()) {
      const found = await credentialsIn(file, 'r.test', undefined, helpers().ask);
      equal(shortOf(found), `u:${IN_ORDER[index]}`);
    }
  });

  it('searches the home directory where variables are unset or empty', async () => {
    await using dir = await tempDir();
    const home = ['.config/containers/auth.json', '.docker/config.json'];
    await write(dir.path, ...home);

    for (const env of [{}, { XDG_RUNTIME_DIR: '', XDG_CONFIG_HOME: '', DOCKER_CONFIG: '' }]) {
      const found = readAuthFiles(undefined, { HOME: dir.path, ...env });
      // Whoever is logged in on this machine has a file of their own elsewhere.
      deepEqual(
        found.map(({ path }) => path).filter((path) => path.startsWith(dir.path)),
        home.map((path) => join(dir.path, path)),
      );
    }
  });

  it('does not search the working directory, whatever is empty', async () => {
    await using dir = await tempDir();
    await write(dir.path, 'containers/auth.json', '.docker/config.json', 'config.json');
    const before = process.cwd();
    process.chdir(dir.path);
    try {
      const env = { HOME: '', XDG_RUNTIME_DIR: '', XDG_CONFIG_HOME: '', DOCKER_CONFIG: '' };
      const inside = readAuthFiles(undefined, env).filter(({ path }) => !path.startsWith('/'));

      deepEqual(inside, []);
    } finally {
      process.chdir(before);
    }
  });

  it('reads REGISTRY_AUTH_FILE alone, and nothing when it is not there', async () => {
    await using dir = await tempDir();
    await write(dir.path, 'mine.json', '.docker/config.json');
    const env = { HOME: dir.path, REGISTRY_AUTH_FILE: join(dir.path, 'mine.json') };

    deepEqual(
      readAuthFiles(undefined, env).map(({ path }) => path),
      [env.REGISTRY_AUTH_FILE],
    );
    deepEqual(readAuthFiles(undefined, { ...env, REGISTRY_AUTH_FILE: '/none' }), []);
  });
});

describe('an auth file', () => {
  it('that was named and is not there is refused', () => {
    throws(() => readAuthFiles('/no/such/auth.json', {}), {
      code: 'USAGE',
      message: /no auth file \/no\/such\/auth.json/,
    });
  });

  it('that is a directory is refused', async () => {
    await using dir = await tempDir();

    throws(() => readAuthFiles(dir.path, {}), { code: 'USAGE', message: /EISDIR/ });
  });

  for (const text of ['{"auths": {"r.test": {"auth": "secret', '[]', 'null', '"secret"']) {
    it(`that says ${text} is refused, without quoting it`, async () => {
      await using dir = await tempDir();
      const path = join(dir.path, 'auth.json');
      await writeFile(path, text);

      throws(
        () => readAuthFiles(path, {}),
        (error: Error) => {
          equal((error as { code?: string } & Error).code, 'USAGE');
          return error.message.includes(path) && !/secret/.test(`${error.message}${error.cause}`);
        },
      );
    });
  }

  it('that is empty has no entries', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'auth.json');
    await writeFile(path, '\n');

    deepEqual(readAuthFiles(path, {}), [{ path, json: {} }]);
  });
});

const FIXTURES = resolve('../shared/fixtures/auth/container-libs');

/** File, registry and repository, what containers/image finds there. */
const THEIRS: [string, string, string | undefined][] = [
  ['example', 'example.org', 'example:org'],
  ['empty', 'example.org', undefined],
  ['full', 'example.org', 'example:org'],
  ['full', 'docker.io', 'docker:io'],
  ['full', 'localhost', 'local:host'],
  ['full', 'localhost:5000', 'local:host-5000'],
  ['full', '10.10.30.45', '10.10:30.45'],
  ['full', '10.10.30.45:5000', '10.10:30.45-5000'],
  ['full', 'normalize.example.org', 'normalize:example'],
  ['abnormal', 'docker.io', 'index:docker.io'],
  ['abnormal', '127.0.0.1:5000', '127.0:0.1-5000'],
  ['abnormal', 'localhost', 'local:host'],
  ['abnormal', 'localhost:5001', 'local:host-5001'],
  ['abnormal', 'localhost:5000', 'local:host-5000'],
  ['example_identitytoken', 'example.org', 'identity-token some very long identity token'],
  ['refpath', 'example.org/repo', 'example:org'],
  ['refpath', 'example.org/other', 'local:host'],
  ['refpath', 'docker.io/vendor/x', 'first:level'],
  ['refpath', 'docker.io/other/x', 'top:level'],
  ['refpath', 'docker.io/library/busybox', 'library:busybox'],
  ['refpath', 'docker.io/library/other', 'library:other'],
  ['config', 'registry-no-creds.com', 'helper-registry:registry-no-creds.com'],
];

describe('the files of containers/image', { skip: !existsSync(FIXTURES) }, () => {
  for (const [name, asked, expected] of THEIRS) {
    it(`${name}.json gives for ${asked} what it gives there`, async () => {
      const [file] = readAuthFiles(join(FIXTURES, `${name}.json`), {});

      equal(await find(file?.json ?? {}, asked), expected);
    });
  }

  it('legacy.json is read as ~/.dockercfg', async () => {
    await using dir = await tempDir();
    const [legacy] = readAuthFiles(join(FIXTURES, 'legacy.json'), {});
    await writeFile(join(dir.path, '.dockercfg'), JSON.stringify(legacy?.json));
    const env = { HOME: dir.path, XDG_RUNTIME_DIR: dir.path };
    const [file] = readAuthFiles(undefined, env);

    equal(await find(file?.json ?? {}, 'docker.io'), 'docker:io-legacy');
    equal(await find(file?.json ?? {}, 'localhost'), 'local:host-legacy');
  });
});
