/**
 * What a hostile server can do by the way it answers, whatever it answers: encodings, bodies nobody
 * reads, words that steer a terminal. And what the program is built of.
 */
import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';

import type { Fault, FaultEffect } from '../support/registry/faults.ts';
import { putImage, repositoryOf } from '../support/registry/store.ts';
import {
  BAD,
  failsAlone,
  GOOD,
  healed,
  holdAsBad,
  manifestOf,
  runProgram,
  startStage,
  type Stage,
} from './lies-stage.ts';
import { startWorld } from './security-world.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await startStage({
    source: {
      redirectBlobs: true,
      auth: { scheme: 'bearer', users: {}, anonymous: ['repository:*:pull'] },
    },
  });
});
afterEach(() => stage.close());

const always = (path: RegExp, effect: FaultEffect): Fault => ({
  match: { method: 'GET', path },
  times: Infinity,
  effect,
});

describe('Content-Encoding (CVE-2026-22036)', () => {
  it('is never asked for, of registries, storage or token servers', async () => {
    await healed(stage, await stage.syncBoth(BAD.root.digest));

    const { source, target } = stage;
    ok(source.storageRequests.length > 0 && source.tokenRequests.length > 0);
    const all = [...source.requests, ...source.storageRequests, ...target.requests];
    deepEqual([...new Set(all.map(({ headers }) => headers['accept-encoding']))], ['identity']);
  });

  it('in long chains is not undone: bytes are taken as they come', async () => {
    const headers = {
      'content-type': BAD.root.mediaType,
      'content-encoding': Array.from({ length: 500 }, () => 'gzip').join(','),
    };
    const body = BAD.root.bytes.toString();
    stage.source.setFaults([always(/bad\/manifests/, { status: 200, headers, body })]);

    await healed(stage, await stage.syncBoth(BAD.root.digest));
  });

  it('of a body that would grow to 200 MB is not undone', async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000)).toString('latin1');
    const headers = { 'content-encoding': 'gzip', 'content-type': 'application/json' };
    stage.source.setFaults([always(/bad\/manifests/, { status: 200, headers, body: bomb })]);

    const outcome = await stage.syncBoth(BAD.root.digest);

    await failsAlone(stage, outcome, { code: 'CONTENT_MISMATCH' });
  });

  it('is not what layers are unpacked by: they are never unpacked (CVE-2025-11395)', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
    const { digest } = manifestOf(bomb);
    const content = JSON.parse(BAD.root.bytes.toString()) as object;
    const root = manifestOf({ ...content, layers: [{ mediaType, digest, size: bomb.length }] });
    const [config = root] = BAD.blobs;
    holdAsBad(stage, root, {
      root,
      manifests: [],
      blobs: [config, { mediaType, digest, bytes: bomb }],
    });

    await healed(stage, await stage.syncBoth(root.digest), { ...BAD, root });
  });
});

describe('bodies that nobody wants (CVE-2024-24750)', () => {
  it('cost no connections: hundreds of refusals come over as many as there are jobs', async () => {
    await using world = await startWorld();
    const registry = await world.registry('r.test');
    const body = JSON.stringify({ errors: [{ code: 'DENIED', message: 'x'.repeat(20_000) }] });
    const rows = Array.from({ length: 200 }, (_, n) => `acme,r${n},1,,,${BAD.root.digest}`);
    registry.setFaults([always(/manifests/, { status: 403, body })]);
    const csv = ['namespace,repo_name,name,created_on,last_updated_on,digest', ...rows, ''];
    await writeFile(join(stage.dir.path, 'tags.csv'), csv.join('\n'));
    const from = ['--source-registry', 'r.test', '--src-cert-dir', world.certDir];
    const to = ['--target-registry', stage.target.host, '--workdir', stage.dir.path, '--jobs', '4'];

    const { code } = await runProgram(['sync', ...from, ...to], {
      ...world.env,
      HOME: stage.dir.path,
    });

    equal(code, 1);
    ok(registry.requests.length >= 200);
    ok(world.knocks.length <= 8, `${world.knocks.length} connections`);
  });
});

/** Clears a terminal, sets its title, goes back over the line; also as one character of Latin 1. */
const STEERING = '\u001b[2J\u001b]0;owned\u0007\r\u009b2J\u007f';
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/;

describe('what a registry says', () => {
  const said: [string, () => void][] = [
    ['an error', () => answerBad({ status: 400, body: complaint(STEERING) })],
    ['a media type', () => holdAsBad(stage, manifestOf({ layers: [], mediaType: STEERING }))],
    [
      'a digest',
      () => {
        const layers = [{ mediaType: 'a/b', digest: STEERING, size: 1 }];
        holdAsBad(stage, manifestOf({ layers }));
      },
    ],
    [
      'a size',
      () => {
        const layers = [{ mediaType: 'a/b', digest: BAD.root.digest, size: STEERING }];
        holdAsBad(stage, manifestOf({ layers }));
      },
    ],
  ];
  const complaint = (message: string): string =>
    JSON.stringify({ errors: [{ code: message, message }] });
  const answerBad = (effect: FaultEffect): void =>
    stage.source.setFaults([always(/bad\/manifests/, effect)]);

  for (const [shown, lie] of said) {
    it(`as ${shown} does not steer a terminal`, async () => {
      lie();

      const { code, stderr } = await stage.syncBoth(undefined, ['--log-format', 'text']);

      equal(code, 3);
      match(stderr, /image failed/);
      doesNotMatch(stderr, CONTROL);
      doesNotMatch((await stage.file('results.csv')).replaceAll('\r\n', '\n'), CONTROL);
    });
  }

  it('does not steer a terminal that a crawl is run in', async () => {
    repositoryOf(stage.source.store, 'acme/bad').tags.set('2', BAD.root.digest);
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const body = JSON.stringify({ layers: [], mediaType: STEERING });
    const effect = { status: 200, headers: { 'content-type': mediaType }, body };
    const silent = { status: 200, headers: { 'content-type': mediaType } };
    stage.source.setFaults([
      { match: { method: 'HEAD', path: /bad/ }, times: Infinity, effect: silent },
      always(/bad\/manifests/, effect),
    ]);

    const { code, stderr } = await stage.crawl([
      '--repository',
      'acme/bad',
      '--log-format',
      'text',
    ]);

    equal(code, 1);
    match(stderr, /could be read in two ways/);
    doesNotMatch(stderr, CONTROL);
  });
});

describe('patterns that are not anchored', () => {
  it('match at the start, over one line, as is written in the help', async () => {
    for (const tag of ['1.0', '1.0-evil', 'x1.0'])
      putImage(stage.source.store, 'acme/good', tag, GOOD);
    const words = ['--repository', 'acme/good', '--tag-regex'];

    for (const [pattern, expected] of [
      ['1\\.0', ['1.0', '1.0-evil']],
      ['1\\.0$', ['1.0']],
      ['.*evil', ['1.0-evil']],
    ] as const) {
      equal((await stage.crawl([...words, pattern])).code, 0);
      const rows = (await stage.file('tags.csv')).trimEnd().split('\r\n').slice(1);
      deepEqual(
        rows.map((row) => row.split(',')[2]),
        expected,
      );
    }
  });

  it('do not let a second line in: a tag has none', async () => {
    const body = JSON.stringify({ tags: ['1.0\n../evil'] });
    stage.source.setFaults([always(/good\/tags/, { status: 200, body })]);

    const { code, stderr } = await stage.crawl([
      '--repository',
      'acme/good',
      '--tag-regex',
      '1.0$',
    ]);

    equal(code, 0);
    equal((await stage.file('tags.csv')).split('\r\n').length, 2);
    ok(stderr.includes('crawl is complete'));
  });
});

describe('what the program is built of (CVE-2026-1525, CVE-2026-13697)', () => {
  it('is named by exact versions, and locked with checksums', async () => {
    const root = new URL('../../../', import.meta.url);
    const read = async (name: string): Promise<Record<string, Record<string, unknown>>> =>
      JSON.parse(await readFile(new URL(name, root), 'utf8'));
    const { dependencies = {}, devDependencies = {} } = await read('package.json');
    const { packages = {} } = await read('package-lock.json');

    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      match(String(version), /^\d+\.\d+\.\d+$/, name);
    }
    for (const [name, entry] of Object.entries(packages)) {
      if (name !== '') match(String((entry as { integrity?: string }).integrity), /^sha512-/, name);
    }
    ok(Object.hasOwn(dependencies, 'undici'));
  });
});
