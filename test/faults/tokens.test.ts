/** Access tokens that end before their time, token servers that are away, and clocks that differ. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';

import { Repository } from '../../src/registry/repository.ts';
import type { TagOutcome } from '../../src/sync/sync.ts';
import { streamOf } from '../support/blob-bytes.ts';
import { blobDescriptor, NEVER, tagsOf } from '../support/client.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { startTokenServer, type AuthOptions } from '../support/registry/auth.ts';
import type { FaultEffect } from '../support/registry/faults.ts';
import type { RequestRecord } from '../support/registry/listener.ts';
import type { TokenOptions } from '../support/registry/tokens.ts';
import { KINDS } from './kinds.ts';
import { createNet, USERS } from './net.ts';
import { APP, LARGE, startScene, type Scene, type SceneOptions } from './scene.ts';

const HOUR = 60 * 60_000;
const BOTH = [APP, 'acme/lib'];

const tokensBy = (options: Partial<TokenOptions>): AuthOptions => ({
  scheme: 'bearer',
  users: USERS,
  ...options,
});

/** Syncs, and expects every row to be well. */
async function expectWell(scene: Scene): Promise<void> {
  const outcomes = Object.values(await scene.sync());
  deepEqual(
    outcomes.map(shownError),
    outcomes.map(() => ''),
  );
  scene.expectWhole(BOTH);
}

function shownError(outcome: TagOutcome): string {
  return outcome.result === 'failed' ? outcome.error.message : '';
}

/** A scene in which the clock of one side's token server jumps an hour, which ends all its tokens. */
async function startJumping(
  side: 'source' | 'target',
  hasJumped: (requests: readonly RequestRecord[]) => boolean,
  options: SceneOptions = {},
): Promise<Scene> {
  let requests: readonly RequestRecord[] = [];
  const clock = new FakeClock();
  const start = clock.now();
  const auth = tokensBy({ now: () => start + (hasJumped(requests) ? HOUR : 0) });
  const scene = await startScene({ clock, [`${side}Auth`]: auth, ...options });
  requests = scene[side].requests;
  return scene;
}

const refused = (requests: readonly RequestRecord[]): RequestRecord[] =>
  requests.filter(({ status, path }) => status === 401 && path !== '/v2/');

for (const [side, count] of [
  ['source', 20],
  ['target', 28],
] as const) {
  describe(`all tokens of the ${side} end`, { concurrency: 4 }, () => {
    for (let nth = 2; nth <= count; nth += 1) {
      it(`at its request ${nth}`, { timeout: 15_000 }, async () => {
        await using scene = await startJumping(side, ({ length }) => length >= nth);

        await expectWell(scene);

        const { tokenRequests, requests } = scene[side];
        ok(requests.length >= nth);
        const asked = new Set(tokenRequests.map(({ scopes }) => String(scopes)));
        ok(tokenRequests.length <= 2 * asked.size, 'each is asked for at most once more');
      });
    }
  });
}

describe('a token that is refused', () => {
  const realm = (scene: Scene): string =>
    `Bearer realm="${scene.target.url.href}token",service="registry.test"`;

  for (const [name, afterRead] of [
    ['upload PATCH', 2_000_000],
    ['upload PUT', 100],
    ['manifest PUT', 100],
  ] as const) {
    const kind = KINDS.find((one) => one.name === name);
    const match = kind?.match ?? {};
    const refusal = (scene: Scene): FaultEffect => ({
      status: 401,
      headers: { 'www-authenticate': realm(scene) },
      afterRead,
    });

    it(`in the middle of the body of an ${name} is replaced, and the body sent anew`, async () => {
      await using scene = await startScene({ large: true });
      scene.target.setFaults([{ match, effect: refusal(scene) }]);

      await expectWell(scene);

      const [stopped] = refused(scene.target.requests);
      ok((stopped?.bytesIn ?? 0) >= afterRead);
    });

    it(`for good at an ${name} fails the row, and the others are well`, async () => {
      await using scene = await startScene({ large: true });
      scene.target.setFaults([{ match, times: Infinity, effect: refusal(scene) }]);

      const { [APP]: app } = await scene.sync();

      equal(app?.result === 'failed' && app.error.code, 'UNAUTHORIZED');
      scene.expectWhole(['acme/lib']);
      ok(refused(scene.target.requests).length <= 2 * 5, 'two per blob at most');
    });
  }

  it('when a broken download goes on is replaced, and nothing is read twice', async () => {
    const isLarge = ({ path }: RequestRecord): boolean => path.endsWith(LARGE.digest);
    const hasBegun = (requests: readonly RequestRecord[]): boolean =>
      requests.some((one) => isLarge(one) && one.bytesOut > 0);
    await using scene = await startJumping('source', hasBegun, { large: true });
    const path = new RegExp(LARGE.digest);
    scene.source.setFaults([{ match: { path }, effect: { cutAfter: 2_000_000 } }]);
    const image = new Repository(scene.net.client(scene.source.host), APP).source('1');

    const bytes = await buffer(streamOf(await image.blob(blobDescriptor(LARGE), NEVER)));

    ok(bytes.equals(LARGE.bytes));
    const asked = scene.source.requests.filter(isLarge);
    deepEqual(
      asked.map(({ status, headers }) => [status, headers.range]),
      [
        [200, undefined],
        [401, 'bytes=2000000-'],
        [206, 'bytes=2000000-'],
      ],
    );
  });
});

describe('a token whose time ends during an upload', () => {
  it('is renewed before the upload is closed, without a refusal', async () => {
    const clock = new FakeClock();
    const auth = tokensBy({ now: () => clock.now() });
    await using scene = await startScene({
      large: true,
      clock,
      sourceAuth: auth,
      targetAuth: auth,
      onAnswer: ({ method }) => method === 'PATCH' && clock.advance(HOUR),
    });

    await expectWell(scene);

    // A question that was on its way when the time jumped may be refused, and is asked again.
    const sending = refused(scene.target.requests).filter(({ method }) => method !== 'POST');
    deepEqual(sending, []);
    const used = scene.net.sent
      .filter(({ method, url }) => method === 'PATCH' || url.href.includes(LARGE.digest))
      .filter(({ method }) => method === 'PATCH' || method === 'PUT');
    equal(new Set(used.map(({ authorization }) => authorization)).size, 2);
  });
});

describe('a token server', () => {
  for (const effect of [{ status: 503 }, { reset: true }, { status: 429 }] as const) {
    it(`that is away for a while holds nobody up for good: ${JSON.stringify(effect)}`, async () => {
      const server = await startTokenServer({ users: USERS });
      const auth: AuthOptions = { scheme: 'bearer', server };
      await using scene = await startScene({ sourceAuth: auth, targetAuth: auth });
      server.setFaults([{ match: {}, times: 2, effect }]);

      await expectWell(scene);

      await server.close();
    });

    it(`that is back is asked again: ${JSON.stringify(effect)}`, async () => {
      const server = await startTokenServer({ users: USERS });
      await using scene = await startScene({ sourceAuth: { scheme: 'bearer', server } });
      const client = scene.net.client(scene.source.host);
      server.setFaults([{ match: {}, times: Infinity, effect }]);
      await rejects(tagsOf(client, APP), { code: /UNAVAILABLE|RATE_LIMITED/ });
      equal(server.requests.length, 3);
      server.setFaults([]);

      deepEqual(await tagsOf(client, APP), ['1']);

      await server.close();
    });
  }

  it('that can’t be connected to for a while holds nobody up for good', async () => {
    const server = await startTokenServer({ users: USERS });
    await using scene = await startScene({ sourceAuth: { scheme: 'bearer', server } });
    scene.net.refuse(server.url.host, [{ match: {}, times: 2, effect: { reset: true } }]);

    await expectWell(scene);

    await server.close();
  });
});

describe('the clock of a server', () => {
  for (const skew of [-HOUR, HOUR]) {
    for (const format of ['opaque', 'jwt'] as const) {
      it(`may differ from ours: ${skew / HOUR} h, ${format}`, async () => {
        const clock = new FakeClock();
        const auth = tokensBy({ format, now: () => clock.now() + skew });
        await using scene = await startScene({ clock, sourceAuth: auth, targetAuth: auth });

        await expectWell(scene);

        for (const { tokenRequests, requests } of [scene.source, scene.target]) {
          equal(tokenRequests.length, new Set(tokenRequests.map((one) => `${one.scopes}`)).size);
          deepEqual(refused(requests), []);
        }
      });

      it(`does not tell when a token is to be renewed: ${skew / HOUR} h, ${format}`, async () => {
        const clock = new FakeClock();
        const auth = tokensBy({ format, expiresInSeconds: 300, now: () => clock.now() + skew });
        await using scene = await startScene({ clock, sourceAuth: auth });
        const client = scene.net.client(scene.source.host);
        const counts: number[] = [];
        for (const seconds of [0, 260, 20, 260]) {
          clock.advance(seconds * 1000);
          await tagsOf(client, APP);
          counts.push(scene.source.tokenRequests.length);
        }

        deepEqual(counts, [1, 1, 2, 2]);
        deepEqual(refused(scene.source.requests), []);
      });
    }

    it(`is what its Retry-After is about: ${skew / HOUR} h`, async () => {
      const net = createNet();
      await using scene = await startScene({ clock: net.clock });
      const now = net.clock.now() + skew;
      const headers = {
        date: new Date(now).toUTCString(),
        'retry-after': new Date(now + 20_000).toUTCString(),
      };
      scene.source.setFaults([{ match: { path: /tags/ }, effect: { status: 429, headers } }]);

      deepEqual(await tagsOf(scene.net.client(scene.source.host), APP), ['1']);

      const longest = Math.max(0, ...net.clock.slept);
      ok(longest >= 20_000 && longest <= 21_000, `waited ${longest} ms`);
    });
  }

  it('may differ when it does not say how long a token holds', async () => {
    for (const skew of [-HOUR, HOUR]) {
      const clock = new FakeClock();
      const auth = tokensBy({
        format: 'jwt',
        expiresInSeconds: 'absent',
        now: () => clock.now() + skew,
      });
      await using scene = await startScene({ clock, sourceAuth: auth });
      const client = scene.net.client(scene.source.host);

      for (const seconds of [0, 50, 50, 600]) {
        clock.advance(seconds * 1000);
        deepEqual(await tagsOf(client, APP), ['1']);
      }
      ok(scene.source.tokenRequests.length <= 4);
    }
  });
});
