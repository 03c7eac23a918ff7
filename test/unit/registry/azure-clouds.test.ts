import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import {
  audiencesFor,
  AZURE_CLOUD_NAMES,
  azureCloudOf,
  type AzureCloudName,
} from '../../../src/registry/azure-clouds.ts';

const REGISTRIES = 'https://containerregistry.azure.net';

describe('the cloud of a registry', () => {
  for (const [registry, name] of [
    ['acme.azurecr.io', 'public'],
    ['acme.azurecr.cn', 'china'],
    ['acme.azurecr.us', 'usgovernment'],
    ['acme.chinaeast2.geo.azurecr.cn', 'china'],
    ['acme.azurecr.cn:443', 'china'],
    ['acme.azurecr.us:8443', 'usgovernment'],
    ['images.example.com', 'public'],
    ['azurecr.cn', 'public'],
    ['acme.azurecr.cn.evil.test', 'public'],
    ['evil-azurecr.cn', 'public'],
    ['', 'public'],
  ] as const) {
    it(`is ${name} for «${registry}»`, () => equal(azureCloudOf(registry).name, name));
  }

  it('is the one that was named, whatever the host', () => {
    deepEqual(
      AZURE_CLOUD_NAMES.map((name) => azureCloudOf('acme.azurecr.cn', name).name),
      [...AZURE_CLOUD_NAMES],
    );
  });

  it('is asked for tokens at its own place, for its own registries first where they take such', () => {
    deepEqual(
      AZURE_CLOUD_NAMES.map((name) => azureCloudOf('', name)).map(
        ({ authorityHost, audiences }) => [authorityHost, audiences.join(' ')],
      ),
      [
        ['https://login.microsoftonline.com', `${REGISTRIES} https://management.azure.com`],
        ['https://login.chinacloudapi.cn', `https://management.chinacloudapi.cn ${REGISTRIES}`],
        ['https://login.microsoftonline.us', `https://management.usgovcloudapi.net ${REGISTRIES}`],
      ],
    );
  });
});

describe('a token for the resource manager', () => {
  const audiences = (registry: string, name?: AzureCloudName): readonly string[] =>
    audiencesFor(registry, azureCloudOf(registry, name), name !== undefined);

  for (const registry of [
    'acme.azurecr.io',
    'acme.azurecr.io:443',
    'acme.westeurope.geo.azurecr.io',
    'acme.azurecr.cn',
    'acme.azurecr.cn:443',
    'acme.azurecr.us',
  ]) {
    it(`may go to a host of Azure’s own: ${registry}`, () => {
      const { audiences: all } = azureCloudOf(registry);

      deepEqual(audiences(registry), all);
      equal(all.length, 2);
    });
  }

  for (const registry of [
    'images.example.com',
    'evil-azurecr.io',
    'azurecr.io',
    'acme.azurecr.io.evil.test',
    'acme.azurecr.io.evil.test:443',
    '127.0.0.1:5000',
    '[::1]:5000',
  ]) {
    it(`goes to no other: ${registry}`, () => deepEqual(audiences(registry), [REGISTRIES]));

    it(`goes there where the cloud was named: ${registry}`, () => {
      for (const name of AZURE_CLOUD_NAMES) {
        deepEqual(audiences(registry, name), azureCloudOf('', name).audiences);
      }
    });
  }
});
