/**
 * Logging in and out, side by side with skopeo: the same command lines give the same stdout, exit code
 * and keys in files, and either program uses what the other has written.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { chmod, cp, mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { runCli } from '../support/cli.ts';
import {
  REGISTRY_LOGIN,
  startDockerRegistry,
  type DockerRegistry,
} from '../support/docker-registry.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { startTokenServer, type TokenServer } from '../support/token-server.ts';

const { user, password } = REGISTRY_LOGIN;
const KILLER = new URL('../support/kill-at-file-call.js', import.meta.url).href;
const LONG_AGO = new Date(Date.now() - 60_000);
const HTTP = '--tls-verify=false';

let dir: TempDir;
let registry: DockerRegistry;
let tokens: TokenServer;
let tokenRegistry: DockerRegistry;
before(async () => {
  dir = await tempDir();
  registry = await startDockerRegistry({ htpasswd: true });
  tokens = await startTokenServer({
    users: { [user]: { password, grants: [{ name: /.*/, actions: ['pull', 'push'] }] } },
  });
  tokenRegistry = await startDockerRegistry({ token: tokens.auth });
});
after(async () => {
  for (const one of [registry, tokenRegistry, tokens, dir]) await one[Symbol.asyncDispose]();
});

interface Ran {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}
type Run = (
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stdin?: string,
) => Promise<Ran>;

const ours: Run = (args, env, stdin = '') => runCli(args, { env, stdin });
const theirs: Run = (args, env, stdin = '') =>
  new Promise((resolve) => {
    const variables = { PATH: process.env['PATH'], ...env };
    const child = execFile('skopeo', args, { env: variables }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
    child.stdin?.on('error', () => {}).end(stdin);
  });
const PROGRAMS: [string, Run][] = [
  ['ours', ours],
  ['skopeo', theirs],
];

let homes = 0;
/** A user with nothing. */
async function home(): Promise<Record<'HOME' | 'XDG_RUNTIME_DIR', string>> {
  const path = join(dir.path, `home-${(homes += 1)}`);
  await mkdir(join(path, 'run'), { recursive: true });
  return { HOME: path, XDG_RUNTIME_DIR: join(path, 'run') };
}

/** One of several commands, by the same user. `R` is the registry, `T` the one with tokens, `HOME` the user's. */
interface Step {
  readonly args: readonly string[];
  readonly stdin?: string;
}
type Story = readonly [what: string, steps: readonly Step[], file?: string];

const login = (...args: string[]): Step => ({ args: ['login', HTTP, ...args] });
const logout = (...args: string[]): Step => ({ args: ['logout', HTTP, ...args] });
const RIGHT = ['-u', user, '-p', password];
const AUTH_JSON = 'run/containers/auth.json';

const STORIES: readonly Story[] = [
  ['a right password', [login('R', ...RIGHT)]],
  ['a right password, for tokens', [login('T', ...RIGHT)]],
  ['long options', [login('--username', user, '--password', password, 'R')]],
  ['a wrong password', [login('R', '-u', user, '-p', 'wrong')]],
  ['a wrong password, for tokens', [login('T', '-u', user, '-p', 'wrong')]],
  [
    'a wrong password after a right one',
    [login('R', ...RIGHT), login('R', '-u', user, '-p', 'no')],
  ],
  [
    'a password from stdin',
    [{ ...login('R', '-u', user, '--password-stdin'), stdin: `${password}\n` }],
  ],
  [
    'a password from stdin without newline',
    [{ ...login('R', '-u', user, '--password-stdin'), stdin: password }],
  ],
  [
    'a wrong password from stdin',
    [{ ...login('R', '-u', user, '--password-stdin'), stdin: 'x\n' }],
  ],
  ['two passwords', [login('R', ...RIGHT, '--password-stdin')]],
  ['a password for nobody', [login('R', '--password-stdin')]],
  ['a name from stdin', [{ ...login('R', '-p', password), stdin: `${user}\n` }]],
  ['no password and no terminal', [login('R', '-u', user)]],
  [
    'a namespace',
    [
      login('R/ns/repo', ...RIGHT),
      login('--get-login', 'R/ns/repo/below'),
      login('--get-login', 'R/other'),
    ],
  ],
  ['a URL', [login('http://R/v2/x', ...RIGHT)]],
  ['a tag', [login('R/ns/repo:tag', ...RIGHT)]],
  ['upper case', [login('R/NS', ...RIGHT)]],
  ['no registry', [login(...RIGHT)]],
  ['two registries', [login('R', 'T', ...RIGHT)]],
  ['nobody there', [login('127.0.0.1:1', ...RIGHT)]],
  ['who am I', [login('R', ...RIGHT), login('--get-login', 'R'), login('--get-login', 'T')]],
  ['again', [login('R', ...RIGHT), login('R')]],
  ['again, for tokens', [login('T', ...RIGHT), login('T')]],
  ['where', [login('R', '-v', ...RIGHT), login('T', '--verbose', ...RIGHT)]],
  ['another file', [login('--authfile', 'HOME/sub/auth.json', 'R', ...RIGHT)], 'sub/auth.json'],
  [
    'out',
    [
      login('R', ...RIGHT),
      login('T', ...RIGHT),
      logout('R'),
      logout('R'),
      login('--get-login', 'R'),
    ],
  ],
  [
    'out of a namespace',
    [login('R/a', ...RIGHT), login('R', ...RIGHT), logout('R/a'), logout('R/b')],
  ],
  ['out of all', [login('R', ...RIGHT), login('T/x', ...RIGHT), logout('--all'), logout('-a')]],
  ['out of all, and one', [logout('--all', 'R')]],
  ['out of none', [logout()]],
  ['out of two', [logout('R', 'T')]],
  ['out of a file that is not there', [logout('--authfile', 'HOME/none.json', 'R')]],
  [
    'out of another file',
    [login('--authfile', 'HOME/a.json', 'R', ...RIGHT), logout('--authfile', 'HOME/a.json', 'R')],
    'a.json',
  ],
];

/** What a user of one of the programs sees, and has then. */
async function told(run: Run, [, steps, file = AUTH_JSON]: Story): Promise<unknown> {
  const env = await home();
  const spell = (word: string): string =>
    word
      .replace('HOME', env.HOME)
      .replace(/^(http:\/\/)?R(?=\/|$)/, `$1${registry.host}`)
      .replace(/^T(?=\/|$)/, tokenRegistry.host);
  const seen: unknown[] = [];
  for (const { args, stdin } of steps) {
    const { code, stdout } = await run(args.map(spell), env, stdin);
    seen.push([code, code === 0 ? stdout.replaceAll(env.HOME, 'HOME') : '']);
  }
  const text = await readFile(join(env.HOME, file), 'utf8').catch(() => '{}');
  const { auths = {} } = JSON.parse(text) as { auths?: object };
  return { seen, auths };
}

describe('login and logout, as skopeo', { concurrency: 2 }, () => {
  for (const story of STORIES) {
    it(`with ${story[0]}`, async () => {
      const [mine, skopeos] = await Promise.all([told(ours, story), told(theirs, story)]);
      deepEqual(mine, skopeos);
    });
  }

  it('writes the same bytes, for nobody else to read', async () => {
    const texts: string[] = [];
    for (const [, run] of PROGRAMS) {
      const env = await home();
      for (const host of [registry.host, tokenRegistry.host]) {
        await run(['login', HTTP, host, ...RIGHT], env);
      }
      await run(['logout', HTTP, registry.host], env);
      const file = join(env.HOME, AUTH_JSON);
      equal((await stat(file)).mode & 0o777, 0o600);
      texts.push(await readFile(file, 'utf8'));
    }
    equal(texts[0], texts[1]);
  });
});

describe('what one has written', () => {
  for (const [writer, write] of PROGRAMS) {
    for (const [reader, read] of PROGRAMS) {
      if (writer === reader) continue;
      it(`by ${writer} is used and taken away by ${reader}`, async () => {
        const env = await home();
        const at = { host: tokenRegistry.host };
        equal((await write(['login', HTTP, at.host, ...RIGHT], env)).code, 0);

        match((await read(['login', HTTP, at.host], env)).stdout, /Already logged in/);
        equal((await read(['login', '--get-login', at.host], env)).stdout, `${user}\n`);
        equal((await read(['logout', at.host], env)).code, 0);
        equal((await write(['login', '--get-login', at.host], env)).code, 1);
      });
    }
  }

  it('by docker is used, and left to docker', async () => {
    for (const [, run] of PROGRAMS) {
      const env = await home();
      const auth = btoa(unescape(encodeURIComponent(`${user}:${password}`)));
      await mkdir(join(env.HOME, '.docker'));
      const file = join(env.HOME, '.docker/config.json');
      await writeFile(file, JSON.stringify({ auths: { [registry.host]: { auth } } }));
      const written = await readFile(file, 'utf8');

      equal((await run(['login', '--get-login', registry.host], env)).stdout, `${user}\n`);
      const out = await run(['logout', HTTP, registry.host], env);

      equal(out.code, 0);
      match(
        out.stdout,
        /^Not logged into .* with current tool\. Existing credentials were established via docker login\./,
      );
      equal(await readFile(file, 'utf8'), written);
    }
  });
});

describe("login into a file of docker's form", () => {
  it('keeps all else, and calls Docker Hub by its URL', async () => {
    const env = await home();
    const file = join(env.HOME, 'config.json');
    await writeFile(file, '{\n  "HttpHeaders": {\n    "X": "y"\n  }\n}\n');
    for (const args of [
      ['login', HTTP, '--compat-auth-file', file, registry.host, ...RIGHT],
      ['login', HTTP, '--compat-auth-file', file, '--get-login', registry.host],
    ]) {
      equal((await ours(args, env)).code, 0);
    }
    const text = await readFile(file, 'utf8');
    match(text, /^\{\n {2}"HttpHeaders": \{\n {4}"X": "y"/);
    deepEqual(Object.keys((JSON.parse(text) as { auths: object }).auths), [registry.host]);
    const namespaced = ['login', HTTP, '--compat-auth-file', file, `${registry.host}/ns`, ...RIGHT];
    const both = ['login', '--authfile', file, '--compat-auth-file', file, registry.host, ...RIGHT];
    for (const args of [namespaced, both]) equal((await ours(args, env)).code, 1);
    equal(await readFile(file, 'utf8'), text);
  });

  it('is where DOCKER_CONFIG says', async () => {
    const env = { ...(await home()), DOCKER_CONFIG: join(dir.path, 'docker-config') };
    equal((await ours(['login', HTTP, registry.host, ...RIGHT], env)).code, 0);
    const text = await readFile(join(env.DOCKER_CONFIG, 'config.json'), 'utf8');
    ok(text.includes(registry.host));
  });
});

describe('login with a credential helper', () => {
  it('gives it to the helper, which skopeo then asks, and takes it back', async () => {
    const env = await home();
    const bin = join(env.HOME, 'bin');
    await mkdir(join(env.HOME, 'run/containers'), { recursive: true });
    await mkdir(bin);
    const kept = join(env.HOME, 'kept');
    const script = `#!/bin/sh
echo "$@" >> ${env.HOME}/asked
case "$1" in
  store) cat > ${kept} ;;
  get) cat > /dev/null; if [ -e ${kept} ]; then cat ${kept}; else echo "credentials not found in native keychain"; exit 1; fi ;;
  erase) cat > /dev/null; rm ${kept} ;;
esac
`;
    await writeFile(join(bin, 'docker-credential-file'), script);
    await chmod(join(bin, 'docker-credential-file'), 0o755);
    const file = join(env.HOME, AUTH_JSON);
    const text = JSON.stringify({ credHelpers: { [registry.host]: 'file' } });
    await writeFile(file, text);
    const helped = { ...env, PATH: `${bin}:${process.env['PATH']}` };

    const stored = await ours(['login', HTTP, '-v', registry.host, ...RIGHT], helped);
    equal(stored.stdout, 'Used:  credential helper: file\nLogin Succeeded!\n', stored.stderr);
    equal(await readFile(file, 'utf8'), text);
    for (const [, run] of PROGRAMS) {
      const again = await run(['login', HTTP, registry.host], helped);
      match(again.stdout, /Already logged in/, again.stderr);
    }
    equal((await ours(['logout', registry.host], helped)).code, 0);
    equal((await ours(['login', '--get-login', registry.host], helped)).code, 1);
    ok(!(await readFile(join(env.HOME, 'asked'), 'utf8')).includes(password));
  });
});

describe('a login that is killed', () => {
  it('leaves the old file or the new one, whole, at any moment, and the next one works', async () => {
    const env = await home();
    const args = ['login', HTTP, '--authfile', 'auth.json', registry.host, ...RIGHT];
    const folder = join(env.HOME, 'files');
    await mkdir(folder);
    const old = '{"auths":{"old.test":{"auth":"eDp5"}}}';
    await writeFile(join(folder, 'auth.json'), old);
    const calls = join(env.HOME, 'calls');
    const options = { NODE_OPTIONS: `--import ${KILLER}` };
    const counting = { ...env, ...options, FILE_CALLS_TO: calls };
    await cp(folder, `${folder}-0`, { recursive: true });
    equal((await runCli(args, { env: counting, cwd: `${folder}-0` })).code, 0);
    const whole = await readFile(join(`${folder}-0`, 'auth.json'), 'utf8');
    const count = (await readFile(calls, 'utf8')).split('\n').length;
    ok(count >= 5, `${count} calls`);

    let kept = 0;
    for (let at = 1; at <= count; at += 1) {
      const cwd = `${folder}-${at}`;
      await cp(folder, cwd, { recursive: true });
      const killed = { ...env, ...options, KILL_AT_FILE_CALL: `${at}` };
      equal((await runCli(args, { env: killed, cwd })).signal, 'SIGKILL');
      const text = await readFile(join(cwd, 'auth.json'), 'utf8');
      if (text === old) kept += 1;
      else equal(text, whole, `killed at ${at}`);
    }
    ok(kept >= 3, `${kept} times the old file`);

    const cwd = `${folder}-${kept}`; // it was about to put the new file in the old one's place
    const left = await readdir(cwd);
    equal(left.length, 3, `${left.join()}: a lock and a temporary file`);
    for (const name of left) await utimes(join(cwd, name), LONG_AGO, LONG_AGO);
    equal((await runCli(args, { env, cwd })).code, 0);
    equal(await readFile(join(cwd, 'auth.json'), 'utf8'), whole);
    deepEqual(await readdir(cwd), ['auth.json']);
  });
});

describe('what is printed', () => {
  it('holds no secret, right or wrong, nor with --debug', async () => {
    const env = await home();
    for (const given of [password, 'Wrong-Horse-7']) {
      for (const host of [registry.host, tokenRegistry.host]) {
        const { stdout, stderr } = await ours(
          ['login', HTTP, '--debug', host, '-u', user, '-p', given],
          env,
        );
        ok(!(stdout + stderr).includes(given));
        ok(!(stdout + stderr).includes(Buffer.from(`${user}:${given}`).toString('base64')));
      }
    }
  });
});
