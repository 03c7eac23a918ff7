/**
 * Credentials go to the origin that they are for, and to no other: what has gone wrong in programs of
 * this kind, played from the command line on.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';

import { foreignLayer, image, layer } from '../support/images.ts';
import type { Handler } from '../support/registry/listener.ts';
import type { Registry } from '../support/registry/registry.ts';
import { snapshot } from '../support/registry/store.ts';
import { BASIC, shownTo, startScene, toNamedTarget, WEB, type Scene } from './security-scene.ts';
import type { World } from './security-world.ts';

let scene: Scene;
let world: World;
beforeEach(async () => {
  scene = await startScene();
  ({ world } = scene);
});
afterEach(() => scene.close());

/** A server that gives every blob there is, and asks for a password first if it is told to. */
const storage =
  (challenge?: string): Handler =>
  ({ url, headers }) => {
    if (challenge !== undefined && headers.authorization === undefined)
      return { status: 401, headers: { 'WWW-Authenticate': challenge } };
    const blob = WEB.blobs.find(({ digest }) => url.pathname.includes(digest));
    return { status: 200, body: blob?.bytes ?? Buffer.from('none') };
  };

/** Redirects each blob to the same path at another place. */
function redirectBlobs(registry: Registry, origin: string): void {
  registry.setFaults(
    WEB.blobs.map(({ digest }) => ({
      match: { method: 'GET', path: new RegExp(`blobs/${digest}`) },
      times: Infinity,
      effect: { redirect: `${origin}/${digest}?sig=the-signature` },
    })),
  );
}

const isCopied = (built = WEB): void =>
  deepEqual(snapshot(scene.target.store), { 'acme/web:1': built.root.digest });

describe('a foreign layer (CVE-2020-15157)', () => {
  it('is never looked for at its own URLs', async () => {
    const urls = ['https://evil.test/layer', 'http://evil.test/layer', 'https://r.test/other'];
    const built = image({ layers: [layer(), foreignLayer({ urls })] });
    const registry = await scene.source(BASIC, built);

    const { code, stderr } = await scene.sync();

    equal(code, 0, stderr);
    isCopied(built);
    deepEqual(world.strayed('r.test:443'), []);
    equal(registry.requests.filter(({ path }) => path.includes('other')).length, 0);
  });
});

describe('a redirect of a blob', () => {
  it('to another host that asks for a password gets none (GHSA-qvqc-4c52-x6qp)', async () => {
    redirectBlobs(await scene.source(), 'https://evil.test');
    const evil = await world.server('evil.test', storage('Basic realm="r.test"'));

    scene.failed(await scene.sync(), /401/);

    deepEqual(shownTo(evil), []);
    ok(evil.requests.length > 0);
  });

  for (const origin of ['https://storage.test', 'https://r.test:8443']) {
    const other = 'CVE-2024-30260, CVE-2024-24758, CVE-2023-45289';
    const id = origin.includes('r.test') ? 'GHSA-vh4v-2xq2-g5cg' : other;
    it(`to ${origin} is followed without credentials (${id})`, async () => {
      const registry = await scene.source();
      redirectBlobs(registry, origin);
      const elsewhere = await world.server(origin.slice('https://'.length), storage());

      const { code, stderr } = await scene.sync();

      equal(code, 0, stderr);
      isCopied();
      equal(elsewhere.requests.length, WEB.blobs.length);
      deepEqual(shownTo(elsewhere), []);
      equal(new Set(shownTo(registry)).size, 1);
      const proxied = [...elsewhere.requests, ...registry.requests].filter(
        ({ headers }) => headers['proxy-authorization'] !== undefined,
      );
      deepEqual(proxied, []);
      ok(world.proxyAuthorizations.every((value) => value?.startsWith('Basic ')));
    });
  }

  it('from https to http is not followed, or is taken for TLS (GHSA-vh4v-2xq2-g5cg)', async () => {
    const registry = await scene.source();
    for (const origin of ['http://storage.test', 'http://r.test', 'http://r.test:8080']) {
      redirectBlobs(registry, origin);
      const outcome = await scene.sync();
      ok(outcome.code !== 0);
    }

    deepEqual(world.strayed('r.test:443', 'r.test:8080'), []);
    const plain = world.knocks.filter((place) => place.endsWith(':80'));
    deepEqual(plain, []);
  });

  it('of a POST, which undici would follow, is none (CVE-2024-30260)', async () => {
    const to = await world.registry('t.test');
    const effect = { redirect: 'https://evil.test/v2/acme/web/blobs/uploads/' };
    to.setFaults([{ match: { method: 'POST' }, times: Infinity, effect }]);
    await scene.source();

    scene.failed(await scene.sync(toNamedTarget(world)), /307/);

    deepEqual(world.strayed('r.test:443', 't.test:443'), []);
  });
});

describe('an upload Location (CVE-2026-50151)', () => {
  for (const place of ['https://evil.test', 'https://t.test:8443']) {
    it(`at ${place} gets the bytes at most, and no credentials`, async () => {
      await scene.source();
      const to = await world.registry('t.test', { auth: BASIC });
      const evil = await world.server(place.slice('https://'.length), async ({ body }) => {
        for await (const _ of body); // takes it all
        return { status: 201 };
      });
      const effect = { status: 202, headers: { Location: `${place}/upload` } };
      to.setFaults([
        { match: { method: 'POST', path: /uploads/ }, times: Infinity, skip: 1, effect },
      ]);

      const { code } = await scene.sync(toNamedTarget(world));

      ok(code !== 0);
      ok(evil.requests.length > 0);
      deepEqual(shownTo(evil), []);
    });
  }
});

describe('a next page (ggcr #2332)', () => {
  for (const place of ['https://evil.test', 'https://r.test:8443', 'http://evil.test']) {
    it(`at ${place} is not asked for`, async () => {
      const registry = await scene.source();
      for (const [list, body] of [
        [/_catalog/, '{"repositories":["acme/web"]}'],
        [/tags/, '{"tags":["1"]}'],
      ] as const) {
        const headers = { Link: `<${place}/v2/acme/web/tags/list>; rel="next"` };
        const effect = { status: 200, headers, body };
        registry.setFaults([{ match: { path: list }, times: Infinity, skip: 0, effect }]);
        const words = ['crawl', '--registry', 'r.test', '--cert-dir', world.certDir];

        const { code, stderr } = await scene.program([...words, '--creds', 'bot:hunter-2']);

        equal(code, 1);
        match(stderr, /another origin|not followed/);
      }

      deepEqual(world.strayed('r.test:443'), []);
    });
  }
});

describe('a credential helper (CVE-2021-41092)', () => {
  const auth = Buffer.from('bot:hunter-2').toString('base64');

  it('that fails is not replaced by another entry, nor by none', async () => {
    const registry = await scene.source();
    const helper = join(scene.dir.path, 'docker-credential-broken');
    await writeFile(helper, '#!/bin/sh\necho "the keychain is locked: hunter-2"\nexit 1\n');
    await chmod(helper, 0o755);
    const auths = { 'r.test': { auth }, 'https://index.docker.io/v1/': { auth } };
    const file = join(scene.dir.path, 'auth.json');
    const credHelpers = { 'r.test': 'broken' };
    await writeFile(file, JSON.stringify({ auths, credHelpers, credsStore: 'broken' }));
    const path = process.env['PATH'];
    process.env['PATH'] = `${scene.dir.path}:${path}`; // where programs are looked for

    const outcome = await scene.sync(['--src-authfile', file]);
    process.env['PATH'] = path;

    scene.failed(outcome, /docker-credential-broken failed for r\.test/);
    equal(outcome.stderr.includes('hunter-2'), false);
    deepEqual(shownTo(registry), []);
    ok(registry.requests.length <= 1); // the ping
  });

  it('or a file that knows other registries only gives nothing to this one', async () => {
    const registry = await scene.source();
    await mkdir(join(scene.dir.path, 'x'));
    const file = join(scene.dir.path, 'x', 'auth.json');
    const others = ['evil.test', 'r.test.evil.test', 'test', 'r.test:8443', 'r.test/other'];
    const auths = Object.fromEntries(others.map((name) => [name, { auth }]));
    await writeFile(file, JSON.stringify({ auths }));

    scene.failed(await scene.sync(['--src-authfile', file]), /401/);

    deepEqual(shownTo(registry), []);
  });
});

describe('--src-tls-verify=false (CVE-2019-10214)', () => {
  it('is said of the registry, not of the token server that it names', async () => {
    const tokens = await scene.tokens();
    await scene.source({ scheme: 'bearer', server: tokens });
    const trusting = ['--src-tls-verify=false', '--src-cert-dir', join(scene.dir.path, 'none')];

    scene.failed(await scene.sync(trusting), /certificate is self-signed/);

    ok(world.knocks.includes('auth.test:443'));
    deepEqual([tokens.tokenRequests.length, tokens.requests.length], [0, 0]);
  });
});
