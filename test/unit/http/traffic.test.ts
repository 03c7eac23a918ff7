import { deepEqual, equal, rejects } from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';

import { createLog, silentLog } from '../../../src/base/log.ts';
import { Secrets } from '../../../src/base/redact.ts';
import { compose, type HttpRequest, type Send } from '../../../src/http/send.ts';
import { Traffic, withTraffic } from '../../../src/http/traffic.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const { signal } = new AbortController();
const GET: HttpRequest = { method: 'GET', url: new URL('https://r.test/x?sig=secret'), signal };
const ANSWER: Send = async () => ({
  status: 200,
  headers: { 'content-length': '7' },
  body: Readable.from([]),
});

describe('withTraffic', () => {
  it('counts requests, and the bytes of bodies both ways', async () => {
    const traffic = new Traffic();
    const send = compose(ANSWER, withTraffic(traffic, silentLog(), new FakeClock()));

    await send(GET);
    await send({ ...GET, method: 'HEAD' });
    await send({ ...GET, method: 'PUT', body: Buffer.from('abc') });
    await send({ ...GET, method: 'PUT', body: { size: 5, open: async () => Readable.from([]) } });

    deepEqual(
      { ...traffic },
      { requests: 4, repeated: 0, limited: 0, received: 21, sent: 8, fastestMs: 0, waiting: 0 },
    );
  });

  it('counts a request that fails', async () => {
    const traffic = new Traffic();
    const down: Send = async () => Promise.reject(new Error('down'));

    await rejects(compose(down, withTraffic(traffic, silentLog(), new FakeClock()))(GET));

    deepEqual(
      { ...traffic },
      { requests: 1, repeated: 0, limited: 0, received: 0, sent: 0, fastestMs: 0, waiting: 0 },
    );
  });

  it('says each request to the debug log, without secrets', async () => {
    const lines: string[] = [];
    const write = (line: string): void => void lines.push(line);
    const log = await createLog({ level: 'debug', format: 'json', secrets: new Secrets(), write });
    const clock = new FakeClock();
    const slow: Send = async (request) => {
      clock.advance(30);
      return ANSWER(request);
    };

    await compose(slow, withTraffic(new Traffic(), log, clock))(GET);

    const { time: _, ...said } = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    const url = 'https://r.test/x?sig=***';
    deepEqual(said, {
      level: 'debug',
      method: 'GET',
      url,
      status: 200,
      elapsedMs: 30,
      msg: 'request',
    });
    equal(lines.length, 1);
  });
});
