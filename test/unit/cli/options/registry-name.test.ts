import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { CRAWL_OPTIONS } from '../../../../src/cli/commands/crawl-options.ts';
import { SYNC_OPTIONS } from '../../../../src/cli/commands/sync-options.ts';
import {
  AZURE_CLOUD,
  readRegistry,
  REGISTRY_KIND,
} from '../../../../src/cli/options/registry-name.ts';

/** What `--x-name` is given, and the registry that it means. */
const NAMES: [string, string][] = [
  ['gsoci', 'gsoci.azurecr.io'],
  ['GsOci', 'gsoci.azurecr.io'],
  ['gsoci.azurecr.io', 'gsoci.azurecr.io'],
  ['docker.io', 'docker.io'],
  ['index.docker.io', 'docker.io'],
  ['registry-1.docker.io', 'docker.io'],
  ['localhost', 'localhost'],
  ['localhost:5000', 'localhost:5000'],
  ['127.0.0.1:5000', '127.0.0.1:5000'],
  ['registry:5000', 'registry:5000'],
];

describe('readRegistry', () => {
  for (const [name, expected] of NAMES) {
    it(`takes the name ${name} for ${expected}`, () => {
      equal(readRegistry('x', { host: undefined, name: name }), expected);
    });
  }

  it('takes short names for those of another cloud', () => {
    equal(readRegistry('x', { host: undefined, name: 'a', cloud: 'china' }), 'a.azurecr.cn');
    equal(readRegistry('x', { host: undefined, name: 'a', cloud: 'usgovernment' }), 'a.azurecr.us');
    equal(
      readRegistry('x', { host: undefined, name: 'a.example.com', cloud: 'china' }),
      'a.example.com',
    );
  });

  it('takes a host as it is', () => {
    equal(readRegistry('x', { host: 'registry', name: undefined }), 'registry');
    equal(readRegistry('x', { host: ' R.Example.com:443 ', name: undefined }), 'r.example.com:443');
    equal(readRegistry('x', { host: '[::1]:5000', name: undefined }), '[::1]:5000');
  });

  for (const [text, message] of [
    [
      'https://gsoci.azurecr.io',
      /"https:\/\/gsoci\.azurecr\.io" is no registry: leave out the scheme/,
    ],
    ['gsoci.azurecr.io/giantswarm', /is no registry: leave out the path/],
    ['gsoci.azurecr.io:port', /is no registry: write host or host:port/],
    ['a b.io', /is no registry/],
    ['-a.io', /is no registry/],
  ] as const) {
    it(`refuses ${text}, as host and as name`, () => {
      throws(() => readRegistry('x', { host: text, name: undefined }), { code: 'USAGE', message });
      throws(() => readRegistry('x', { host: undefined, name: text }), { code: 'USAGE', message });
    });
  }

  it('refuses both and none', () => {
    throws(() => readRegistry('registry', { host: 'a.io', name: 'b' }), {
      code: 'USAGE',
      message: 'give only one of --registry or --registry-name',
    });
    throws(() => readRegistry('registry', { host: undefined, name: undefined }), {
      code: 'USAGE',
      message: 'give --registry or --registry-name',
    });
  });
});

describe('what can be said of a registry', () => {
  it('is of which kind it is: every kind that is known', () => {
    deepEqual(
      [...REGISTRY_KIND.choices],
      [
        'acr',
        'artifactory',
        'distribution',
        'docker-hub',
        'ecr',
        'ghcr',
        'gitlab',
        'google',
        'harbor',
        'quay',
        'zot',
        'generic',
      ],
    );
  });

  it('is in which cloud it is', () => {
    deepEqual([...AZURE_CLOUD.choices], ['public', 'china', 'usgovernment']);
  });

  it('is told by the help, choice by choice', () => {
    for (const { describe: said, choices } of [REGISTRY_KIND, AZURE_CLOUD]) {
      ok(said.endsWith(`: ${choices.join(', ')}`), said);
    }
  });

  it('can be said to every command, of each side that it has', () => {
    const kinds = [
      CRAWL_OPTIONS['registry-kind'],
      SYNC_OPTIONS['source-registry-kind'],
      SYNC_OPTIONS['target-registry-kind'],
    ];

    deepEqual(
      kinds.map(({ choices }) => choices),
      Array(3).fill(REGISTRY_KIND.choices),
    );
    equal(CRAWL_OPTIONS['azure-cloud'].choices, AZURE_CLOUD.choices);
    equal(SYNC_OPTIONS['azure-cloud'].choices, AZURE_CLOUD.choices);
  });
});
