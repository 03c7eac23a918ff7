import { deepEqual, equal, match, rejects, throws } from 'node:assert/strict';
import { describe, it, mock, type TestContext } from 'node:test';

import {
  AzureCliCredential,
  CredentialUnavailableError,
  DefaultAzureCredential,
} from '@azure/identity';

import { azureIdentity, type AzureOptions } from '../../../src/cli/azure-identity.ts';
import { Screen } from '../../../src/cli/screen.ts';
import { createLog, silentLog, type Log } from '../../../src/base/log.ts';
import { Secrets } from '../../../src/base/redact.ts';
import type { CloudIdentity } from '../../../src/registry/credential-chain.ts';
import { RegistryRules } from '../../../src/registry/registry-rules.ts';
import { profileOf } from '../../../src/registry/profile.ts';
import type { Send } from '../../../src/http/send.ts';
import { NEVER } from '../../support/client.ts';
import { json, refusal } from '../../support/known-client.ts';
import { createWire, type WireAnswer } from '../../support/wire.ts';

interface Asked extends Partial<Pick<AzureOptions, 'registry' | 'profile' | 'credential'>> {
  readonly log?: Log;
  readonly send?: Send;
}

const nothing: Send = () => {
  throw new Error('something was sent');
};

/** The identity for a registry, in this environment. Nothing may be asked for to know it. */
function identity(env: Record<string, string>, asked: Asked = {}): CloudIdentity | undefined {
  const runtime = {
    log: asked.log ?? silentLog(),
    runId: 'run-1',
    showsProgress: false,
    screen: new Screen(process.stderr),
    secrets: new Secrets(),
    retry: { times: 0, firstDelayMs: 1, maxDelayMs: 1, maxRetryAfterMs: 1 },
    maxConnections: 1,
    privateHosts: [],
    registries: new RegistryRules([]),
    userAgent: 'test',
    env,
    signal: NEVER,
  };
  const { registry = 'acme.azurecr.io', profile = profileOf(registry), credential } = asked;
  return azureIdentity(runtime, { registry, profile, credential }, asked.send ?? nothing);
}

const ID = { AZURE_CLIENT_ID: 'x' };

describe('the identity for a registry of Azure’s', () => {
  for (const hint of [
    'AZURE_CLIENT_ID',
    'AZURE_TENANT_ID',
    'AZURE_FEDERATED_TOKEN_FILE',
    'AZURE_TOKEN_CREDENTIALS',
    'IDENTITY_ENDPOINT',
    'MSI_ENDPOINT',
  ]) {
    it(`is looked for, after all else, where ${hint} is set`, () => {
      equal(identity({ [hint]: 'x' })?.isChosen, false);
    });

    it(`is not looked for where ${hint} is empty`, () => {
      equal(identity({ [hint]: '' }), undefined);
    });
  }

  it('is not looked for where nothing hints at one', () => {
    equal(identity({ HOME: '/root', AZURE_CONFIG_DIR: '/x' }), undefined);
  });

  for (const credential of ['default', 'workload', 'managed', 'env', 'cli'] as const) {
    it(`is chosen by --azure-credential ${credential}, whatever hints there are`, () => {
      deepEqual(
        [identity({}, { credential })?.isChosen, identity(ID, { credential })?.isChosen],
        [true, true],
      );
    });
  }

  it('is none where none is wanted', () => {
    equal(identity(ID, { credential: 'none' }), undefined);
  });

  it('is looked for at a domain that is said to be of that kind', () => {
    const registry = 'images.example.com';

    equal(identity(ID, { registry, profile: profileOf(registry, 'acr') })?.isChosen, false);
  });
});

describe('the identity for another registry', () => {
  for (const registry of ['ghcr.io', 'docker.io', 'images.example.com', 'evil-azurecr.io']) {
    it(`is none: ${registry}`, () => {
      equal(identity(ID, { registry }), undefined);
      equal(identity(ID, { registry, credential: 'none' }), undefined);
    });

    it(`can't be chosen: ${registry}`, () => {
      throws(() => identity({}, { registry, credential: 'cli' }), {
        code: 'USAGE',
        message: `--azure-credential cli is for registries of Azure's, and ${registry} is not known to be one: say so with --registry-kind acr`,
      });
    });
  }

  it('is none where an Azure host is said to be of another kind', () => {
    equal(identity(ID, { profile: profileOf('acme.azurecr.io', 'generic') }), undefined);
  });
});

/** Credentials of Azure's that give one token after the other; `undefined`: there is none. */
function giving(
  t: TestContext,
  ...tokens: (string | undefined)[]
): { readonly asked: () => number } {
  let asked = 0;
  async function getToken(): Promise<{ token: string; expiresOnTimestamp: number }> {
    const token = tokens[Math.min(asked, tokens.length - 1)];
    asked += 1;
    if (token === undefined) throw new CredentialUnavailableError('there is no such identity');
    return { token, expiresOnTimestamp: Date.now() + 3_600_000 };
  }
  for (const { prototype } of [DefaultAzureCredential, AzureCliCredential]) {
    mock.method(prototype, 'getToken', getToken);
  }
  t.after(() => mock.restoreAll());
  return { asked: () => asked };
}

/** A log, and what it was warned of. */
async function warnings(): Promise<{ log: Log; warned: Record<string, unknown>[] }> {
  const warned: Record<string, unknown>[] = [];
  const write = (line: string): void => void warned.push(JSON.parse(line));
  const log = await createLog({ level: 'warn', format: 'json', secrets: new Secrets(), write });
  return { log, warned };
}

const exchange = (answer: WireAnswer): Send => createWire(() => answer).send;

describe('an identity that a variable hints at', () => {
  it('and that is not there is told once, with the variable and what to do, and is nobody', async (t) => {
    giving(t, undefined);
    const { log, warned } = await warnings();
    const found = identity({ AZURE_TENANT_ID: 'x' }, { log });

    equal(await found?.find(), undefined);

    equal(warned.length, 1);
    equal(warned[0]?.registry, 'acme.azurecr.io');
    match(String(warned[0]?.reason), /^AZURE_TENANT_ID is set, but: .*there is no such identity/);
    match(String(warned[0]?.msg), /going on without \(--azure-credential none says so\)/);
  });

  it('and that the registry refuses is nobody', async (t) => {
    giving(t, 'entra-token');
    const { log, warned } = await warnings();
    const send = exchange(refusal(401, 'UNAUTHORIZED'));

    equal(await identity(ID, { log, send })?.find(), undefined);

    match(String(warned[0]?.reason), /^AZURE_CLIENT_ID is set, but: acme\.azurecr\.io and the/);
  });

  it('and that the registry is too busy for is a failure', async (t) => {
    giving(t, 'entra-token');

    await rejects(identity(ID, { send: exchange({ status: 503 }) })?.find() ?? nobody(), {
      code: 'UNAVAILABLE',
    });
  });

  it('and that has let us in once is a failure when it does not any more', async (t) => {
    const { asked } = giving(t, 'entra-token', undefined);
    const { log, warned } = await warnings();
    const found = identity(ID, { log, send: exchange(json({ refresh_token: 'registry-token' })) });

    const first = await found?.find();
    equal(first?.kind === 'identity-token' && first.token, 'registry-token');
    await rejects(found?.find() ?? nobody(), { code: 'UNAUTHORIZED' });

    deepEqual([asked() > 1, warned], [true, []]);
  });
});

describe('an identity that was chosen', () => {
  it('and that is not there is a failure', async (t) => {
    giving(t, undefined);
    const { log, warned } = await warnings();

    await rejects(identity(ID, { credential: 'cli', log })?.find() ?? nobody(), {
      code: 'UNAUTHORIZED',
      message: /^Azure gives no token for --azure-credential cli: there is no such identity/,
    });
    deepEqual(warned, []);
  });

  it('and that the registry refuses is a failure', async (t) => {
    giving(t, 'entra-token');
    const send = exchange(refusal(401, 'UNAUTHORIZED'));

    await rejects(identity({}, { credential: 'default', send })?.find() ?? nobody(), {
      code: 'UNAUTHORIZED',
    });
  });
});

describe('a token of Azure’s', () => {
  const ARM = 'https://management.azure.com/.default';

  for (const [registry, scopes] of [
    ['acme.azurecr.io', ['https://containerregistry.azure.net/.default', ARM]],
    ['images.example.com', ['https://containerregistry.azure.net/.default']],
  ] as const) {
    it(`is for ${scopes.length} audiences at ${registry}, which refuses it`, async (t) => {
      giving(t, 'entra-token');
      const getToken = DefaultAzureCredential.prototype.getToken as unknown as {
        mock: { calls: { arguments: unknown[] }[] };
      };
      const send = exchange(refusal(401, 'UNAUTHORIZED'));
      const asked = { registry, profile: profileOf(registry, 'acr'), send };

      await identity(ID, asked)?.find();

      deepEqual(
        getToken.mock.calls.map((call) => call.arguments[0]),
        scopes,
      );
    });
  }
});

const nobody = (): Promise<never> => Promise.reject(new Error('no identity is looked for'));
