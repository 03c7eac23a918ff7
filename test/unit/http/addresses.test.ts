import { equal, match } from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { describe, it } from 'node:test';

import { AddressRule, type HostRole } from '../../../src/http/addresses.ts';

const NAMES: Readonly<Record<string, string[]>> = {
  'registry.test': ['203.0.113.1'],
  'inside.test': ['10.1.2.3'],
  'storage.test': ['203.0.113.2'],
  'evil.test': ['127.0.0.1'],
  'both.test': ['203.0.113.3', '::ffff:169.254.169.254'],
  'token.svc.cluster.local': ['10.9.9.9'],
};

const lookup = ((hostname, options, done) => {
  const all = (NAMES[hostname] ?? []).map((address) => ({ address, family: 4 }));
  if (all.length === 0) done(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }), '', 4);
  else if (options.all === true) done(null, all as LookupAddress[]);
  else done(null, all[0]?.address ?? '', 4);
}) as LookupFunction;

/** What becomes of a look-up: nothing, or the message of the refusal. */
function outcome(rule: AddressRule, role: HostRole, hostname: string, all = true) {
  return new Promise<string | undefined>((resolve) => {
    rule.lookupFor(role)(hostname, { all }, (error) => resolve(error?.message));
  });
}

describe('the address of a host that a public registry leads to', () => {
  for (const hostname of ['evil.test', 'both.test', 'token.svc.cluster.local']) {
    it(`is not followed when it is private: ${hostname} (ggcr #2440)`, async () => {
      const rule = new AddressRule('registry.test', [], lookup);
      equal(await outcome(rule, 'own', 'registry.test'), undefined);

      match(String(await outcome(rule, 'foreign', hostname)), /private address .*: not followed/);
    });
  }

  it('is followed when it is public', async () => {
    const rule = new AddressRule('registry.test', [], lookup);

    equal(await outcome(rule, 'foreign', 'storage.test'), undefined);
    equal(await outcome(rule, 'foreign', 'storage.test', false), undefined);
  });

  it('is refused also when a single address is asked for', async () => {
    const rule = new AddressRule('registry.test', [], lookup);

    match(String(await outcome(rule, 'foreign', 'evil.test', false)), /not followed/);
  });

  it('is followed when the name is allowed, by itself or with all below a domain', async () => {
    const rule = new AddressRule('registry.test', ['Evil.test', '.cluster.local'], lookup);

    equal(await outcome(rule, 'foreign', 'evil.test'), undefined);
    equal(await outcome(rule, 'foreign', 'token.svc.cluster.local'), undefined);
    match(String(await outcome(rule, 'foreign', 'both.test')), /not followed/);
  });

  it('that is not found is not found', async () => {
    equal(await outcome(new AddressRule('registry.test', [], lookup), 'foreign', 'x'), 'not found');
  });
});

describe('the address of a host that a private registry leads to', () => {
  it('may be private too', async () => {
    const rule = new AddressRule('inside.test', [], lookup);
    equal(await outcome(rule, 'own', 'inside.test'), undefined);

    equal(await outcome(rule, 'foreign', 'evil.test'), undefined);
  });

  it('may not once the registry’s own name stands for something else than before', async () => {
    const changing = { 'r.test': ['203.0.113.1'] };
    const lookup2 = ((_, options, done) => {
      const all = changing['r.test'].map((address) => ({ address, family: 4 }));
      if (options.all === true) done(null, all as LookupAddress[]);
      else done(null, all[0]?.address ?? '', 4);
    }) as LookupFunction;
    const rule = new AddressRule('r.test', [], lookup2);
    equal(await outcome(rule, 'own', 'r.test'), undefined);
    changing['r.test'] = ['10.0.0.1'];

    match(String(await outcome(rule, 'own', 'r.test')), /not followed/);
    match(String(await outcome(rule, 'foreign', 'evil.test')), /not followed/);
  });

  it('may be private too when the registry is named by its address', async () => {
    equal(
      await outcome(new AddressRule('127.0.0.1', [], lookup), 'foreign', 'evil.test'),
      undefined,
    );
  });
});
