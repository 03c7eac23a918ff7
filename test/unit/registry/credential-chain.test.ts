import { deepEqual, equal, rejects, throws } from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';

import { systemClock, type Clock } from '../../../src/base/clock.ts';
import { Secrets } from '../../../src/base/redact.ts';
import type { AskHelper } from '../../../src/registry/credential-helper.ts';
import {
  CredentialChain,
  type CloudIdentity,
  type CredentialOptions,
} from '../../../src/registry/credential-chain.ts';
import { tempDir } from '../../support/temp-dir.ts';

const dir = await tempDir();
after(() => dir[Symbol.asyncDispose]());

const file = (name: string): string => join(dir.path, name);
const entry = (secret: string): object => ({ auth: btoa(`file:${secret}`) });
await writeFile(
  file('auth.json'),
  JSON.stringify({
    auths: { 'r.test': entry('host-word'), 'r.test/team': entry('team-word') },
    credHelpers: { 'h.test': 'x' },
  }),
);
await writeFile(file('user'), 'from-file\n');
await writeFile(file('password'), 'word-in-file\r\nsecond line\n');
await writeFile(file('empty'), '\n');

interface Given {
  readonly options?: CredentialOptions;
  readonly env?: Readonly<Record<string, string>>;
  readonly ask?: AskHelper;
  readonly secrets?: Secrets;
  readonly clock?: Clock;
  readonly identity?: CloudIdentity;
}

function chain({ options = {}, env = {}, ...given }: Given): CredentialChain {
  return new CredentialChain({
    options,
    variables: 'TARGET',
    env: { REGISTRY_AUTH_FILE: file('auth.json'), ...env },
    secrets: given.secrets ?? new Secrets(),
    ask: given.ask ?? (async () => undefined),
    clock: given.clock ?? systemClock,
    identity: given.identity,
  });
}

/** What is found for r.test/other, on one line. */
async function found(given: Given): Promise<string> {
  const credentials = await chain(given).find('r.test', 'other');
  const { from, kind, ...rest } = credentials;
  return `${kind} ${Object.values(rest).join(':')} by ${from.replace(`${dir.path}/`, '')}`;
}

const ENV = { TARGET_USERNAME: 'env', TARGET_PASSWORD: 'word' };
const BY_ENV = 'by TARGET_USERNAME and TARGET_PASSWORD';

/** What it shows, what is given, what is found. */
// prettier-ignore
const FOUND: [string, Given, string][] = [
  ['creds', { options: { creds: 'u:p:q' } }, 'basic u:p:q by the command line'],
  ['creds with an empty password', { options: { creds: 'u:' } }, 'basic u: by the command line'],
  ['username and password', { options: { username: 'u', password: 'p' } }, 'basic u:p by the command line'],
  ['a ready token', { options: { registryToken: 't' } }, 'bearer t by the command line'],
  ['that none are wanted', { options: { noCreds: true } }, 'anonymous  by the command line'],
  ['the command line before the environment', { options: { creds: 'u:p' }, env: ENV }, 'basic u:p by the command line'],
  ['that none are wanted before the environment', { options: { noCreds: true }, env: ENV }, 'anonymous  by the command line'],
  ['the environment before files', { env: ENV }, `basic env:word ${BY_ENV}`],
  ['the environment from files', { env: { TARGET_USERNAME_FILE: file('user'), TARGET_PASSWORD_FILE: file('password') } }, `basic from-file:word-in-file ${BY_ENV}`],
  ['a variable before its file', { env: { ...ENV, TARGET_PASSWORD_FILE: '/no/such' } }, `basic env:word ${BY_ENV}`],
  ['empty variables as none', { env: { TARGET_USERNAME: '', TARGET_PASSWORD: '', TARGET_USERNAME_FILE: '' } }, 'basic file:host-word by auth.json'],
  ['nothing of the other side', { env: { SOURCE_USERNAME: 'u', SOURCE_PASSWORD: 'p' } }, 'basic file:host-word by auth.json'],
  ['files', {}, 'basic file:host-word by auth.json'],
  ['a file by name', { options: { authfile: file('auth.json') }, env: { REGISTRY_AUTH_FILE: '/none' } }, 'basic file:host-word by auth.json'],
  ['nothing', { env: { REGISTRY_AUTH_FILE: '/none' } }, 'anonymous  by no credentials'],
];

/** What it shows, what is given, what the message names. */
// prettier-ignore
const REFUSED: [string, Given, RegExp][] = [
  ['two ways at once', { options: { creds: 'u:p', registryToken: 't' } }, /only one/],
  ['credentials and none', { options: { username: 'u', password: 'p', noCreds: true } }, /only one/],
  ['creds without a password', { options: { creds: 'hunter-2' } }, /user:password/],
  ['a username alone', { options: { username: 'hunter-2' } }, /go together/],
  ['a password alone', { options: { password: 'hunter-2' } }, /go together/],
  ['a username alone in the environment', { env: { TARGET_USERNAME: 'hunter-2' } }, /TARGET_USERNAME is set but TARGET_PASSWORD is not/],
  ['a password alone in the environment', { env: { TARGET_PASSWORD: 'hunter-2' } }, /TARGET_PASSWORD is set but TARGET_USERNAME is not/],
  ['a username with an empty password', { env: { ...ENV, TARGET_PASSWORD: '' } }, /TARGET_PASSWORD is not/],
  ['a variable’s file that is not there', { env: { TARGET_USERNAME: 'u', TARGET_PASSWORD_FILE: '/no/such' } }, /\/no\/such, which TARGET_PASSWORD_FILE names/],
  ['a variable’s file that is empty', { env: { TARGET_USERNAME: 'u', TARGET_PASSWORD_FILE: file('empty') } }, /empty, which TARGET_PASSWORD_FILE names, is empty/],
  ['an auth file that is not there', { options: { authfile: '/no/such' } }, /no auth file \/no\/such/],
];

describe('CredentialChain', () => {
  for (const [shown, given, expected] of FOUND) {
    it(`takes ${shown}`, async () => {
      equal(await found(given), expected);
    });
  }

  for (const [shown, given, message] of REFUSED) {
    it(`refuses ${shown}, without quoting it`, async () => {
      await rejects(found(given), (error: Error & { code?: string }) => {
        equal(error.code, 'USAGE');
        return message.test(error.message) && !error.message.includes('hunter-2');
      });
    });
  }

  it('finds what is for a part of the registry', async () => {
    const { kind, ...rest } = await chain({}).find('r.test', 'team/a');

    deepEqual([kind, 'password' in rest && rest.password], ['basic', 'team-word']);
  });

  it('asks a helper once per registry, however many repositories there are', async () => {
    const asked: string[] = [];
    const credentials = chain({
      ask: async (name, server) => {
        asked.push(`${name} ${server}`);
        return { username: 'u', secret: 'p' };
      },
    });

    await Promise.all(['a', 'b', 'a', undefined].map((path) => credentials.find('h.test', path)));

    deepEqual(asked, ['x h.test']);
  });

  it('makes secrets known to the log, in the forms in which they travel', async () => {
    const secrets = new Secrets();
    await found({ secrets });

    for (const secret of ['host-word', btoa('file:host-word')]) {
      equal(secrets.hide(`x ${secret} y`), 'x *** y');
    }
  });
});

describe('a check before anything is asked for', () => {
  for (const [shown, given, message] of [
    ['half a login', { env: { TARGET_USERNAME: 'u' } }, /TARGET_PASSWORD is not/],
    ['two ways at once', { options: { creds: 'u:p', noCreds: true } }, /only one of/],
    ['an auth file that is not there', { options: { authfile: file('nope') } }, /no auth file/],
  ] as const) {
    it(`finds ${shown}`, () => {
      throws(() => chain(given).check(), { code: 'USAGE', message });
    });
  }

  it('runs no helper', () => {
    const ask = async (): Promise<undefined> => {
      throw new Error('asked');
    };

    chain({ ask }).check();
  });
});
