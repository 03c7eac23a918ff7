/** Lists that lie: names that would leave their place, pages that never end, headers that disagree. */
import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';

import type { Fault, FaultEffect } from '../support/registry/faults.ts';
import { BAD, failsAlone, GOOD, healed, startStage, type Stage } from './lies-stage.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
});
afterEach(() => stage.close());

const always = (path: RegExp, effect: FaultEffect): Fault => ({
  match: { path },
  times: Infinity,
  effect,
});
const listing = (body: object, headers: Readonly<Record<string, string>> = {}): FaultEffect => ({
  status: 200,
  headers: { ...JSON_TYPE, ...headers },
  body: JSON.stringify(body),
});
const paths = (): string[] => stage.source.requests.map(({ path }) => path);

/** Names that no repository has. */
const REPOSITORIES = [
  '../x',
  'acme/../../x',
  '/etc/passwd',
  'acme//x',
  'acme/x?n=1',
  'acme/x#',
  'acme/%2e%2e',
  'Acme/X',
  'acme/x\r\nx',
  'acme/\u001b[2Jx',
  'acme/\u009b2Jx',
  '=cmd',
  '',
  'x'.repeat(100_000),
];

/** Names that no tag has. */
const TAGS = [
  'a/../b',
  '../1',
  '1?x',
  '1#',
  '%2e',
  '.1',
  '1 2',
  '1\n2',
  '\u001b[2J',
  '',
  'x'.repeat(129),
];

describe('a catalog with names that are none (CVE-2024-3727)', () => {
  it('is written without them, and each is told, with --allow-partial', async () => {
    const repositories = ['acme/good', ...REPOSITORIES];
    stage.source.setFaults([always(/_catalog/, listing({ repositories }))]);

    const { code, log } = await stage.crawl(['--allow-partial']);

    equal(code, 3);
    deepEqual((await stage.file('repositories.csv')).split('\r\n').slice(1), ['acme,good', '']);
    match(await stage.file('tags.csv'), /^.*\r\nacme,good,1,,,sha256:\w{64}\r\n$/);
    const told = log.filter(({ msg }) => msg === 'repository failed');
    equal(told.length, REPOSITORIES.length);
    deepEqual(
      new Set(paths().map((path) => path.replace(/\?.*/, ''))),
      new Set(['/v2/', '/v2/_catalog', '/v2/acme/good/tags/list', '/v2/acme/good/manifests/1']),
    );
  });

  it('is not written at all without, and the failure says them in few words', async () => {
    const repositories = ['acme/good', ...REPOSITORIES];
    stage.source.setFaults([always(/_catalog/, listing({ repositories }))]);

    const { code, stderr } = await stage.crawl();

    equal(code, 1);
    const failure = stderr.slice(stderr.indexOf('registry-sync:'));
    match(failure, /"\.\.\/x" is no name of a repository/);
    ok(failure.length < 5000, `${failure.length} characters`);
    // oxlint-disable-next-line no-control-regex
    doesNotMatch(failure, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    await stage.file('tags.csv').then(
      () => ok(false, 'tags.csv is there'),
      () => {},
    );
  });
});

describe('a list of tags with names that are none', () => {
  for (const tag of TAGS) {
    it(`fails its repository, and only it: ${JSON.stringify(tag.slice(0, 20))}`, async () => {
      stage.source.setFaults([always(/bad\/tags/, listing({ tags: ['0', tag] }))]);

      const { code, stderr } = await stage.crawl(['--allow-partial', '--log-format', 'text']);

      equal(code, 3);
      ok(stderr.includes('which is no tag') && stderr.includes('acme/bad'), stderr);
      match(await stage.file('tags.csv'), /\r\nacme,good,1,,,sha256:\w{64}\r\n$/);
      deepEqual(
        paths().filter((path) => /manifests/.test(path) && !/manifests\/[01]$/.test(path)),
        [],
      );
    });
  }

  it('fails nothing when a filter drops them', async () => {
    stage.source.setFaults([always(/bad\/tags/, listing({ tags: ['1', 'a/../b'] }))]);

    equal((await stage.crawl(['--tag-regex', '\\d$'])).code, 0);
  });

  it('that is of something else fails it', async () => {
    for (const tags of [{}, 'x', [1], [null], [['x']]]) {
      stage.source.setFaults([always(/bad\/tags/, listing({ tags }))]);

      const { code, stderr } = await stage.crawl();

      equal(code, 1);
      match(stderr, /tags of \S+acme\/bad: the answer is no list/);
    }
  });
});

describe('a list of tags with duplicates', () => {
  it('copies each image once', async () => {
    stage.source.setFaults([always(/bad\/tags/, listing({ tags: ['1', '1', '1'] }))]);
    equal((await stage.crawl()).code, 0);
    const rows = (await stage.file('tags.csv')).trimEnd().split('\r\n').slice(1);

    const outcome = await stage.sync(rows);

    await healed(stage, outcome);
    match(outcome.stdout, /^2 rows: 2 copied/);
  });
});

const NEXT = (query: string) => ({ link: `</v2/acme/bad/tags/list?${query}>; rel="next"` });

describe('pages in circles (CVE-2023-2253)', () => {
  it('that lead to themselves are left', async () => {
    stage.source.setFaults([always(/bad\/tags/, listing({ tags: ['1'] }, NEXT('n=1000')))]);

    const { code, stderr } = await stage.crawl();

    equal(code, 1);
    match(stderr, /acme\/bad.*(form a loop|do not advance)/);
    ok(paths().filter((path) => path.includes('bad/tags')).length <= 2);
  });

  it('of several pages are left', async () => {
    const page = (tag: string, next: string): Fault =>
      always(new RegExp(`bad/tags/list\\?.*last=${tag}`), listing({ tags: [tag] }, NEXT(next)));
    stage.source.setFaults([
      page('a', 'last=b'),
      page('b', 'last=c'),
      page('c', 'last=a'),
      always(/bad\/tags/, listing({ tags: ['0'] }, NEXT('last=a'))),
    ]);

    const { code, stderr } = await stage.crawl();

    equal(code, 1);
    match(stderr, /acme\/bad.*(form a loop|do not advance)/);
    ok(paths().filter((path) => path.includes('bad/tags')).length <= 5);
  });

  it('without a name on them are left after a hundred', async () => {
    let n = 0;
    const fault = (): Fault[] =>
      Array.from({ length: 300 }, () => ({
        match: { path: /bad\/tags/ },
        effect: listing({ tags: [] }, NEXT(`last=${(n += 1)}`)),
      }));
    stage.source.setFaults(fault());

    const { code, stderr } = await stage.crawl();

    equal(code, 1);
    match(stderr, /do not advance/);
    ok(paths().filter((path) => path.includes('bad/tags')).length <= 102);
  });

  it('of the catalog that ignores n and repeats itself are left', async () => {
    const repositories = ['acme/good', 'acme/bad'];
    const link = '</v2/_catalog?n=1&x=1>; rel="next"';
    stage.source.setFaults([always(/_catalog/, listing({ repositories }, { link }))]);

    const { code, stderr } = await stage.crawl();

    equal(code, 1);
    match(stderr, /catalog of \S+: the pages of the list do not advance/);
  });
});

/** What it shows, the answer as it is on the wire. */
const WIRE: [string, string][] = [
  ['two Content-Lengths (CVE-2026-1525)', 'Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345'],
  [
    'Content-Length and chunks (CVE-2026-1525)',
    'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['a Content-Length that is none', 'Content-Length: -1\r\n\r\n12345'],
  ['chunks that are none', 'Transfer-Encoding: chunked\r\n\r\nzz\r\n'],
  ['headers without an end', `${'X-A: 1234567890\r\n'.repeat(100_000)}\r\n`],
];

describe('an answer with', () => {
  for (const [shown, rest] of WIRE) {
    it(`${shown} fails the row that it was for`, async () => {
      const raw = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${rest}`;
      stage.source.setFaults([always(/bad\/manifests/, { raw })]);

      const outcome = await stage.syncBoth(BAD.root.digest);

      await failsAlone(stage, outcome, { code: ['UNAVAILABLE', 'PROTOCOL'] });
    });
  }

  it('something that is not HTTP fails the row', async () => {
    stage.source.setFaults([always(/bad\/blobs/, { raw: 'SSH-2.0-OpenSSH_9.2\r\n' })]);

    const outcome = await stage.syncBoth(BAD.root.digest);

    await failsAlone(stage, outcome, { code: ['UNAVAILABLE', 'PROTOCOL'] });
    equal((await stage.results())['acme/good']?.['digest'], GOOD.root.digest);
  });
});
