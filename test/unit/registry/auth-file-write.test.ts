import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';

import {
  authTarget,
  eraseAll,
  eraseCredentials,
  storeCredentials,
  type AuthKey,
  type AuthTarget,
} from '../../../src/registry/auth-file-write.ts';
import { tempDir } from '../../support/temp-dir.ts';

const dir = await tempDir();
const { PATH } = process.env;
process.env.PATH = `${dir.path}:${PATH}`;
after(async () => {
  process.env.PATH = PATH;
  await dir[Symbol.asyncDispose]();
});

const ME = { username: 'me', secret: 'pass:word' };
const AUTH = btoa('me:pass:word');
const R: AuthKey = { key: 'r.test', registry: 'r.test' };
const NS: AuthKey = { key: 'r.test/ns', registry: 'r.test' };
const HUB: AuthKey = { key: 'docker.io', registry: 'docker.io' };
const HUB_URL = 'https://index.docker.io/v1/';

let files = 0;
/** A file of its own for each test. */
async function file(text?: string, form: AuthTarget['form'] = 'podman'): Promise<AuthTarget> {
  const path = join(dir.path, `${(files += 1)}.json`);
  if (text !== undefined) await writeFile(path, text);
  return { path, form, isNamed: true };
}

const textOf = ({ path }: AuthTarget): Promise<string> => readFile(path, 'utf8');
const jsonOf = async (target: AuthTarget): Promise<unknown> => JSON.parse(await textOf(target));

/** A helper that notes what it is asked for; `erase` of what is not there fails as real ones do. */
async function helper(name: string): Promise<() => Promise<string>> {
  const log = join(dir.path, `${name}.log`);
  const script = `#!/bin/sh
{ echo "$@"; tee ${log}.last; echo; } >> ${log}
[ "$1" = erase ] && grep -q nowhere ${log}.last && { echo "credentials not found in native keychain"; exit 1; }
exit 0
`;
  await writeFile(join(dir.path, `docker-credential-${name}`), script, { mode: 0o755 });
  return async () => (await readFile(log, 'utf8').catch(() => '')).trim();
}

describe('authTarget', () => {
  const env = { HOME: '/h', XDG_RUNTIME_DIR: '/run/me' };
  const uid = process.getuid?.() ?? 0;
  /** Options, environment, the file and its form. */
  const TARGETS: [object, Record<string, string>, string, AuthTarget['form']][] = [
    [{}, env, '/run/me/containers/auth.json', 'podman'],
    [{}, { HOME: '/h' }, `/run/containers/${uid}/auth.json`, 'podman'],
    [{}, { ...env, DOCKER_CONFIG: '/d' }, '/d/config.json', 'docker'],
    [{}, { ...env, DOCKER_CONFIG: '/d', REGISTRY_AUTH_FILE: '/r' }, '/r', 'podman'],
    [{ authfile: '/a' }, { ...env, REGISTRY_AUTH_FILE: '/r' }, '/a', 'podman'],
    [{ compatAuthFile: '/c' }, { ...env, REGISTRY_AUTH_FILE: '/r' }, '/c', 'docker'],
  ];
  for (const [options, variables, path, form] of TARGETS) {
    it(`is ${path} with ${JSON.stringify({ ...options, ...variables })}`, () => {
      const target = authTarget(options, variables);
      deepEqual([target.path, target.form], [path, form]);
    });
  }

  it('is one file', () => {
    throws(() => authTarget({ authfile: '/a', compatAuthFile: '/c' }, env), { code: 'USAGE' });
  });
});

describe('storeCredentials', () => {
  it('writes as podman does', async () => {
    const target = await file();

    equal(await storeCredentials(target, R, ME), target.path);

    const text = `{\n\t"auths": {\n\t\t"r.test": {\n\t\t\t"auth": "${AUTH}"\n\t\t}\n\t}\n}`;
    equal(await textOf(target), text);
  });

  /** What it was, the form, the key, what it is then. */
  const STORED: [string, object, AuthTarget['form'], AuthKey, object][] = [
    [
      'keeps what it does not know',
      { HttpHeaders: { a: 'b' }, auths: { x: { auth: 'eDp5', email: 'e' } }, later: [1, null] },
      'podman',
      R,
      {
        HttpHeaders: { a: 'b' },
        auths: { x: { auth: 'eDp5', email: 'e' }, 'r.test': { auth: AUTH } },
        later: [1, null],
      },
    ],
    [
      'replaces an older login, identity token and all',
      { auths: { 'r.test': { auth: 'eDp5', identitytoken: 't' } } },
      'podman',
      R,
      { auths: { 'r.test': { auth: AUTH } } },
    ],
    ['has keys of namespaces', {}, 'podman', NS, { auths: { 'r.test/ns': { auth: AUTH } } }],
    ['calls Docker Hub docker.io', {}, 'podman', HUB, { auths: { 'docker.io': { auth: AUTH } } }],
    [
      'calls Docker Hub as docker does',
      {},
      'docker',
      HUB,
      { auths: { [HUB_URL]: { auth: AUTH } } },
    ],
    [
      'passes over credsStore where docker is not meant, as podman does',
      { credsStore: 'missing' },
      'podman',
      R,
      { credsStore: 'missing', auths: { 'r.test': { auth: AUTH } } },
    ],
  ];
  for (const [what, before, form, where, expected] of STORED) {
    it(what, async () => {
      const target = await file(JSON.stringify(before), form);
      await storeCredentials(target, where, ME);
      deepEqual(await jsonOf(target), expected);
    });
  }

  it('keeps the indentation and the last newline', async () => {
    const target = await file('{\n  "a": 1\n}\n');
    await storeCredentials(target, R, ME);
    equal(
      await textOf(target),
      `{\n  "a": 1,\n  "auths": {\n    "r.test": {\n      "auth": "${AUTH}"\n    }\n  }\n}\n`,
    );
  });
});

describe('storeCredentials, with helpers and others', () => {
  it('gives them to the helper of the registry instead, on its stdin', async () => {
    const said = await helper('mine');
    const target = await file('{"credHelpers":{"r.test":"mine"}}');

    equal(await storeCredentials(target, R, ME), 'credential helper: mine');

    equal(await said(), 'store\n{"ServerURL":"r.test","Username":"me","Secret":"pass:word"}');
    equal(await textOf(target), '{"credHelpers":{"r.test":"mine"}}');
  });

  it("gives them to docker's store, and leaves an entry without a secret", async () => {
    const said = await helper('store');
    const target = await file(
      `{"credsStore":"store","auths":{"${HUB_URL}":{"auth":"eDp5"}}}`,
      'docker',
    );

    await storeCredentials(target, HUB, ME);

    ok((await said()).startsWith(`store\n{"ServerURL":"${HUB_URL}"`));
    deepEqual(await jsonOf(target), { credsStore: 'store', auths: { [HUB_URL]: {} } });
  });

  it('refuses namespaces where they can not be kept', async () => {
    const docker = await file('{}', 'docker');
    const helped = await file('{"credHelpers":{"r.test":"mine"}}');
    await rejects(storeCredentials(docker, NS, ME), { code: 'USAGE' });
    await rejects(storeCredentials(helped, NS, ME), { code: 'USAGE' });
  });

  it('leaves alone what is no JSON, and quotes nothing of it', async () => {
    const target = await file('{"auths": {"r.test": {"auth": "c2VjcmV0"}');
    await rejects(storeCredentials(target, R, ME), ({ message }: Error) => !/c2Vj/.test(message));
    equal(await textOf(target), '{"auths": {"r.test": {"auth": "c2VjcmV0"}');
  });

  it('keeps nothing when the helper fails', async () => {
    const target = await file('{"credsStore":"missing"}', 'docker');
    await rejects(storeCredentials(target, R, ME), { code: 'UNAUTHORIZED' });
    equal(await textOf(target), '{"credsStore":"missing"}');
  });

  it('loses none of many logins at the same time', async () => {
    const target = await file();
    const keys = Array.from({ length: 20 }, (_, n) => `r${n}.test`);
    await Promise.all(keys.map((key) => storeCredentials(target, { key, registry: key }, ME)));
    const { auths } = (await jsonOf(target)) as { auths: object };
    deepEqual(Object.keys(auths).toSorted(), keys.toSorted());
  });
});

describe('eraseCredentials', () => {
  it('takes one entry away, and says whether there was one', async () => {
    const target = await file('{"a":1,"auths":{"r.test":{"auth":"eDp5"},"r.test/ns":{}}}');
    equal(await eraseCredentials(target, R), true);
    deepEqual(await jsonOf(target), { a: 1, auths: { 'r.test/ns': {} } });
    equal(await eraseCredentials(target, R), false);
  });

  it("takes Docker Hub's entry of docker's form", async () => {
    const target = await file(`{"auths":{"${HUB_URL}":{},"docker.io":{}}}`, 'docker');
    equal(await eraseCredentials(target, HUB), true);
    deepEqual(await jsonOf(target), { auths: { 'docker.io': {} } });
  });

  it('makes no file', async () => {
    const target = await file();
    equal(await eraseCredentials(target, R), false);
    await rejects(textOf(target), { code: 'ENOENT' });
  });

  it('has helpers forget', async () => {
    const said = await helper('forgets');
    const target = await file('{"credHelpers":{"r.test":"forgets","nowhere.test":"forgets"}}');
    equal(await eraseCredentials(target, R), true);
    equal(await said(), 'erase\nr.test');
    equal(await eraseCredentials(target, { key: 'nowhere.test', registry: 'nowhere.test' }), false);
    equal(await eraseCredentials(target, NS), false); // the helper has the registry's
  });
});

describe('eraseAll', () => {
  it('empties the file and its helpers', async () => {
    const said = await helper('all');
    const target = await file('{"a":1,"auths":{"x":{}},"credHelpers":{"r.test":"all"}}');
    await eraseAll(target);
    deepEqual(await jsonOf(target), { a: 1, auths: {} });
    equal(await said(), 'erase\nr.test');
  });

  it("leaves docker's helpers in their place", async () => {
    const said = await helper('docker-all');
    const target = await file(
      '{"credsStore":"docker-all","auths":{"x":{}},"credHelpers":{}}',
      'docker',
    );
    await eraseAll(target);
    deepEqual(await jsonOf(target), { credsStore: 'docker-all', auths: {}, credHelpers: {} });
    equal(await said(), 'erase\nx');
  });
});
