import { deepEqual, equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { azureIdentity, type AzureOptions } from '../../../src/cli/azure-identity.ts';
import { Screen } from '../../../src/cli/screen.ts';
import { silentLog } from '../../../src/base/log.ts';
import { Secrets } from '../../../src/base/redact.ts';
import type { CloudIdentity } from '../../../src/registry/credential-chain.ts';
import { RegistryRules } from '../../../src/registry/registry-rules.ts';
import { profileOf } from '../../../src/registry/profile.ts';
import { NEVER } from '../../support/client.ts';

type Asked = Partial<Pick<AzureOptions, 'registry' | 'profile' | 'credential'>>;

/** The identity for a registry, in this environment. Nothing may be asked for to know it. */
function identity(env: Record<string, string>, asked: Asked = {}): CloudIdentity | undefined {
  const runtime = {
    log: silentLog(),
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
  return azureIdentity(runtime, { registry, profile, credential }, () => {
    throw new Error('something was sent');
  });
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
