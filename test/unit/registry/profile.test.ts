import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { hostOf, profileOf, REGISTRY_KINDS } from '../../../src/registry/profile.ts';

/** Hosts, and the kind that they are of. */
// prettier-ignore
const HOSTS: [string, string][] = [
  ['gsoci.azurecr.io', 'acr'],
  ['gsoci.azurecr.cn', 'acr'],
  ['gsoci.azurecr.us', 'acr'],
  ['gs-oci2.azurecr.io', 'acr'],
  ['gsoci.azurecr.io:443', 'acr'],
  ['gsoci.westeurope.geo.azurecr.io', 'acr'],
  ['gsoci.chinaeast2.geo.azurecr.cn', 'acr'],
  ['docker.io', 'docker-hub'],
  ['docker.io:443', 'docker-hub'],
  ['ghcr.io', 'ghcr'],
  ['123456789012.dkr.ecr.eu-west-1.amazonaws.com', 'ecr'],
  ['123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn', 'ecr'],
  ['123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com', 'ecr'],
  ['123456789012.dkr-ecr.eu-west-1.on.aws', 'ecr'],
  ['public.ecr.aws', 'ecr'],
  ['gcr.io', 'google'],
  ['eu.gcr.io', 'google'],
  ['europe-docker.pkg.dev', 'google'],
  ['europe-west3-docker.pkg.dev', 'google'],
  ['registry.gitlab.com', 'gitlab'],
  ['quay.io', 'quay'],
  ['quay.io:443', 'quay'],
];

/** Hosts that look like those of somebody else, and are not. */
const NEAR_MISSES = [
  'evil-azurecr.io',
  'azurecr.io',
  '.azurecr.io',
  'gsoci.azurecr.io.evil.com',
  'gsoci.azurecr.com',
  'gsoci.azurecrxio',
  'a.b.azurecr.io',
  'gsoci.westeurope.data.azurecr.io',
  'hub.docker.io',
  'docker.io.evil.com',
  'evildocker.io',
  'evil-ghcr.io',
  'ghcr.io.evil.com',
  'x.ghcr.io',
  '123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.com',
  '12345.dkr.ecr.eu-west-1.amazonaws.com',
  'evil.123456789012.dkr.ecr.eu-west-1.amazonaws.com',
  '123456789012.dkr.s3.eu-west-1.amazonaws.com',
  'public.ecr.aws.evil.com',
  'evilgcr.io',
  'gcr.io.evil.com',
  'docker.pkg.dev',
  'europe-docker.pkg.dev.evil.com',
  'europe-npm.pkg.dev',
  'gitlab.com',
  'evil-quay.io',
  'r.test:5000',
  '127.0.0.1:5000',
  '[::1]:5000',
];

describe('a registry', () => {
  for (const [host, kind] of HOSTS) {
    it(`at ${host} is of the kind ${kind}`, () => equal(profileOf(host).kind, kind));
  }

  for (const host of NEAR_MISSES) {
    it(`at ${host} is of no known kind`, () => equal(profileOf(host).kind, 'generic'));
  }

  it('is what it is said to be, whatever its host', () => {
    equal(profileOf('images.example.com', 'acr').kind, 'acr');
    equal(profileOf('gsoci.azurecr.io', 'generic').kind, 'generic');
    equal(profileOf('docker.io', 'zot').kind, 'zot');
  });

  it('can be said to be of any kind there is', () => {
    deepEqual(
      REGISTRY_KINDS.map((kind) => profileOf('r.test', kind).kind),
      [...REGISTRY_KINDS],
    );
  });
});

/** What is known of each kind: lists, catalog, wildcard tokens, mounts, cancelling, lag, parts. */
// prettier-ignore
const KNOWN: [string, (string | boolean | number | undefined)[]][] = [
  ['acr', ['acr', 'all', true, true, false, true, 1, Infinity]],
  ['docker-hub', ['docker-hub', 'of a namespace', false, true, true, false, 2, 2]],
  ['ghcr', [undefined, 'none', false, true, true, false, 2, Infinity]],
  ['ecr', [undefined, 'none', false, true, true, false, 1, Infinity]],
  ['google', ['google', 'all', false, false, true, false, 2, Infinity]],
  ['gitlab', [undefined, 'none', false, true, true, false, 2, Infinity]],
  ['harbor', [undefined, 'all', false, true, true, false, 2, Infinity]],
  ['quay', [undefined, 'all', false, true, true, false, 2, Infinity]],
  ['zot', ['zot', 'all', false, true, true, false, 1, Infinity]],
  ['artifactory', [undefined, 'all', false, true, true, false, 1, Infinity]],
  ['distribution', [undefined, 'all', false, true, true, false, 1, Infinity]],
  ['generic', [undefined, 'all', false, true, true, false, 1, Infinity]],
];

describe('a profile', () => {
  for (const [kind, known] of KNOWN) {
    it(`says what is known of ${kind}`, () => {
      const profile = profileOf(
        'r.test',
        REGISTRY_KINDS.find((name) => name === kind),
      );
      const { bulk, catalog, wildcardScopes, mounts, cancelsUploads, lags, parts } = profile;
      deepEqual(
        [bulk, catalog, wildcardScopes, mounts, cancelsUploads, lags, parts.least, parts.most],
        known,
      );
    });
  }

  it('keeps closing PUTs far below what Azure refuses, and has none for Artifactory', () => {
    equal(profileOf('a.azurecr.io').monolithicBytes, 4 * 1024 * 1024);
    equal(profileOf('r.test', 'artifactory').monolithicBytes, 0);
  });

  it('has budgets only for hosts whose limits are known', () => {
    deepEqual(profileOf('docker.io').budgets, { 'hub.docker.com': 180 });
    deepEqual(profileOf('ghcr.io').budgets, { 'ghcr.io': 2000 });
    deepEqual(profileOf('a.azurecr.io').budgets, {});
  });
});

describe('the host that answers', () => {
  it('is another than the name for Docker Hub alone', () => {
    equal(hostOf('docker.io'), 'registry-1.docker.io');
    equal(hostOf('gsoci.azurecr.io:443'), 'gsoci.azurecr.io:443');
  });
});
