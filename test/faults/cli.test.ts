/** Faults as the user of the program meets them: results.csv, the summary, the exit code and stderr. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';

import { runCli } from '../support/cli.ts';
import { startCountingProxy, type Fault, type ProxiedRequest } from '../support/counting-proxy.ts';
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts';
import { push } from '../support/push.ts';
import { tempDir } from '../support/temp-dir.ts';
import { expectAllWell, expectAppFailed, IMAGES, LARGE, syncThrough, type Spoil } from './pipe.ts';

let source: DockerRegistry;
let target: DockerRegistry;

before(async () => {
  [source, target] = await Promise.all([startDockerRegistry(), startDockerRegistry()]);
  for (const [path, image] of Object.entries(IMAGES)) await push(source.origin, path, '1', image);
});
after(() => Promise.all([source.stop(), target.stop()]));

const busy: Fault = { kind: 'answer', status: 503 };
const limited: Fault = { kind: 'answer', status: 429, headers: { 'retry-after': '1' } };
const reset: Fault = { kind: 'cut-request', afterBytes: 0 };
const page: Fault = {
  kind: 'answer',
  status: 200,
  headers: { 'content-type': 'text/html' },
  body: '<html>please log in</html>',
};

/** The first request of each class meets the fault; who asks to be waited for is so only at two. */
const firstOfEach =
  (fault: Fault): Spoil =>
  ({ nth, class: kind }) =>
    nth === 1 && (fault !== limited || /^(?:manifest HEAD|upload PATCH)$/.test(kind))
      ? fault
      : undefined;

/** All requests of a class for `acme/app` meet the fault, or the first so many of them. */
function ofApp(kind: ProxiedRequest['class'], fault: Fault, times = Infinity): Spoil {
  let left = times;
  return (request) => {
    if (request.class !== kind || !/\/app\//.test(request.path) || left <= 0) return undefined;
    left -= 1;
    return fault;
  };
}

describe('a fault that passes', { concurrency: 4 }, () => {
  for (const [name, fault] of Object.entries({ busy, limited, reset })) {
    it(`is healed, whichever request it meets: ${name}`, async () => {
      const spoil = firstOfEach(fault);

      const result = await syncThrough({ source, target, spoilSource: spoil, spoilTarget: spoil });

      expectAllWell(result);
      const { targetProxy } = result;
      equal(targetProxy.counts()['manifest HEAD'], 3 + 1);
      equal(targetProxy.counts()['upload PATCH'], 1 + 1);
    });
  }

  it('in the middle of a blob that is read costs only the rest', async () => {
    const spoilSource: Spoil = ({ path, headers }) =>
      path.endsWith(LARGE.digest) && headers.range === undefined
        ? { kind: 'cut-response', afterBytes: 2_000_000 }
        : undefined;

    const result = await syncThrough({ source, target, spoilSource });

    expectAllWell(result);
    const reads = result.sourceProxy.requests.filter(({ path }) => path.endsWith(LARGE.digest));
    equal(reads.length, 2);
    match(reads[1]?.headers.range ?? '', /^bytes=\d{4,}-$/);
    ok((reads[1]?.bytesOut ?? 0) < LARGE.bytes.length);
  });

  it('in the middle of a blob that is sent begins it anew', async () => {
    const cut: Fault = { kind: 'cut-request', afterBytes: 2_000_000 };
    const spoilTarget = ofApp('upload PATCH', cut, 2);

    const result = await syncThrough({ source, target, spoilTarget });

    expectAllWell(result);
    equal(result.targetProxy.counts()['upload PATCH'], 3);
  });

  it('in the middle of a manifest that is read is healed', async () => {
    const spoilSource = ofApp('manifest GET', { kind: 'cut-response', afterBytes: 10 }, 1);

    expectAllWell(await syncThrough({ source, target, spoilSource }));
  });

  it('that was a restart of the registry is healed', async () => {
    await using fresh = await startDockerRegistry();
    let restarts = 0;
    const spoilTarget: Spoil = async ({ class: kind }) => {
      if (kind !== 'upload PATCH' || restarts > 0) return undefined;
      restarts += 1;
      await fresh.restart();
      return reset;
    };

    expectAllWell(await syncThrough({ source, target: fresh, spoilTarget }));
    equal(restarts, 1);
  });
});

describe('a fault that stays', { concurrency: 4 }, () => {
  for (const kind of ['manifest GET', 'blob GET'] as const) {
    it(`at a ${kind} of the source fails that row, and the others are well`, async () => {
      const result = await syncThrough({ source, target, spoilSource: ofApp(kind, busy) });

      const error = expectAppFailed(result, 'UNAVAILABLE');
      match(error, /127\.0\.0\.1:\d+\/acme\/app.*: the registry fails, even after waiting \(503\)/);
    });
  }

  for (const kind of ['upload POST', 'upload PATCH', 'manifest PUT'] as const) {
    it(`at an ${kind} of the target fails that row, and the others are well`, async () => {
      const spoilTarget: Spoil = (request) => {
        // A question for a blob may be the beginning of its upload.
        const opening = kind === 'upload POST' ? ofApp('mount', reset)(request) : undefined;
        return opening ?? ofApp(kind, reset)(request);
      };

      const result = await syncThrough({ source, target, spoilTarget });

      const error = expectAppFailed(result, 'UNAVAILABLE');
      match(error, /^target 127\.0\.0\.1:\d+\/run\d+\/app:1: .*connection (?:closed|reset)/);
      ok((result.targetProxy.counts()[kind] ?? 0) <= 15);
    });
  }

  it('is not waited for when the registry wants to be left alone for an hour', async () => {
    const wait: Fault = { kind: 'answer', status: 429, headers: { 'retry-after': '3600' } };
    const started = performance.now();

    const result = await syncThrough({ source, target, spoilTarget: ofApp('manifest PUT', wait) });

    match(expectAppFailed(result, 'RATE_LIMITED'), /asks to come back in 60 minutes/);
    ok(performance.now() - started < 20_000);
  });

  it('may be a page of HTML, which is not taken for a manifest', async () => {
    const result = await syncThrough({ source, target, spoilSource: ofApp('manifest GET', page) });

    const error = expectAppFailed(result, 'CONTENT_MISMATCH');
    equal(error.includes('<html>'), false);
    equal(result.sourceProxy.requests.filter(({ bytesOut }) => bytesOut === 26).length, 2);
  });

  it('may be a circle of redirects', async () => {
    const circle: Fault = { kind: 'answer', status: 307, headers: { location: '?again' } };

    const result = await syncThrough({ source, target, spoilSource: ofApp('blob GET', circle) });

    match(expectAppFailed(result, 'PROTOCOL'), /redirects in circles/);
  });

  it('may be a target that refuses connections, which fails all rows in a moment', async () => {
    const words = ['--target-registry', '127.0.0.1:1'];

    const { code, rows, stderr, sourceProxy } = await syncThrough({ source, target, words });

    equal(code, 3, stderr);
    for (const { status, error } of Object.values(rows)) {
      equal(status, 'failed');
      match(error, /^target 127\.0\.0\.1:1\/.*: connection refused$/);
    }
    deepEqual(sourceProxy.counts(), {});
  });
});

describe('a redirect to another origin', () => {
  it('is followed where something is read', async () => {
    const spoilSource: Spoil = ({ class: kind, path }) =>
      kind === 'blob GET' || kind === 'manifest GET'
        ? { kind: 'answer', status: 307, headers: { location: source.origin + path } }
        : undefined;

    expectAllWell(await syncThrough({ source, target, spoilSource }));
  });
});

describe('a crawl', { concurrency: 4 }, () => {
  async function crawl(onRequest: Spoil, ...words: string[]) {
    await using dir = await tempDir();
    await using proxy = await startCountingProxy(source.origin, { onRequest });
    const args = ['crawl', '--registry', proxy.host, '--workdir', dir.path, '--retry-times', '2'];
    const result = await runCli([...args, ...words], { timeoutMs: 40_000 });
    return { ...result, files: (await readdir(dir.path)).toSorted(), counts: proxy.counts() };
  }
  const BOTH = ['crawl.json', 'repositories.csv', 'tags.csv'];

  for (const [name, fault] of Object.entries({ busy, limited, reset })) {
    it(`is whole after a fault that passes: ${name}`, async () => {
      const { code, stderr, files, counts } = await crawl(firstOfEach(fault));

      deepEqual([code, files], [0, BOTH], stderr);
      const more = fault === limited ? 0 : 1;
      deepEqual(counts, { ping: 1 + more, catalog: 1 + more, tags: 3 + more, 'manifest HEAD': 4 });
    });
  }

  it('is whole after a list that broke off', async () => {
    const cut: Fault = { kind: 'cut-response', afterBytes: 10 };

    const { code, stderr, files } = await crawl(({ class: kind, nth }) =>
      (kind === 'catalog' || kind === 'tags') && nth === 1 ? cut : undefined,
    );

    deepEqual([code, files], [0, BOTH], stderr);
  });

  it('writes nothing when a repository can’t be read', async () => {
    const { code, stderr, files } = await crawl(ofApp('tags', busy));

    deepEqual([code, files], [1, ['crawl.json']], stderr);
    match(stderr, /1 repositories could not be read, so nothing was written[^]*acme\/app/);
  });

  it('writes the rest if it is told to', async () => {
    const { code, files, stderr } = await crawl(ofApp('tags', page), '--allow-partial');

    deepEqual([code, files], [3, BOTH], stderr);
    match(stderr, /crawl is partial/);
  });
});
