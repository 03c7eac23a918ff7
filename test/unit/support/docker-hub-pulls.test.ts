import { deepEqual, equal, match } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { startDockerHub, type DockerHub } from '../../support/docker-hub/docker-hub.ts';
import type { DockerHubOptions } from '../../support/docker-hub/options.ts';
import { askHub, hubBearer } from '../../support/docker-hub/requests.ts';
import { image } from '../../support/images.ts';
import { createStore, putImage } from '../../support/registry/store.ts';

const APP = image({ seed: 'app' });
const MANIFEST = '/v2/acme/app/manifests/1';
const HEADERS = ['ratelimit-limit', 'ratelimit-remaining', 'docker-ratelimit-source'];

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

async function start(options: DockerHubOptions = {}): Promise<DockerHub> {
  const store = createStore();
  putImage(store, 'acme/app', '1', APP);
  const hub = await startDockerHub({ store, accounts: { acme: { password: 'pw' } }, ...options });
  closers.push(() => hub.close());
  return hub;
}

describe('pulls', () => {
  it('are counted by GET of a manifest, and refused when there were enough', async () => {
    let now = 0;
    const hub = await start({ pullLimit: { anonymous: 2 }, now: () => now });
    const scope = 'repository:acme/app:pull';
    const once = async (method = 'GET'): Promise<[number, (string | null)[], unknown]> => {
      const authorization = await hubBearer(hub, scope);
      const answer = await askHub(hub, MANIFEST, { method, authorization });
      const body = method === 'GET' ? ((await answer.json()) as unknown) : undefined;
      return [answer.status, HEADERS.map((name) => answer.headers.get(name)), body];
    };

    const [headStatus, headHeaders] = await once('HEAD');
    deepEqual([headStatus, headHeaders], [200, ['2;w=21600', '2;w=21600', '127.0.0.1']]);
    deepEqual((await once())[1], ['2;w=21600', '1;w=21600', '127.0.0.1']);
    deepEqual((await once())[1], ['2;w=21600', '0;w=21600', '127.0.0.1']);
    const [status, headers, body] = await once();
    deepEqual([status, headers], [429, ['2;w=21600', '0;w=21600', '127.0.0.1']]);
    deepEqual(body, {
      errors: [
        {
          code: 'TOOMANYREQUESTS',
          message:
            'You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit',
        },
      ],
    });
    equal((await once('HEAD'))[0], 200);
    deepEqual([hub.pulls.count(), hub.pulls.count('')], [2, 2]);

    now += 21_600_000;
    equal((await once())[0], 200);
  });

  it('are counted for each account; blobs and lists are none', async () => {
    const hub = await start({ pullLimit: { anonymous: 1 } });
    const scope = 'repository:acme/app:pull';
    const authorization = await hubBearer(hub, scope, 'acme:pw');
    for (const path of ['/v2/acme/app/tags/list', `/v2/acme/app/blobs/${APP.blobs[0]?.digest}`]) {
      await askHub(hub, path, { authorization });
    }
    equal(hub.pulls.count(), 0);

    const answers = [
      await askHub(hub, MANIFEST, { authorization }),
      await askHub(hub, MANIFEST, { authorization }),
      await askHub(hub, MANIFEST, { authorization: await hubBearer(hub, scope) }),
    ];

    deepEqual(
      answers.map(({ status, headers }) => [status, headers.get('ratelimit-limit')]),
      [
        [200, null],
        [200, null],
        [200, '1;w=21600'],
      ],
    );
    deepEqual([hub.pulls.count('acme'), hub.pulls.count('')], [2, 1]);
  });
});

describe('abuse', () => {
  it('has a limit of its own, which is said in plain text', async () => {
    const hub = await start({ abuseAfter: { requests: 1 } });
    await askHub(hub, '/v2/');
    const refused = await askHub(hub, '/v2/');

    equal(refused.status, 429);
    match(refused.headers.get('content-type') ?? '', /^text\/plain/);
    equal(refused.headers.get('ratelimit-limit'), null);
    match(await refused.text(), /^Too Many Requests/);
  });
});
