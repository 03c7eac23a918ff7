import { deepEqual, equal, match, notEqual, ok, rejects } from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';

import { image } from '../../support/images.ts';
import type { FaultEffect } from '../../support/registry/faults.ts';
import { startRegistry } from '../../support/registry/registry.ts';
import { digestOf, putImage } from '../../support/registry/store.ts';

const { root } = image();
const PATH = '/v2/a/manifests/1';

const registry = await startRegistry();
putImage(registry.store, 'a', '1', image());
after(() => registry.close());
beforeEach(() => registry.resetRequests());

const ask = (init?: RequestInit): Promise<Response> =>
  fetch(new URL(PATH, registry.url), { redirect: 'manual', ...init });

/** The answer to the one request that meets this fault. */
async function faulty(effect: FaultEffect): Promise<Response> {
  registry.setFaults([{ match: { method: 'GET', path: /manifests/ }, effect }]);
  return ask();
}

describe('faults', () => {
  it('come in order, so often, and so late', async () => {
    registry.setFaults([
      { match: {}, skip: 1, times: 2, effect: { status: 429, headers: { 'retry-after': '1' } } },
      { match: { method: 'GET' }, effect: { status: 503 } },
      { match: { path: /elsewhere/ }, effect: { status: 500 } },
    ]);
    const statuses: number[] = [];
    for (let times = 0; times < 5; times++) statuses.push((await ask()).status);

    deepEqual(statuses, [503, 429, 429, 200, 200]);
    deepEqual(
      registry.requests.map(({ status }) => status),
      statuses,
    );
  });

  it('reset the connection', async () => {
    await rejects(faulty({ reset: true }), TypeError);
    equal(registry.requests[0]?.status, 0);
    equal((await ask()).status, 200);
  });

  it('delay', async () => {
    const start = performance.now();
    equal((await faulty({ delayMs: 50 })).status, 200);
    ok(performance.now() - start >= 49);
  });

  it('redirect', async () => {
    const response = await faulty({ redirect: 'https://evil.test/' });
    deepEqual([response.status, response.headers.get('location')], [307, 'https://evil.test/']);
  });

  it('lie about the digest', async () => {
    const response = await faulty({ digestHeader: 'sha256:0' });
    equal(response.headers.get('docker-content-digest'), 'sha256:0');
  });

  it('stall until the client gives up', async () => {
    registry.setFaults([{ match: {}, effect: { stall: true } }]);
    await rejects(ask({ signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' });
  });
});

describe('faults of the body', () => {
  it('cut the body, even before its first byte', async () => {
    for (const cutAfter of [0, 10]) {
      const response = await faulty({ cutAfter });
      equal(response.headers.get('content-length'), String(root.size));
      await rejects(response.arrayBuffer());
    }
    deepEqual(
      registry.requests.map(({ bytesOut }) => bytesOut),
      [0, 10],
    );
  });

  it('go on for ever, and only as far as they are read', async () => {
    const headers = { 'content-type': 'text/plain' };
    const response = await faulty({ endless: 'begin', status: 418, headers });
    const reader = response.body?.getReader();
    const first = await reader?.read();
    match(Buffer.from(first?.value as Uint8Array).toString(), /^begin/);
    for (let bytes = 0; bytes < 5_000_000;) bytes += (await reader?.read())?.value?.length ?? 0;
    await reader?.cancel();

    deepEqual([response.status, response.headers.get('content-type')], [418, 'text/plain']);
    ok((registry.requests[0]?.bytesOut ?? 0) < 50_000_000);
  });

  it('are written as they are', async () => {
    const response = await faulty({ raw: 'HTTP/1.1 299 Raw\r\nX-Odd: 1\r\n\r\nbody' });
    deepEqual(
      [response.status, response.headers.get('x-odd'), await response.text()],
      [299, '1', 'body'],
    );
  });

  it('corrupt the body, and the store not', async () => {
    for (const corrupt of ['first', 'last', 'short', 'long'] as const) {
      const bytes = Buffer.from(await (await faulty({ corrupt })).arrayBuffer());
      notEqual(digestOf(bytes), root.digest);
      equal(bytes.length - root.size, { first: 0, last: 0, short: -1, long: 1 }[corrupt]);
    }
    equal(digestOf(Buffer.from(await (await ask()).arrayBuffer())), root.digest);
  });
});

describe('a watcher of requests', () => {
  it('sees each as it arrives, and may spoil it', async () => {
    const seen: string[] = [];
    const watched = await startRegistry({
      onRequest({ method, path, status }) {
        seen.push(`${method} ${path} ${status}`);
        return seen.length === 2 ? { status: 503 } : undefined;
      },
      faults: [{ match: {}, skip: 1, effect: { status: 500 } }],
    });
    const statuses: number[] = [];
    for (let times = 0; times < 3; times++) {
      statuses.push((await fetch(new URL('/v2/', watched.url))).status);
    }
    await watched.close();

    deepEqual(statuses, [200, 503, 500]);
    deepEqual(
      seen,
      Array.from({ length: 3 }, () => 'GET /v2/ 0'),
    );
  });

  it('knows the open connections', async () => {
    const watched = await startRegistry();
    equal(watched.openConnections(), 0);
    await (await fetch(new URL('/v2/', watched.url))).text();
    equal(watched.openConnections(), 1);
    await watched.close();
    while (watched.openConnections() > 0) await new Promise((wake) => setTimeout(wake, 5));
  });

  it('closes idle connections when it is told to', async () => {
    const watched = await startRegistry({ keepAliveMs: 1 });
    await (await fetch(new URL('/v2/', watched.url))).text();
    while (watched.openConnections() > 0) await new Promise((wake) => setTimeout(wake, 20));
    await watched.close();
  });
});
