import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { AZURE_CLOUD_NAMES, azureCloudOf } from '../../../src/registry/azure-clouds.ts';

const REGISTRIES = 'https://containerregistry.azure.net';

describe('the cloud of a registry', () => {
  for (const [registry, name] of [
    ['acme.azurecr.io', 'public'],
    ['acme.azurecr.cn', 'china'],
    ['acme.azurecr.us', 'usgovernment'],
    ['acme.chinaeast2.geo.azurecr.cn', 'china'],
    ['images.example.com', 'public'],
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
