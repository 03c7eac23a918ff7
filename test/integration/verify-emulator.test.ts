/** `verify` and `sync --repair` between emulated registries: what they ask, what they write, what they refuse. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';

import { readRecord, recordPath, type RunRecord } from '../../src/sync/run-record.ts';
import { startCli } from '../support/cli.ts';
import { foreignLayer, image, index, layer, type BuiltImage } from '../support/images.ts';
import { runHere, type InProcessResult } from '../support/in-process.ts';
import type { Fault } from '../support/registry/faults.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { putImage, repositoryOf } from '../support/registry/store.ts';
import { tagsCsv } from '../support/synced.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { statusesIn, verifyRowsIn } from '../support/verified.ts';

const BASE = layer({ seed: 'base', layerBytes: 200_000 });
const WEB = image({ seed: 'web', layers: [BASE, layer({ seed: 'web' })] });
const API = image({ seed: 'api', layers: [BASE, layer({ seed: 'api' }), foreignLayer()] });
const MULTI = index(
  ['amd64', 'arm64'].map((architecture) => ({
    image: image({ seed: architecture, platform: { os: 'linux', architecture } }),
    platform: { os: 'linux', architecture },
  })),
);
const TAGS = [
  { repository: 'acme/web', tag: '1', image: WEB },
  { repository: 'acme/web', tag: 'api', image: API },
  { repository: 'acme/web', tag: 'latest', image: WEB },
  { repository: 'acme/multi', tag: '1', image: MULTI },
  { repository: 'acme/other', tag: '1', image: WEB },
];

let source: Registry;
let target: Registry;
let dir: TempDir;

beforeEach(async () => {
  [source, target, dir] = await Promise.all([startRegistry(), startRegistry(), tempDir()]);
  for (const { store } of [source, target]) {
    for (const { repository, tag, image: built } of TAGS) putImage(store, repository, tag, built);
  }
  await writeFile(join(dir.path, 'tags.csv'), tagsCsv(TAGS));
});
afterEach(async () => {
  await Promise.all([source.close(), target.close(), dir[Symbol.asyncDispose]()]);
});

function argsOf(command: string, words: readonly string[]): string[] {
  const ends = ['--source-registry', source.host, '--target-registry', target.host];
  return [command, ...ends, '--workdir', dir.path, '--retry-times', '0', ...words];
}

const verify = (...words: string[]): Promise<InProcessResult> => runHere(argsOf('verify', words));
const repair = (...words: string[]): Promise<InProcessResult> =>
  runHere(argsOf('sync', ['--repair', ...words]));

/** What the target was asked, in alphabetical order, without the ping. */
const asked = (): string[] =>
  target.requests
    .map(({ method, path }) => `${method} ${path.replace('/v2/', '')}`)
    .filter((request) => request !== 'GET ')
    .toSorted();

const record = async (): Promise<RunRecord> =>
  JSON.parse(await readFile(recordPath(dir.path, 'verify'), 'utf8')) as RunRecord;

const digestsOf = (built: BuiltImage): string[] => built.blobs.map(({ digest }) => digest);
const held = (path: string) => repositoryOf(target.store, path);
/** One repository of the target has a layer less. */
function loseLayer(): void {
  held('acme/web').blobs.delete(WEB.blobs[2]?.digest ?? '');
}
const tagged = (path: string): Fault['match'] => ({ path: new RegExp(path) });

/** A registry without TLS is met by two requests: the first fails. */
describe('what verify asks', () => {
  it('is one HEAD per row, and nothing of the source', async () => {
    const { code, stdout } = await verify();

    equal(code, 0);
    deepEqual(
      asked(),
      TAGS.map(({ repository, tag }) => `HEAD ${repository}/manifests/${tag}`).toSorted(),
    );
    deepEqual(source.requests, []);
    match(
      stdout,
      /^5 rows: 5 ok, 0 missing, 0 differs, 0 damaged, 0 failed; 7 requests; [\d.]+ s\n$/,
    );
  });

  it('is with --deep also each manifest and each blob once per repository', async () => {
    equal((await verify('--deep')).code, 0);

    const heads = TAGS.map(({ repository, tag }) => `HEAD ${repository}/manifests/${tag}`);
    const manifests = [
      ...[WEB, API].map(({ root }) => `GET acme/web/manifests/${root.digest}`),
      ...[...MULTI.manifests, MULTI.root].map((m) => `GET acme/multi/manifests/${m.digest}`),
      `GET acme/other/manifests/${WEB.root.digest}`,
    ];
    const blobs = [
      ...new Set([...digestsOf(WEB), ...digestsOf(API)].map((d) => `HEAD acme/web/blobs/${d}`)),
      ...digestsOf(MULTI).map((digest) => `HEAD acme/multi/blobs/${digest}`),
      ...digestsOf(WEB).map((digest) => `HEAD acme/other/blobs/${digest}`),
    ];
    deepEqual(asked(), [...heads, ...manifests, ...blobs].toSorted());
  });

  it('is with --deep=bytes also the bytes of each blob, once in all', async () => {
    equal((await verify('--deep=bytes')).code, 0);

    const read = asked().flatMap((request) => /^GET .*\/blobs\/(.*)/.exec(request)?.[1] ?? []);
    const all = new Set([WEB, API, MULTI].flatMap(digestsOf));
    deepEqual(read.toSorted(), [...all].toSorted());
    equal((await record()).deep, 'bytes');
  });
});

describe('the options of verify', () => {
  it('can be variables', async () => {
    for (const [value, deep] of [
      ['bytes', 'bytes'],
      ['true', 'manifests'],
      ['manifests', 'manifests'],
      ['false', undefined],
    ] as const) {
      const { code } = await runHere(argsOf('verify', []), { REGISTRY_SYNC_DEEP: value });
      equal(code, 0);
      equal((await record()).deep, deep);
    }
  });

  it('are refused when --deep is none of its words', async () => {
    const { code, stderr } = await verify('--deep=all');

    equal(code, 1);
    match(stderr, /--deep: "all" is none of manifests, bytes/);
    deepEqual(target.requests, []);
  });

  it('select a platform, for which the index of the source is read', async () => {
    const words = ['--platform', 'linux/arm64'];
    const { code: differs } = await verify(...words);
    equal(differs, 0); // whole, as sync takes it for unchanged too
    held('acme/multi').tags.delete('1');
    equal((await runHere(argsOf('sync', words))).code, 0);
    source.resetRequests();

    equal((await verify(...words)).code, 0);

    const [one, ...more] = source.requests.filter(({ path }) => path !== '/v2/');
    equal(one?.path, `/v2/acme/multi/manifests/${MULTI.root.digest}`);
    deepEqual(more, []);
    equal((await verify()).code, 3);
  });
});

describe('what verify writes', () => {
  it('is a row for each row, that sync can read', async () => {
    held('acme/multi').tags.delete('1');
    held('acme/web').tags.set('1', API.root.digest);

    const { code, stdout } = await verify();

    equal(code, 3);
    match(stdout, /^5 rows: 3 ok, 1 missing, 1 differs, 0 damaged, 0 failed; 7 requests/);
    const text = await readFile(join(dir.path, 'verify.csv'), 'utf8');
    const [header, ...lines] = text.trimEnd().split('\r\n');
    equal(header, 'namespace,repo_name,name,digest,target,status,found_digest,size,detail');
    equal(lines.length, 5);
    const [multi, , web] = await verifyRowsIn(dir.path);
    deepEqual(multi, {
      namespace: 'acme',
      repo_name: 'multi',
      name: '1',
      digest: MULTI.root.digest,
      target: `${target.host}/acme/multi:1`,
      status: 'missing',
      found_digest: '',
      size: '',
      detail: 'there is no such image',
    });
    deepEqual([web?.status, web?.found_digest], ['differs', API.root.digest]);
  });

  it('is a record of the run', async () => {
    held('acme/multi').tags.delete('1');
    await verify('--run-id', 'nightly');

    const { command, run, state, source: from, target: to, counts = {}, message } = await record();
    deepEqual(
      { command, run, state, from, to },
      { command: 'verify', run: 'nightly', state: 'partial', from: source.host, to: target.host },
    );
    const { rows, ok: well, missing, notStarted } = counts;
    deepEqual({ rows, well, missing, notStarted }, { rows: 5, well: 4, missing: 1, notStarted: 0 });
    match(message ?? '', /^5 rows: 4 ok, 1 missing/);
  });
});

describe('what verify says', () => {
  it('is a line of JSON for each row that is not ok, and none for others', async () => {
    held('acme/multi').tags.delete('1');
    const effect = { status: 403 };
    target.setFaults([{ match: tagged('other/manifests'), times: Infinity, effect }]);

    const { code, stderr } = await verify('--log-format', 'json');

    equal(code, 3);
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const about = lines.filter(({ target: one }) => String(one).includes('/acme/'));
    deepEqual(
      about
        .map(({ level, msg, status, code: kind }) => ({ level, msg, status, kind }))
        .toSorted((a) => (a.level === 'warn' ? -1 : 1)),
      [
        { level: 'warn', msg: 'image is missing', status: 'missing', kind: undefined },
        {
          level: 'error',
          msg: 'image could not be checked',
          status: undefined,
          kind: 'UNAUTHORIZED',
        },
      ],
    );
    equal((await statusesIn(dir.path))['other:1'], 'failed');
  });

  it('counts its rows in metrics', async () => {
    held('acme/multi').tags.delete('1');
    const file = join(dir.path, 'verify.prom');

    await verify('--metrics-file', file);

    const text = await readFile(file, 'utf8');
    match(text, /^registry_sync_\w*rows\w*\{.*"ok".*\} 4$/m);
    match(text, /^registry_sync_\w*rows\w*\{.*"missing".*\} 1$/m);
  });

  it('has no secret that a registry quotes', async () => {
    const password = 'correct-horse-battery';
    const errors = [{ code: 'DENIED', message: `no ${password}\nfor =you` }];
    const effect = { status: 400, body: JSON.stringify({ errors }) };
    const faulty = { method: 'GET', path: /other\/manifests/ };
    target.setFaults([{ match: faulty, times: Infinity, effect }]);
    const words = ['--deep', '--dest-creds', `me:${password}`];

    const { stdout, stderr } = await verify(...words);

    const text = await readFile(join(dir.path, 'verify.csv'), 'utf8');
    ok(![stdout, stderr, text].some((one) => one.includes(password)));
    match(text, /no \*\*\* for =you/); // and on one line
    equal(text.split('\r\n').length, 7);
  });
});

describe('rows', () => {
  it('without a digest only have to be there', async () => {
    const rows = ['acme,web,1,,,', 'acme,web,2,,,', `acme,web,@${API.root.digest},,,`];
    await writeFile(
      join(dir.path, 'tags.csv'),
      ['namespace,repo_name,name,created_on,last_updated_on,digest', ...rows, ''].join('\r\n'),
    );

    const { code } = await verify('--deep');

    equal(code, 3);
    const [one, two, byDigest] = await verifyRowsIn(dir.path);
    deepEqual([byDigest?.status, byDigest?.name], ['ok', `@${API.root.digest}`]);
    deepEqual([one?.status, one?.digest, one?.found_digest], ['ok', '', WEB.root.digest]);
    equal(two?.status, 'missing');
  });

  it('come from the source that was crawled here, unless it is named', async () => {
    const words = ['verify', '--target-registry', target.host, '--workdir', dir.path];
    const unknown = await runHere(words);
    equal(unknown.code, 1);
    match(unknown.stderr, /give --source-registry or --source-registry-name/);
    const crawl = ['crawl', '--registry', source.host, '--workdir', dir.path];
    equal((await runHere(crawl)).code, 0);

    const { code, stdout } = await runHere(words);

    equal(code, 0);
    match(stdout, /^5 rows: 5 ok/);
    equal((await record()).source, source.host);
  });

  it('that are all denied are an error of the run', async () => {
    target.setFaults([{ match: { path: /manifests/ }, times: Infinity, effect: { status: 403 } }]);

    const { code, stdout } = await verify();

    equal(code, 1);
    match(stdout, /^5 rows: 0 ok, 0 missing, 0 differs, 0 damaged, 5 failed/);
    equal((await record()).state, 'failed');
    match(
      (await repair()).stderr,
      /verify\.json: verify failed: 5 rows: .*: run verify in .* again/,
    );
  });
});

describe('so many rows that their file is read twice', () => {
  for (const [command, says] of [
    ['verify', /^10001 rows: 10001 ok/],
    ['sync', /^10001 rows: 0 copied, 10001 unchanged/],
  ] as const) {
    it(`are all seen by ${command}`, async () => {
      const many = Array.from({ length: 10_001 }, (_, n) => `v${n}`);
      for (const tag of many) held('acme/web').tags.set(tag, WEB.root.digest);
      const tags = many.map((tag) => ({ repository: 'acme/web', tag, image: WEB }));
      await writeFile(join(dir.path, 'tags.csv'), tagsCsv(tags));

      const { code, stdout, stderr } = await runHere(argsOf(command, ['--quiet']));

      equal(code, 0, stderr);
      match(stdout, says);
    });
  }
});

describe('a verify that is told to stop', () => {
  it('starts no other row, and says that it is not whole', async () => {
    const effect = { delayMs: 500 };
    target.setFaults([{ match: { path: /manifests/ }, times: Infinity, effect }]);
    const { child, result } = await startCli(argsOf('verify', ['--jobs', '1']));
    while (!target.requests.some(({ path }) => path.includes('manifests'))) {
      await new Promise((wake) => setTimeout(wake, 5));
    }
    child.kill('SIGTERM');

    const { code, stdout } = await result;

    equal(code, 143);
    match(stdout, /^5 rows: 1 ok, 0 missing, 0 differs, 0 damaged, 0 failed, 4 not started/);
    equal((await verifyRowsIn(dir.path)).length, 1);
    const refused = await repair();
    equal(refused.code, 1);
    match(refused.stderr, /verify\.json: verify was stopped before 4 of 5 rows/);
  });
});

describe('a repair', () => {
  beforeEach(loseLayer);

  it('puts each manifest again, asks for each blob by HEAD, and looks at what came of it', async () => {
    equal((await verify('--deep')).code, 3);
    deepEqual(await statusesIn(dir.path), {
      'multi:1': 'ok',
      'other:1': 'ok',
      'web:1': 'damaged',
      'web:api': 'ok',
      'web:latest': 'damaged',
    });
    target.resetRequests();

    const { code, stdout, stderr } = await repair();

    equal(code, 0, stderr);
    match(stdout, /^2 rows: 2 copied, 0 unchanged, 0 failed/);
    const requests = asked();
    for (const digest of digestsOf(WEB)) {
      const heads = requests.filter((one) => one === `HEAD acme/web/blobs/${digest}`);
      equal(heads.length, 2, digest); // when it is copied, and when it is looked at
    }
    deepEqual(
      requests.filter((one) => one.startsWith('PUT') && one.includes('manifests')),
      ['PUT acme/web/manifests/1', 'PUT acme/web/manifests/latest'],
    );
    deepEqual(
      requests.filter((one) => /mount=/.test(one) && /from=acme%2Fweb/.test(one)),
      [],
    );
    equal((await verify('--deep=bytes')).code, 0);
  });

  it('leaves what the last sync wrote, and says for itself what it did', async () => {
    equal((await runHere(argsOf('sync', []))).code, 0);
    const before = await readFile(join(dir.path, 'results.csv'), 'utf8');
    await verify('--deep');

    equal((await repair()).code, 0);

    equal(await readFile(join(dir.path, 'results.csv'), 'utf8'), before);
    match(await readFile(join(dir.path, 'repair-results.csv'), 'utf8'), /,web,1,.*,copied,/);
    const { command, counts } = (await readRecord(dir.path, 'repair')) ?? {};
    deepEqual([command, counts?.copied], ['repair', 2]);
    equal((await readRecord(dir.path, 'sync'))?.counts?.rows, 5);
  });

  it('is told of by a dry run, which changes nothing', async () => {
    await verify('--deep');
    target.resetRequests();

    const { code, stdout } = await repair('--dry-run');

    equal(code, 0);
    match(stdout, /^2 rows: 0 copied, 0 unchanged, 2 would be copied/);
    deepEqual(asked(), []);
  });
});

describe('the rows of a repair', () => {
  beforeEach(loseLayer);

  it('takes a named file as it is, whatever came of verify', async () => {
    await verify('--deep');
    const text = await readFile(join(dir.path, 'verify.csv'), 'utf8');
    const lines = text.split('\r\n').filter((line) => !line.includes(',latest,'));
    const file = join(dir.path, 'chosen.csv');
    await writeFile(file, lines.join('\r\n'));

    const { code, stdout } = await repair('--tags-file', file);

    equal(code, 0);
    match(stdout, /^1 rows: 1 copied/);
  });

  it('of a plain tags.csv is of all rows', async () => {
    const { code, stdout } = await repair('--tags-file', join(dir.path, 'tags.csv'));

    equal(code, 0);
    match(stdout, /^5 rows: 5 copied/);
    equal((await verify('--deep=bytes')).code, 0);
  });
});

describe('a repair of a registry that lies', () => {
  beforeEach(loseLayer);

  it('believes no link that the registry says it made', async () => {
    const rows = TAGS.filter(({ tag, repository }) => tag === '1' && !repository.endsWith('multi'));
    const file = join(dir.path, 'rows.csv');
    await writeFile(file, tagsCsv(rows.toReversed())); // acme/other has it, and comes first
    const link = { method: 'POST', path: /mount=/ };
    target.setFaults([{ match: link, times: 1, effect: { status: 201 } }]);

    const { code, stderr } = await repair('--jobs', '1', '--tags-file', file);

    equal(code, 0, stderr);
    const links = target.requests.filter(({ path }) => path.includes('mount='));
    deepEqual(
      links.map(({ status }) => status),
      [201],
    );
    equal((await verify('--deep=bytes')).code, 0);
  });

  it('fails where the registry goes on to say that it holds what it does not', async () => {
    await verify('--deep');
    const [, , own] = WEB.blobs;
    const path = new RegExp(`acme/web/blobs/${own?.digest}`);
    target.setFaults([
      { match: { method: 'GET', path }, times: Infinity, effect: { corrupt: 'last' } },
    ]);
    equal((await verify('--deep=bytes')).code, 3);

    const { code, stderr } = await repair();

    equal(code, 3);
    match(stderr, new RegExp(`still damaged: blob ${own?.digest} hashes to`));
  });
});

describe('what a repair refuses', () => {
  beforeEach(loseLayer);

  it('refuses a verify.csv from before the last crawl: tags would be put back to what they were', async () => {
    await verify('--deep');
    const later = { ...(await record()), command: 'crawl', startedAt: '2999-01-01T00:00:00.000Z' };
    await writeFile(recordPath(dir.path, 'crawl'), JSON.stringify(later));

    const { code, stderr } = await repair();

    equal(code, 1);
    match(stderr, /verify\.json: is older than the last crawl: run verify in .* again/);
  });
});

describe('a verify.csv that a repair refuses', () => {
  beforeEach(loseLayer);

  for (const [what, change, says] of [
    ['was never made', undefined, /verify\.json: there is none: verify has not run here/],
    ['was killed', { state: 'running' }, /verify\.json: verify still runs, or was killed/],
    [
      'is about others',
      { target: 'else.test' },
      /verify\.json: is not about .*: it was .* and else\.test/,
    ],
  ] as const) {
    it(`refuses a verify.csv whose run ${what}`, async () => {
      if (change !== undefined) {
        await verify('--deep');
        const changed = { ...(await record()), ...change };
        await writeFile(recordPath(dir.path, 'verify'), JSON.stringify(changed));
      }
      target.resetRequests();

      const { code, stderr } = await repair();

      equal(code, 1);
      match(stderr, says);
      match(stderr, /run verify in .* again, or name the rows to repair by --tags-file/);
      deepEqual(target.requests, []);
    });
  }

  for (const [what, edit, says] of [
    [
      'is cut off',
      (text: string) => text.slice(0, text.lastIndexOf('\r\nacme')),
      /has 4 rows, but verify wrote 5/,
    ],
    [
      'is cut within a row',
      (text: string) => text.slice(0, text.lastIndexOf(',ok,')),
      /line 6: .* has 5 fields instead of 9/,
    ],
    [
      'has another word',
      (text: string) => text.replace(',damaged,', ',broken,'),
      /line \d: the status "broken" is none of ok, missing, differs, damaged, failed/,
    ],
  ] as const) {
    it(`refuses a verify.csv that ${what}`, async () => {
      await verify('--deep');
      const file = join(dir.path, 'verify.csv');
      await writeFile(file, edit(await readFile(file, 'utf8')));
      target.resetRequests();

      const { code, stderr } = await repair();

      equal(code, 1, stderr);
      match(stderr, says);
      deepEqual(target.requests, []);
    });
  }

  it('is refused together with --src', async () => {
    const words = ['--repair', '--src', 'docker', '--dest', 'docker', 'a.test/x', 'b.test'];
    const { code, stderr } = await runHere(['sync', ...words]);

    equal(code, 1);
    match(stderr, /--repair is for rows of tags\.csv/);
  });
});

describe('a registry that lies', () => {
  it('about a tag is found out by --deep', async () => {
    const { store } = target;
    const wrong = image({ seed: 'wrong' });
    const manifest = held('acme/multi').manifests.get(MULTI.root.digest);
    held('acme/multi').manifests.set(MULTI.root.digest, {
      ...manifest,
      mediaType: wrong.root.mediaType,
      bytes: wrong.root.bytes,
    });
    ok(store.repositories.has('acme/multi'));

    equal((await verify()).code, 0);
    equal((await verify('--deep')).code, 3);

    const [multi] = await verifyRowsIn(dir.path);
    match(
      multi?.detail ?? '',
      new RegExp(
        `^manifest ${MULTI.root.digest} has other content: .* hashes to ${wrong.root.digest}`,
      ),
    );
  });

  it('by an index that lists itself ends the look at it', async () => {
    const { digest } = MULTI.root;
    const loop = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MULTI.root.mediaType,
        manifests: [{ mediaType: MULTI.root.mediaType, digest, size: 1 }],
      }),
    );
    held('acme/multi').manifests.set(digest, { mediaType: MULTI.root.mediaType, bytes: loop });

    equal((await verify('--deep')).code, 3);

    const [multi] = await verifyRowsIn(dir.path);
    equal(multi?.status, 'damaged');
  });

  it('by a manifest or a blob without an end is read no further than it should be long', async () => {
    const [, own] = MULTI.blobs;
    target.setFaults([
      {
        match: { method: 'GET', path: /acme\/other\/manifests/ },
        times: Infinity,
        effect: { endless: '{"a":"' },
      },
      {
        match: { method: 'GET', path: new RegExp(own?.digest ?? '') },
        times: Infinity,
        effect: { endless: '' },
      },
    ]);

    equal((await verify('--deep=bytes')).code, 3);

    const [multi, other] = await verifyRowsIn(dir.path);
    match(other?.detail ?? '', /^manifest .* can not be read: .* longer than 4194304 bytes/);
    equal(multi?.detail, `blob ${own?.digest} is longer than ${own?.bytes.length} bytes`);
    const longest = Math.max(...target.requests.map(({ bytesOut }) => bytesOut));
    ok(longest < 24 * 1024 * 1024, `${longest}`);
  });
});

describe('a registry that lies about blobs', () => {
  it('about what it holds is found out by --deep=bytes', async () => {
    const [, own] = MULTI.blobs;
    target.setFaults([
      {
        match: { method: 'GET', path: new RegExp(own?.digest ?? '') },
        times: Infinity,
        effect: { status: 404 },
      },
    ]);
    equal((await verify('--deep')).code, 0);
    equal((await verify('--deep=bytes')).code, 3);

    const [multi] = await verifyRowsIn(dir.path);
    equal(multi?.detail, `blob ${own?.digest} is said to be there, and can not be read`);
  });

  it('once, on the way, is asked once more', async () => {
    const [, own] = MULTI.blobs;
    const path = new RegExp(own?.digest ?? '');
    target.setFaults([{ match: { method: 'GET', path }, times: 1, effect: { corrupt: 'first' } }]);

    equal((await verify('--deep=bytes')).code, 0);
  });

  it('about the sizes of its blobs, by saying none, is not asked for more', async () => {
    const raw = 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n';
    target.setFaults([
      { match: { method: 'HEAD', path: /blobs/ }, times: Infinity, effect: { raw } },
    ]);

    const { code, stderr } = await verify('--deep=bytes');

    equal(code, 0, stderr);
  });
});
