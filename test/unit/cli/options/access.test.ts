import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { accessOptions, AZURE_CREDENTIAL, readAccess } from '../../../../src/cli/options/access.ts';

describe('accessOptions', () => {
  it('are the words of skopeo, with a prefix, under one heading', () => {
    const options = accessOptions('dest-', 'Target:');

    deepEqual(Object.keys(options), [
      'dest-creds',
      'dest-username',
      'dest-password',
      'dest-registry-token',
      'dest-no-creds',
      'dest-authfile',
      'dest-cert-dir',
      'dest-tls-verify',
      'dest-azure-credential',
    ]);
    equal(options['dest-creds'].group, 'Target:');
  });
});

describe('readAccess', () => {
  const values = {
    'src-creds': 'u:p',
    'src-tls-verify': false,
    'dest-username': 'me',
    'dest-password': 'secret',
    'dest-registry-token': 'token',
    'dest-no-creds': true,
    'dest-authfile': '/own.json',
    'dest-cert-dir': '/certs',
  };

  it('reads one side only', () => {
    const { creds, username, tlsVerify } = readAccess(values, 'src-');

    deepEqual([creds, username, tlsVerify], ['u:p', undefined, false]);
    deepEqual(readAccess(values, 'dest-'), {
      creds: undefined,
      username: 'me',
      password: 'secret',
      registryToken: 'token',
      noCreds: true,
      authfile: '/own.json',
      certDir: '/certs',
      tlsVerify: undefined,
      azureCredential: undefined,
    });
  });

  it('takes the file for both sides where a side has none of its own', () => {
    equal(readAccess(values, 'src-', { authfile: '/both.json' }).authfile, '/both.json');
    equal(readAccess(values, 'dest-', { authfile: '/both.json' }).authfile, '/own.json');
  });

  it('takes the identity for both sides where a side has none of its own', () => {
    const both = { azureCredential: 'cli' };

    equal(readAccess(values, 'src-', both).azureCredential, 'cli');
    equal(readAccess({ 'src-azure-credential': 'env' }, 'src-', both).azureCredential, 'env');
    equal(readAccess({ 'azure-credential': 'managed' }, '').azureCredential, 'managed');
  });

  it('knows the identities of Azure, and that none is wanted', () => {
    deepEqual(
      [...AZURE_CREDENTIAL.choices],
      ['default', 'workload', 'managed', 'env', 'cli', 'none'],
    );
  });
});
