import { deepEqual, equal, rejects } from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';

import type { HttpRequest, HttpResponse } from '../../../src/http/send.ts';
import { groupUrl, push } from '../../../src/observe/pushgateway.ts';

const groupOf = (base: string, labels: Record<string, string>): string =>
  groupUrl(new URL(base), labels).href;

describe('the group of a push', () => {
  it('is made of the labels', () => {
    equal(
      groupOf('http://gateway:9091', { command: 'sync', source: 'r.test:5000' }),
      'http://gateway:9091/metrics/job/registry-sync/command/sync/source/r.test%3A5000',
    );
  });

  it('stands below the path that is given', () => {
    equal(
      groupOf('https://g.test/push/', { command: 'crawl' }),
      'https://g.test/push/metrics/job/registry-sync/command/crawl',
    );
  });

  it('is what the URL says, where it says one', () => {
    const url = 'http://gateway:9091/metrics/job/mine/instance/1';
    equal(groupOf(url, { command: 'sync' }), url);
  });

  it('has values with a slash in base64, as they would be two parts', () => {
    equal(
      groupOf('http://gateway:9091', { command: 'sync', shard: '0/4' }),
      'http://gateway:9091/metrics/job/registry-sync/command/sync/shard@base64/MC80',
    );
  });
});

describe('a push', () => {
  const request = {
    url: new URL('http://gateway:9091'),
    labels: { command: 'sync' },
    contentType: 'text/plain',
    text: 'a 1\n',
  };

  function answering(status: number, body: string) {
    const seen: HttpRequest[] = [];
    const send = async (asked: HttpRequest): Promise<HttpResponse> => {
      seen.push(asked);
      return { status, headers: {}, body: Readable.from([Buffer.from(body)]) } as HttpResponse;
    };
    return { seen, send };
  }

  it('adds to what the group has', async () => {
    const { seen, send } = answering(200, '');
    await push(send, { ...request, authorization: 'Basic x' }, AbortSignal.timeout(1000));

    deepEqual(
      seen.map(({ method, headers }) => [method, headers]),
      [['POST', { 'content-type': 'text/plain', authorization: 'Basic x' }]],
    );
  });

  it('that is refused says by whom, and why', async () => {
    const { send } = answering(400, 'pushed metrics are \u001b[31minvalid\n');

    await rejects(push(send, request, AbortSignal.timeout(1000)), {
      code: 'REJECTED',
      message:
        /^http:\/\/gateway:9091\/metrics\S+: answered 400: pushed metrics are  ?\[31minvalid$/,
    });
  });
});
