/** Identities of a cloud among the other credentials, and credentials that expire while we run. */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import { Secrets } from '../../../src/base/redact.ts';
import {
  CredentialChain,
  type CloudIdentity,
  type CredentialOptions,
} from '../../../src/registry/credential-chain.ts';
import {
  AZURE_TOKEN_USER,
  identityToken,
  type Credentials,
} from '../../../src/registry/credentials.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { jwt } from '../../support/known-client.ts';
import { tempDir } from '../../support/temp-dir.ts';

const dir = await tempDir();
after(() => dir[Symbol.asyncDispose]());

const MINUTE = 60_000;
const ENV = { TARGET_USERNAME: 'env', TARGET_PASSWORD: 'word' };
const NO_FILE = { REGISTRY_AUTH_FILE: '/none' };

/** A token that is good for so long. */
function tokenFor(clock: FakeClock, ms: number, more: object = {}): string {
  return jwt({ exp: (clock.now() + ms) / 1000, ...more });
}

let files = 0;

/** An auth file with an identity token for r.test. */
async function authFile(token: string, path?: string): Promise<string> {
  files += 1;
  const file = path ?? join(dir.path, `auth-${files}.json`);
  const auth = btoa(`${AZURE_TOKEN_USER}:`);
  await writeFile(file, JSON.stringify({ auths: { 'r.test': { auth, identitytoken: token } } }));
  return file;
}

interface Given {
  readonly options?: CredentialOptions;
  readonly env?: Readonly<Record<string, string>>;
  readonly identity?: CloudIdentity;
  readonly clock?: FakeClock;
  readonly secrets?: Secrets;
}

function chain({ options = {}, env = NO_FILE, identity, clock, secrets }: Given): CredentialChain {
  return new CredentialChain({
    options,
    variables: 'TARGET',
    env,
    secrets: secrets ?? new Secrets(),
    ask: async () => undefined,
    clock: clock ?? new FakeClock(),
    identity,
  });
}

/** An identity that counts how often it is asked; each answer has a number. */
function cloud(
  isChosen: boolean,
  find: (times: number) => Credentials | undefined | Promise<Credentials> = (times) =>
    identityToken(AZURE_TOKEN_USER, `token-${times}`, 'the cloud'),
): CloudIdentity & { readonly asked: () => number } {
  let asked = 0;
  return {
    isChosen,
    asked: () => asked,
    async find() {
      asked += 1;
      return find(asked);
    },
  };
}

async function from(given: Given): Promise<string> {
  return (await chain(given).find('r.test', 'a')).from;
}

async function tokenOf(credentials: CredentialChain, repository = 'a'): Promise<string> {
  const found = await credentials.find('r.test', repository);
  return found.kind === 'identity-token' ? found.token : found.kind;
}

describe('an identity that was chosen', () => {
  it('comes before environment and files', async () => {
    const file = await authFile('in-file');

    equal(
      await from({ identity: cloud(true), env: { ...ENV, REGISTRY_AUTH_FILE: file } }),
      'the cloud',
    );
  });

  for (const [shown, options] of [
    ['creds', { creds: 'u:p' }],
    ['username and password', { username: 'u', password: 'p' }],
    ['a ready token', { registryToken: 't' }],
    ['that none are wanted', { noCreds: true }],
  ] as const) {
    it(`can't be given together with ${shown}`, async () => {
      const identity = cloud(true);

      await rejects(from({ identity, options }), {
        code: 'USAGE',
        message: /give only one of creds, .*azure-credential/,
      });
      equal(identity.asked(), 0);
    });
  }

  it('that is not there is not replaced by what is found elsewhere', async () => {
    const refused = new RegistrySyncError('UNAUTHORIZED', 'no such identity');
    const identity = cloud(true, () => Promise.reject(refused));

    await rejects(from({ identity, env: ENV }), (error) => error === refused);
  });
});

describe('an identity that was not chosen', () => {
  for (const [shown, given, expected] of [
    ['the command line', { options: { creds: 'u:p' } }, 'the command line'],
    ['that none are wanted', { options: { noCreds: true } }, 'the command line'],
    ['the environment', { env: ENV }, 'TARGET_USERNAME and TARGET_PASSWORD'],
  ] as const) {
    it(`comes after ${shown}, and is not asked then`, async () => {
      const identity = cloud(false);

      equal(await from({ identity, ...given }), expected);
      equal(identity.asked(), 0);
    });
  }

  it('comes after files', async () => {
    const file = await authFile('in-file');
    const identity = cloud(false);

    equal(await from({ identity, env: { REGISTRY_AUTH_FILE: file } }), file);
    equal(identity.asked(), 0);
  });

  it('comes before nothing at all', async () => {
    equal(await from({ identity: cloud(false) }), 'the cloud');
  });
});

describe('an identity', () => {
  it('is asked once for many repositories at the same time, and its token is hidden', async () => {
    const identity = cloud(true);
    const secrets = new Secrets();
    const credentials = chain({ identity, secrets });

    const found = await Promise.all(['a', 'b', 'c', 'a'].map((name) => tokenOf(credentials, name)));

    deepEqual([found, identity.asked()], [Array<string>(4).fill('token-1'), 1]);
    equal(secrets.hide('x token-1 y'), 'x *** y');
  });

  it('is asked again before its token expires, once for many repositories', async () => {
    const clock = new FakeClock();
    const identity = cloud(true, (times) =>
      identityToken('', tokenFor(clock, 180 * MINUTE, { times }), 'the cloud'),
    );
    const credentials = chain({ identity, clock });
    const names = ['a', 'b', 'c', 'd'];

    const asked: number[] = [];
    for (const advance of [0, 175 * MINUTE - 1, 1, 1, 175 * MINUTE]) {
      clock.advance(advance);
      const found = await Promise.all(names.map((name) => tokenOf(credentials, name)));
      equal(new Set(found).size, 1);
      asked.push(identity.asked());
    }

    deepEqual(asked, [1, 1, 2, 2, 3]);
  });
});

describe('an identity at its limits', () => {
  it('whose token does not say when it expires is asked once', async () => {
    const clock = new FakeClock();
    const identity = cloud(true);
    const credentials = chain({ identity, clock });
    await tokenOf(credentials);

    clock.advance(24 * 60 * MINUTE);

    deepEqual([await tokenOf(credentials), identity.asked()], ['token-1', 1]);
  });

  it('whose tokens live shorter than five minutes is asked once a minute', async () => {
    const clock = new FakeClock();
    const identity = cloud(true, () => identityToken('', tokenFor(clock, 2 * MINUTE), 'the cloud'));
    const credentials = chain({ identity, clock });

    const asked: number[] = [];
    for (const advance of [0, MINUTE - 1, 1, MINUTE - 1, 1]) {
      clock.advance(advance);
      await tokenOf(credentials);
      asked.push(identity.asked());
    }

    deepEqual(asked, [1, 1, 2, 2, 3]);
  });

  it('that fails is not asked again for a minute, for whatever repository', async () => {
    const clock = new FakeClock();
    const refused = new RegistrySyncError('UNAUTHORIZED', 'no such identity');
    const identity = cloud(true, (times) =>
      times === 1 ? Promise.reject(refused) : identityToken('', 'late', 'the cloud'),
    );
    const credentials = chain({ identity, clock });
    for (const name of ['a', 'b', 'a']) {
      clock.advance(19_999);
      await rejects(tokenOf(credentials, name), (error) => error === refused);
    }
    const before = identity.asked();
    clock.advance(2 * MINUTE);

    deepEqual([before, await tokenOf(credentials), identity.asked()], [1, 'late', 2]);
  });

  it('that needs more than a minute to fail has failed', async () => {
    const clock = new FakeClock();
    const identity = cloud(true, async (times) => {
      await Promise.resolve();
      clock.advance(MINUTE + 1); // retries and timeouts of the network
      if (times > 3) return identityToken('', 'late', 'the cloud'); // else the test would never end
      throw new RegistrySyncError('UNAVAILABLE', 'is down');
    });

    await rejects(tokenOf(chain({ identity, clock })), { code: 'UNAVAILABLE' });
    equal(identity.asked(), 1);
  });
});

describe('an identity that can’t be asked again', () => {
  const down = new RegistrySyncError('UNAVAILABLE', 'is down');

  for (const isChosen of [true, false]) {
    const which = isChosen ? 'that was chosen' : 'that was hinted at';

    it(`keeps the token that lasts, and is tried again each minute: one ${which}`, async () => {
      const clock = new FakeClock();
      const identity = cloud(isChosen, (times) => {
        if (times > 1 && times < 4) throw down;
        return identityToken('', tokenFor(clock, 180 * MINUTE, { times }), 'the cloud');
      });
      const credentials = chain({ identity, clock });
      const first = await tokenOf(credentials);

      const found: [boolean, number][] = [];
      for (const advance of [175 * MINUTE, 0, MINUTE - 1, 1, MINUTE - 1, 1]) {
        clock.advance(advance);
        const [token, other] = await Promise.all(
          ['a', 'b'].map((name) => tokenOf(credentials, name)),
        );
        equal(other, token);
        found.push([token === first, identity.asked()]);
      }

      deepEqual(found, [
        [true, 2],
        [true, 2],
        [true, 2],
        [true, 3],
        [true, 3],
        [false, 4],
      ]);
    });
  }

  it('fails once the token has expired, and not before', async () => {
    const clock = new FakeClock();
    const identity = cloud(true, (times) => {
      if (times > 1) throw down;
      return identityToken('', tokenFor(clock, 180 * MINUTE), 'the cloud');
    });
    const credentials = chain({ identity, clock });
    const first = await tokenOf(credentials);

    for (const advance of [176 * MINUTE, 2 * MINUTE, 2 * MINUTE - 1]) {
      clock.advance(advance);
      equal(await tokenOf(credentials), first);
    }
    clock.advance(MINUTE);
    await rejects(tokenOf(credentials), (error) => error === down);
  });
});

describe('an auth file that can’t be read at renewal', () => {
  for (const [shown, break_] of [
    ['is half written', (file: string) => writeFile(file, '{"auths": {"r.te')],
    ['is empty', (file: string) => writeFile(file, '')],
    ['is gone', (file: string) => rm(file)],
    ['holds nothing', (file: string) => writeFile(file, '{}')],
  ] as const) {
    it(`as it ${shown} leaves the token that lasts, and is read again a minute later`, async () => {
      const clock = new FakeClock();
      const old = tokenFor(clock, 180 * MINUTE);
      const renewed = tokenFor(clock, 400 * MINUTE);
      const file = await authFile(old);
      const credentials = chain({ clock, options: { authfile: file } });
      const found = [await tokenOf(credentials)];
      clock.advance(175 * MINUTE);
      await break_(file);
      found.push(await tokenOf(credentials), await tokenOf(credentials));
      await authFile(renewed, file);

      for (const advance of [MINUTE - 1, 1]) {
        clock.advance(advance);
        found.push(await tokenOf(credentials));
      }

      deepEqual(found, [old, old, old, old, renewed]);
    });
  }

  it('as it is half written is what it was for a repository that is met then', async () => {
    const clock = new FakeClock();
    const old = tokenFor(clock, 180 * MINUTE);
    const renewed = tokenFor(clock, 400 * MINUTE);
    const file = await authFile(old);
    const credentials = chain({ clock, options: { authfile: file } });
    await tokenOf(credentials);
    await writeFile(file, '{"auths"');
    clock.advance(175 * MINUTE);

    const found = [await tokenOf(credentials, 'b'), await tokenOf(credentials, 'c')];
    await authFile(renewed, file);
    clock.advance(MINUTE);
    found.push(await tokenOf(credentials, 'b'), await tokenOf(credentials, 'd'));

    deepEqual(found, [old, old, renewed, renewed]);
  });

  it('is an error once the token has expired', async () => {
    const clock = new FakeClock();
    const file = await authFile(tokenFor(clock, 180 * MINUTE));
    const credentials = chain({ clock, options: { authfile: file } });
    await tokenOf(credentials);
    await writeFile(file, '{"auths"');
    clock.advance(180 * MINUTE);

    await rejects(tokenOf(credentials), { code: 'USAGE' });
  });

  it('is an error the first time', async () => {
    const file = await authFile('x');
    await writeFile(file, '{"auths"');

    await rejects(tokenOf(chain({ options: { authfile: file } })), { code: 'USAGE' });
  });
});

describe('an identity that there is none of', () => {
  it('is nobody, and is asked once', async () => {
    const clock = new FakeClock();
    const identity = cloud(false, () => undefined);
    const credentials = chain({ identity, clock });

    const found = [await tokenOf(credentials), await tokenOf(credentials, 'b')];
    clock.advance(600 * MINUTE);
    found.push(await tokenOf(credentials));

    deepEqual([found, identity.asked()], [['anonymous', 'anonymous', 'anonymous'], 1]);
  });
});

describe('an identity token in a file', () => {
  it('is looked for again before it expires: who has logged in again meanwhile is seen', async () => {
    const clock = new FakeClock();
    const [old, renewed] = [1, 2].map((times) => tokenFor(clock, times * 180 * MINUTE));
    const file = await authFile(old ?? '');
    const credentials = chain({ clock, env: { REGISTRY_AUTH_FILE: file } });
    const found = [await tokenOf(credentials)];
    await authFile(renewed ?? '', file);

    for (const advance of [175 * MINUTE - 1, 1]) {
      clock.advance(advance);
      found.push(await tokenOf(credentials));
    }

    deepEqual(found, [old, old, renewed]);
    equal(await tokenOf(credentials, 'b'), renewed);
  });

  it('is looked for again for a repository that is met after it has expired', async () => {
    const clock = new FakeClock();
    const renewed = tokenFor(clock, 600 * MINUTE);
    const file = await authFile(tokenFor(clock, 180 * MINUTE));
    const credentials = chain({ clock, env: { REGISTRY_AUTH_FILE: file } });
    await tokenOf(credentials);
    await authFile(renewed, file);
    clock.advance(200 * MINUTE);

    equal(await tokenOf(credentials, 'b'), renewed);
  });

  it('that has expired and is not renewed is looked for once a minute, and shown as it is', async () => {
    const clock = new FakeClock();
    const old = tokenFor(clock, 10 * MINUTE);
    const renewed = tokenFor(clock, 300 * MINUTE);
    const file = await authFile(old);
    const credentials = chain({ clock, env: { REGISTRY_AUTH_FILE: file } });
    await tokenOf(credentials);
    clock.advance(60 * MINUTE);
    const found = [await tokenOf(credentials)];
    await authFile(renewed, file);

    for (const advance of [MINUTE - 1, 1]) {
      clock.advance(advance);
      found.push(await tokenOf(credentials));
    }

    deepEqual(found, [old, old, renewed]);
  });

  it('that is gone gives way to what else there is', async () => {
    const clock = new FakeClock();
    const file = await authFile(tokenFor(clock, 10 * MINUTE));
    const identity = cloud(false);
    const credentials = chain({ clock, identity, env: { REGISTRY_AUTH_FILE: file } });
    await tokenOf(credentials);
    await writeFile(file, '{}');
    clock.advance(10 * MINUTE);

    equal(await tokenOf(credentials), 'token-1');
  });
});
