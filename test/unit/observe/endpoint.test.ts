import { equal, match, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { listen, type Endpoint } from '../../../src/observe/endpoint.ts';

const METRICS = { contentType: 'text/plain; version=0.0.4', text: async () => 'a 1\n' };

async function listening(address: string, metrics = METRICS): Promise<Endpoint & AsyncDisposable> {
  const endpoint = await listen(address, metrics);
  return { ...endpoint, [Symbol.asyncDispose]: () => endpoint.close() };
}

describe('the endpoint of metrics', () => {
  for (const address of ['127.0.0.1:0', '[::1]:0', '0', ':0']) {
    it(`serves them at ${address}`, async (t) => {
      const endpoint = await listening(address).catch((error: Error) => error);
      if (endpoint instanceof Error) return t.skip(endpoint.message); // a machine without IPv6
      await using open = endpoint;

      const host = address.startsWith('[') ? '[::1]' : '127.0.0.1';
      const answer = await fetch(`http://${host}:${open.port}/metrics?x=1`);
      equal(answer.headers.get('content-type'), METRICS.contentType);
      equal(await answer.text(), 'a 1\n');
    });
  }

  it('answers 500 when they can not be had, and goes on', async () => {
    const text = () => Promise.reject(new Error('no'));
    await using endpoint = await listening('127.0.0.1:0', { ...METRICS, text });

    for (let n = 0; n < 2; n += 1) {
      equal((await fetch(`http://127.0.0.1:${endpoint.port}/metrics`)).status, 500);
    }
  });

  it('is closed at once, whoever is still connected', async () => {
    const endpoint = await listening('127.0.0.1:0');
    await fetch(`http://127.0.0.1:${endpoint.port}/metrics`); // kept alive

    const started = Date.now();
    await endpoint.close();
    match(String(Date.now() - started), /^\d{1,3}$/);
  });

  it('is refused where there is no such address', async () => {
    await rejects(listen('192.0.2.1:0', METRICS), {
      code: 'USAGE',
      message: /has no such address/,
    });
    await rejects(listen('metrics', METRICS), {
      code: 'USAGE',
      message: /write PORT or HOST:PORT/,
    });
  });
});
