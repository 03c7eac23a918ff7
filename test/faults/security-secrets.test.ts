/**
 * Secrets are in no output: the built program, with every kind of secret, meets registries that fail
 * in all kinds of ways and say back what they were sent. Then everything that it wrote is searched.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { chmod, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { runCli } from '../support/cli.ts';
import type { Listener } from '../support/registry/listener.ts';
import { tempDir } from '../support/temp-dir.ts';
import { ACCESS, ROWS, SIGNATURE, startEcho, type Scheme } from './security-echo.ts';

/** With what is written otherwise in JSON, in URLs and in CSV. */
const SECRET = 'p4ss w/rd+%"é\\=hunter-2';
/** What travels in a header as it is. */
const TOKEN = 'dckr_pat_0123-4567_89ab.cdef~hunter-3';

let registry: Listener;
let scheme: Scheme = 'basic';
before(async () => {
  registry = await startEcho(() => scheme);
});
after(() => registry.close());

/** Every form in which a secret could be read in what was written. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const all = [
    secret,
    encodeURIComponent(secret),
    encodeURI(secret),
    new URLSearchParams({ s: secret }).toString().slice(2),
    JSON.stringify(secret).slice(1, -1),
    secret.replaceAll('"', '""'),
    ...['bot', '<token>', ''].map((user) => Buffer.from(`${user}:${secret}`).toString('base64')),
    bytes.toString('base64'),
    bytes.toString('base64url'),
    bytes.toString('hex'),
  ];
  // As much of each as would help who guesses the rest.
  return [...new Set([...all, ...all.map(encodeURIComponent)])].map((form) => form.slice(0, 12));
}

interface Given {
  readonly words?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** By name, as they are to lie in the run's directory. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Syncs with each form of log, crawls, and finds none of `secrets` in anything that was written. */
async function staysSilent(secrets: readonly string[], given: Given): Promise<void> {
  const { words = [] } = given;
  const pair = ['--source-registry', registry.url.host, '--target-registry', registry.url.host];
  const sync = ['sync', ...pair, '--target-namespace', 'acme/to', '--summary', 'summary.json'];
  const own = words.filter((_, at) => words[at - (at % 2)]?.startsWith('--dest') !== true);
  const crawl = ['crawl', '--registry', registry.url.host];
  for (const run of [
    [...sync, '--log-format', 'text', ...words],
    [...sync, '--log-format', 'json', ...words],
    [...crawl, ...own.map((word) => word.replace(/^--src-/, '--'))],
  ]) {
    for (const [name, text] of await outputsOf(run, given)) {
      for (const form of secrets.flatMap(formsOf)) {
        const at = text.indexOf(form);
        equal(at, -1, `${name}: …${text.slice(Math.max(0, at - 300), at + form.length + 20)}…`);
      }
    }
  }
}

/** Everything that a run wrote, by where it wrote it. */
async function outputsOf(
  words: readonly string[],
  { env = {}, files = {} }: Given,
): Promise<[string, string][]> {
  await using dir = await tempDir();
  const tags = ['namespace,repo_name,name,created_on,last_updated_on,digest', ...ROWS, ''];
  for (const [name, content] of Object.entries({ ...files, 'tags.csv': tags.join('\n') })) {
    await writeFile(join(dir.path, name), content);
  }

  const { code, stdout, stderr } = await runCli([...words, '--debug', '--retry-times', '0'], {
    env: { HOME: dir.path, ...env },
    cwd: dir.path,
  });

  ok(code === 1 || code === 3, stderr);
  const written = (await readdir(dir.path)).filter((name) => !Object.hasOwn(files, name));
  if (words.includes('sync'))
    deepEqual(written, ['results.csv', 'summary.json', 'sync.json', 'tags.csv']);
  const texts = written.map(async (name): Promise<[string, string]> => {
    return [name, await readFile(join(dir.path, name), 'utf8')];
  });
  return [['stdout', stdout], ['stderr', stderr], ...(await Promise.all(texts))];
}

const both = (name: string, value: string): Record<string, string> => ({
  [`SOURCE_${name}`]: value,
  [`TARGET_${name}`]: value,
});

describe('a secret is in no output', () => {
  before(() => {
    scheme = 'basic';
  });

  it('when it is a password in the environment', async () => {
    const env = { ...both('USERNAME', 'bot'), ...both('PASSWORD', SECRET) };
    await staysSilent([SECRET, SIGNATURE], { env });
  });

  it('when it is a password in a file', async () => {
    const env = { ...both('USERNAME', 'bot'), ...both('PASSWORD_FILE', 'password') };
    await staysSilent([SECRET, SIGNATURE], { env, files: { password: `${SECRET}\n` } });
  });

  it('when it is a password on the command line', async () => {
    const creds = `bot:${SECRET}`;
    await staysSilent([SECRET, SIGNATURE], {
      words: ['--src-creds', creds, '--dest-creds', creds],
    });
  });

  it('when it is a registry token', async () => {
    const words = ['--src-registry-token', TOKEN, '--dest-registry-token', TOKEN];
    await staysSilent([TOKEN, SIGNATURE], { words });
  });

  it('when it is a password in an auth file', async () => {
    const auth = Buffer.from(`bot:${SECRET}`).toString('base64');
    const files = { 'auth.json': JSON.stringify({ auths: { [registry.url.host]: { auth } } }) };
    await staysSilent([SECRET, SIGNATURE], { files, env: { REGISTRY_AUTH_FILE: 'auth.json' } });
  });

  it('when it is of a proxy', async () => {
    const env = {
      ...both('USERNAME', 'bot'),
      ...both('PASSWORD', SECRET),
      http_proxy: `http://proxy-user:${TOKEN}@127.0.0.1:9`,
      https_proxy: `http://proxy-user:${TOKEN}@127.0.0.1:9`,
    };
    await staysSilent([SECRET, TOKEN], { env });
  });
});

describe('a token is in no output', () => {
  const files = () => ({
    'auth.json': JSON.stringify({ auths: { [registry.url.host]: { identitytoken: TOKEN } } }),
  });
  const env = { REGISTRY_AUTH_FILE: 'auth.json' };

  it('when it is an identity token that the token server refuses', async () => {
    scheme = 'bearer that is refused';
    await staysSilent([TOKEN, SIGNATURE], { files: files(), env });
  });

  it('when it is an identity token that is shown to the registry itself', async () => {
    scheme = 'basic';
    await staysSilent([TOKEN, SIGNATURE], { files: files(), env });
  });

  it('when a token server has made it', async () => {
    scheme = 'bearer';
    await staysSilent([TOKEN, ACCESS, SIGNATURE], { files: files(), env });
  });
});

describe('a credential helper', () => {
  it('is told no secret by its command line, and its own is in no output', async () => {
    scheme = 'basic';
    await using bin = await tempDir();
    const helper = join(bin.path, 'docker-credential-test');
    const answer = JSON.stringify({ ServerURL: '', Username: 'bot', Secret: SECRET });
    const script = [
      '#!/bin/sh',
      `{ tr '\\0' ' ' < /proc/$$/cmdline; cat; } > ${bin.path}/$$.seen`,
      `cat <<'END'\n${answer}\nEND`,
    ];
    await writeFile(helper, `${script.join('\n')}\n`);
    await chmod(helper, 0o755);
    const files = { 'auth.json': JSON.stringify({ credHelpers: { [registry.url.host]: 'test' } }) };
    const PATH = `${bin.path}:${process.env['PATH']}`;

    await staysSilent([SECRET, SIGNATURE], {
      files,
      env: { REGISTRY_AUTH_FILE: 'auth.json', PATH },
    });

    const names = (await readdir(bin.path)).filter((name) => name.endsWith('.seen'));
    const seen = await Promise.all(names.map((name) => readFile(join(bin.path, name), 'utf8')));
    deepEqual([...new Set(seen)], [`/bin/sh ${helper} get ${registry.url.host}\n`]);
    ok(registry.requests.some(({ headers }) => headers.authorization?.startsWith('Basic ')));
  });
});
