import { equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { readRegistry } from '../../../../src/cli/options/registry-name.ts';

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
