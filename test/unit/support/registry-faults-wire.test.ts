/** Faults of the emulator that are about how an answer goes over the wire. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';

import { image } from '../../support/images.ts';
import type { FaultEffect } from '../../support/registry/faults.ts';
import { startRegistry } from '../../support/registry/registry.ts';
import { putImage } from '../../support/registry/store.ts';

const { root } = image();
const registry = await startRegistry();
putImage(registry.store, 'a', '1', image());
after(() => registry.close());
beforeEach(() => registry.resetRequests());

/** The answer to a request for the manifest that meets this fault. */
async function faulty(effect: FaultEffect, init: RequestInit = {}): Promise<Response> {
  registry.setFaults([{ match: {}, effect }]);
  return fetch(new URL('/v2/a/manifests/1', registry.url), init);
}

const put = { method: 'PUT', body: new Uint8Array(root.bytes) };
const typed = { ...put, headers: { 'content-type': root.mediaType } };

describe('an answer that is lost', () => {
  for (const lose of ['answer', 'half the head'] as const) {
    it(`was given to a request that was done: ${lose}`, async () => {
      registry.store.repositories.get('a')?.tags.clear();

      await rejects(faulty({ lose }, typed), TypeError);

      equal(registry.store.repositories.get('a')?.tags.get('1'), root.digest);
    });
  }
});

describe('a body', () => {
  for (const framing of ['chunked', 'close'] as const) {
    it(`has no Content-Length when it is ${framing}, and is cut`, async () => {
      const response = await faulty({ cutAfter: 10, framing });
      equal(response.headers.get('content-length'), null);

      const read = response.arrayBuffer();

      if (framing === 'chunked') await rejects(read);
      else equal((await read).byteLength, 10);
    });
  }

  it('has a Content-Length that is too large, and breaks off', async () => {
    const response = await faulty({ lengthOff: 5 });
    equal(response.headers.get('content-length'), String(root.size + 5));
    await rejects(response.arrayBuffer());
  });

  it('has a Content-Length that is too small, and looks whole', async () => {
    const response = await faulty({ lengthOff: -5 });
    equal((await response.arrayBuffer()).byteLength, root.size - 5);
  });

  it('has a wrong Content-Length where there was none', async () => {
    const response = await faulty({ lengthOff: 5 }, typed);
    deepEqual([response.status, response.headers.get('content-length')], [201, '5']);
  });

  it('stops coming', async () => {
    const response = await faulty({ stallAfter: 10 }, { signal: AbortSignal.timeout(80) });
    const reader = response.body?.getReader();
    equal((await reader?.read())?.value?.length, 10);
    await rejects(async () => reader?.read(), { name: 'TimeoutError' });
  });

  it('trickles', async () => {
    const start = performance.now();
    const response = await faulty({ trickle: Math.ceil(root.size / 4), pauseMs: 20 });
    equal((await response.arrayBuffer()).byteLength, root.size);
    ok(performance.now() - start >= 75);
  });
});

describe('a redirect elsewhere', () => {
  it('leads to the same path', async () => {
    const { headers } = await faulty({ elsewhere: 'http://e.test:1' }, { redirect: 'manual' });
    equal(headers.get('location'), 'http://e.test:1/v2/a/manifests/1');
  });
});

describe('a body that is sent', () => {
  it('is read in part before the connection is reset', async () => {
    await rejects(faulty({ reset: true, afterRead: 10 }, put), TypeError);
    ok((registry.requests[0]?.bytesIn ?? 0) >= 10);
  });

  it('is read in part before it is refused', async () => {
    const { status } = await faulty({ status: 401, afterRead: 10 }, put);
    equal(status, 401);
    ok((registry.requests[0]?.bytesIn ?? 0) >= 10);
  });
});
