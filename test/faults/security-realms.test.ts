/**
 * Where a registry may lead: token servers by name and by TLS only, and from a public host to no
 * private address, in whatever form it is hidden.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';

import { startScene, toNamedTarget, type Scene } from './security-scene.ts';
import type { World } from './security-world.ts';

const BLOB = /\/blobs\/sha256/;

let scene: Scene;
let world: World;
beforeEach(async () => {
  scene = await startScene();
  ({ world } = scene);
});
afterEach(() => scene.close());

describe('a token realm', () => {
  const bearer = (realm: string, service = 'r.test'): string =>
    `Bearer realm="${realm}",service="${service}",scope="repository:acme/web:pull"`;

  /** r.test, which asks for a token from there. */
  const withRealm = (realm: string): Promise<unknown> =>
    world.server('r.test', () => ({ status: 401, headers: { 'WWW-Authenticate': bearer(realm) } }));

  for (const realm of [
    'http://evil.test/token',
    'http://r.test.evil.test/token',
    'ftp://r.test/token',
    'file:///etc/passwd',
    'http://auth.test/token',
  ]) {
    it(`at ${realm} is asked for nothing (GHSA-28r5-37g7-p6mp, GHSA-j6hm-v3x2-qv6j)`, async () => {
      await withRealm(realm);

      scene.failed(await scene.sync(), /token realm/);

      deepEqual(world.strayed('r.test:443'), []);
    });
  }

  it('at a foreign host without TLS is asked for nothing by a registry without TLS either', async () => {
    const challenge = { 'WWW-Authenticate': bearer('http://evil.test/token') };
    const plain = await world.server('plain.test:80', () => ({ status: 401, headers: challenge }));

    const outcome = await scene.sync([], plain.url.host);

    scene.failed(outcome, /token realm on evil\.test without TLS/);
    deepEqual(world.knocks, []);
  });

  it('at its own http from https is asked with TLS only (CVE-2026-48978)', async () => {
    await withRealm('http://r.test/token');

    scene.failed(await scene.sync(), /401/);

    deepEqual(world.strayed('r.test:443'), []);
  });

  it('that leads elsewhere is not followed (ggcr #2243)', async () => {
    await withRealm('https://auth.test/token');
    const auth = await world.server('auth.test', () => ({
      status: 307,
      headers: { Location: 'https://evil.test/token' },
    }));

    scene.failed(await scene.sync(), /307/);

    equal(auth.requests.length, 1);
    deepEqual(world.strayed('r.test:443', 'auth.test:443'), []);
  });

  it('is asked with its parameters encoded (devcontainers/cli #1276)', async () => {
    const service = 'r.test&scope=repository:secret:pull&account=root#';
    const tokens = await scene.tokens({ service });
    await scene.source({ scheme: 'bearer', server: tokens, service });

    const { code, stderr } = await scene.sync();

    equal(code, 0, stderr);
    deepEqual([...new Set(tokens.tokenRequests.map((request) => request.service))], [service]);
    deepEqual(
      [...new Set(tokens.tokenRequests.flatMap(({ scopes }) => scopes))],
      ['repository:acme/web:pull'],
    );
  });
});

/** Addresses of this machine and its neighbours, as they have been hidden. */
const PRIVATE = [
  '127.0.0.1',
  'localhost',
  '2130706433', // 127.0.0.1
  '169.254.169.254',
  '2852039166', // 169.254.169.254
  '10.0.0.1',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '[fd00::1]',
];

describe('a private address (ggcr #2193, #2291, CVE-2026-33990, CVE-2026-33540)', () => {
  for (const [what, fault] of [
    ['a realm', /a token realm/],
    ['a redirect', /a redirect/],
    ['an upload', /an upload location/],
  ] as const) {
    it(`is no place for ${what} of a public registry`, async () => {
      const registry = await scene.source();
      const to = await world.registry('t.test');
      for (const place of PRIVATE) {
        const url = `https://${place}/x`;
        const challenge = { 'WWW-Authenticate': `Bearer realm="${url}"` };
        const effects = {
          'a realm': { status: 401, headers: challenge },
          'a redirect': { redirect: url },
          'an upload': { status: 202, headers: { Location: url } },
        };
        const effect = effects[what];
        const spoiled = what === 'an upload' ? to : registry;
        const matches = {
          'a realm': {},
          'a redirect': { path: BLOB },
          'an upload': { method: 'POST' },
        };
        spoiled.setFaults([{ match: matches[what], times: Infinity, effect }]);

        scene.failed(await scene.sync(toNamedTarget(world)), fault);
      }

      deepEqual(world.strayed('r.test:443', 't.test:443'), []);
    });
  }
});
