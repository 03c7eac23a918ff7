import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { identityToken } from '../../../src/registry/credentials.ts';
import { claimsOf, expiryOf } from '../../../src/registry/jwt.ts';
import { jwt } from '../../support/known-client.ts';

const encoded = (text: string): string => Buffer.from(text).toString('base64url');

describe('the claims of a token', () => {
  it('are read without a look at its signature', () => {
    deepEqual(claimsOf(jwt({ sub: 'über', exp: 1 })), { sub: 'über', exp: 1 });
  });

  for (const [shown, token] of [
    ['an opaque token', 'dckr_pat_secret'],
    ['nothing', ''],
    ['a token whose middle is no JSON', `a.${encoded('{')}.c`],
    ['a token whose middle is a list', `a.${encoded('[1]')}.c`],
    ['a token whose middle is null', `a.${encoded('null')}.c`],
  ] as const) {
    it(`are none of ${shown}`, () => deepEqual(claimsOf(token), {}));
  }
});

describe('when a token expires', () => {
  it('is said in seconds, and read in milliseconds', () => {
    equal(expiryOf(jwt({ exp: 1_700_000_000 })), 1_700_000_000_000);
  });

  for (const exp of [undefined, null, 0, -1, '1700000000']) {
    it(`is not known by ${JSON.stringify(exp)}`, () => equal(expiryOf(jwt({ exp })), undefined));
  }
});

describe('an identity token', () => {
  it('says when it expires, and whether roles are granted per repository', () => {
    const token = jwt({ exp: 5, aad_identity: { oid: 'x' } });

    deepEqual(identityToken('me', token, 'a file'), {
      kind: 'identity-token',
      username: 'me',
      token,
      from: 'a file',
      expiresAt: 5000,
      isPerRepository: true,
    });
  });

  it('that says nothing is taken as it is', () => {
    deepEqual(identityToken('', 'opaque', 'a file'), {
      kind: 'identity-token',
      username: '',
      token: 'opaque',
      from: 'a file',
    });
  });
});
