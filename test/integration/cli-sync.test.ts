/** `sync` as people run it: the built program, between two emulated registries. */
import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';

import { runCli, startCli, type CliOptions, type CliResult } from '../support/cli.ts';
import {
  artifact,
  cosignSignature,
  cosignTag,
  image,
  index,
  type BuiltImage,
} from '../support/images.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { createStore, putImage, snapshot, type Store } from '../support/registry/store.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const HEADER = 'namespace,repo_name,name,created_on,last_updated_on,digest';
const PASSWORD = 'correct horse+battery/staple';
const USERS = { bot: { password: PASSWORD } };

const WEB = image({ seed: 'web' });
const API = image({ seed: 'api' });
const MULTI = index(
  ['amd64', 'arm64'].map((architecture) => ({
    image: image({ seed: architecture, platform: { os: 'linux', architecture } }),
    platform: { os: 'linux', architecture },
  })),
  { attestations: true },
);
const SIGNATURE = cosignSignature(WEB.root.digest);
const SBOM = artifact({ artifactType: 'application/spdx+json', subject: WEB.root, seed: 'sbom' });

/** What every test starts from. */
const ROWS: [string, string, string, BuiltImage][] = [
  ['acme', 'web', '1.0', WEB],
  ['acme', 'web', 'latest', WEB],
  ['acme', 'team/api', '2.0', API],
  ['acme', 'multi', '3.0', MULTI],
  ['other', 'web', '1.0', API],
];
const CSV = ROWS.map(
  ([namespace, name, tag, { root }]) => `${namespace},${name},${tag},,,${root.digest}`,
);

let store: Store;
let source: Registry;
let target: Registry;
let closed: Registry;
let dir: TempDir;

before(async () => {
  store = createStore();
  source = await startRegistry({ store });
  closed = await startRegistry({ auth: { scheme: 'bearer', users: USERS } });
});
beforeEach(async () => {
  store.repositories.clear();
  for (const [namespace, name, tag, built] of ROWS)
    putImage(store, `${namespace}/${name}`, tag, built);
  target = await startRegistry();
  dir = await tempDir();
  source.setFaults([]);
  source.resetRequests();
});
afterEach(async () => {
  await target.close();
  await dir[Symbol.asyncDispose]();
});
after(() => Promise.all([source.close(), closed.close()]));

/** Syncs these rows from `source` to `target`, in `dir`. */
async function sync(
  words: readonly string[] = [],
  rows: readonly string[] = CSV,
  options: CliOptions = {},
): Promise<CliResult> {
  await writeFile(join(dir.path, 'tags.csv'), [HEADER, ...rows, ''].join('\r\n'));
  return await runCli(args(words), options);
}

function args(words: readonly string[] = []): string[] {
  const pair = ['--source-registry', source.host, '--target-registry', target.host];
  return ['sync', ...pair, '--workdir', dir.path, '--retry-times', '0', ...words];
}

const file = (name: string): Promise<string> => readFile(join(dir.path, name), 'utf8');
const there = (registry = target): Record<string, string> => snapshot(registry.store);

/** The rows of results.csv, by column. */
async function results(from = 'results.csv'): Promise<Record<string, string>[]> {
  const [header = '', ...rows] = (await file(from)).trimEnd().split('\r\n');
  const names = header.split(',');
  return rows.map((row) => {
    const fields = [...row.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)];
    return Object.fromEntries(
      names.map((name, at) => [name, fields[at]?.[1] ?? fields[at]?.[2] ?? '']),
    );
  });
}

describe('sync', () => {
  it('copies every row, whole and with its digest', async () => {
    const { code, stdout, stderr } = await sync();

    equal(code, 0, stderr);
    deepEqual(there(), snapshot(store));
    match(
      stdout,
      /^5 rows: 5 copied, 0 unchanged, 0 failed; [\d.]+ kB moved, .* saved by mounts; \d+ requests \(\d+ source, \d+ target\); [\d.]+ s\n$/,
    );
    for (const { digest } of MULTI.manifests) {
      ok(target.store.repositories.get('acme/multi')?.manifests.has(digest), digest);
    }
    match(stderr, /image copied source=\S+acme\/multi:3\.0@sha256:\S+ target=\S+acme\/multi:3\.0 /);
  });

  it('writes a row of results per image, and a summary', async () => {
    const { code } = await sync(['--summary', join(dir.path, 'out/summary.json')]);
    equal(code, 0);

    const rows = await results();
    deepEqual(
      rows.map(({ namespace, repo_name, name }) => `${namespace}/${repo_name}:${name}`).toSorted(),
      Object.keys(snapshot(store)),
    );
    const row = rows.find(({ repo_name }) => repo_name === 'team/api');
    deepEqual(
      [row?.digest, row?.target, row?.status, row?.error],
      [API.root.digest, `${target.host}/acme/team/api:2.0`, 'copied', ''],
    );
    match(row?.bytes ?? '', /^\d{4,}$/);
    match(row?.elapsed_ms ?? '', /^\d+$/);
    const summary = JSON.parse(await file('out/summary.json')) as Record<string, unknown>;
    deepEqual([summary.rows, summary.copied, summary.failed, summary.notStarted], [5, 5, 0, 0]);
    deepEqual(Object.keys(summary.requests as object), ['source', 'target']);
    deepEqual((await readdir(dir.path)).toSorted(), [
      'out',
      'results.csv',
      'sync.json',
      'tags.csv',
    ]);
  });

  it('finds all unchanged the second time, and does not ask the source', async () => {
    await sync();
    source.resetRequests();
    target.resetRequests();

    const { code, stdout } = await sync();

    equal(code, 0);
    match(stdout, /^5 rows: 0 copied, 5 unchanged, 0 failed; 0 B moved/);
    equal(source.requests.length, 0);
    deepEqual(
      target.requests.map(({ method }) => method),
      ['GET', 'HEAD', 'HEAD', 'HEAD', 'HEAD', 'HEAD'],
    );
  });
});

describe('the words of sync', () => {
  it('runs the command line of the documentation, with hosts for the names', async () => {
    await writeFile(join(dir.path, 'tags.csv'), [HEADER, ...CSV, ''].join('\r\n'));
    const from = ['--source-registry-name', source.host, '--namespace', 'acme'];
    const to = ['--target-registry-name', target.host, '--target-namespace', 'giantswarm'];

    const { code, stderr } = await runCli(['sync', ...from, ...to], { cwd: dir.path });

    equal(code, 0, stderr);
    deepEqual(Object.keys(there()), [
      'giantswarm/multi:3.0',
      'giantswarm/team/api:2.0',
      'giantswarm/web:1.0',
      'giantswarm/web:latest',
    ]);
  });

  it('takes its options from the environment', async () => {
    const { code, stderr } = await sync([], CSV, {
      env: {
        REGISTRY_SYNC_DRY_RUN: 'yes',
        REGISTRY_SYNC_QUIET: '1',
        REGISTRY_SYNC_NAMESPACE: 'acme',
      },
    });

    deepEqual([code, stderr, there()], [0, '', {}]);
    equal((await results('dry-run.csv')).length, 4);
  });
});

describe('rows', () => {
  it('are copied at their digest, even if the tag has moved', async () => {
    putImage(store, 'acme/web', '1.0', API);

    const { code } = await sync();

    equal(code, 0);
    equal(there()['acme/web:1.0'], WEB.root.digest);
  });

  it('follow their tag with --follow-moved, which says so', async () => {
    putImage(store, 'acme/web', '1.0', API);

    const { code, stdout, stderr } = await sync(['--follow-moved']);

    equal(code, 0);
    equal(there()['acme/web:1.0'], API.root.digest);
    match(stdout, /1 moved since the crawl/);
    match(stderr, /tag has moved since the crawl source=\S+acme\/web:1\.0@/);
    const followed = (await results()).filter(({ digest }) => digest === API.root.digest);
    ok(followed.some(({ name, namespace }) => name === '1.0' && namespace === 'acme'));
  });

  it('may have no digest, a digest for a tag, or both', async () => {
    const rows = [
      'acme,web,1.0,,,',
      `acme,team/api,@${API.root.digest},,,`,
      `acme,multi,3.0@${MULTI.root.digest},,,`,
      `other,web,${API.root.digest},,,${API.root.digest}`,
    ];

    const { code, stdout, stderr } = await sync([], rows);

    equal(code, 0, stderr);
    match(stdout, /^4 rows: 4 copied/);
    deepEqual(there(), { 'acme/multi:3.0': MULTI.root.digest, 'acme/web:1.0': WEB.root.digest });
    for (const repository of ['acme/team/api', 'other/web']) {
      ok(target.store.repositories.get(repository)?.manifests.has(API.root.digest));
    }
    match((await sync([], rows)).stdout, /^4 rows: 0 copied, 4 unchanged/);
  });

  it('that fail are named, and the others are copied', async () => {
    const gone = `sha256:${'0'.repeat(64)}`;

    const { code, stdout, stderr } = await sync([], [...CSV, `acme,gone,9,,,${gone}`]);

    equal(code, 3);
    match(stdout, /^6 rows: 5 copied, 0 unchanged, 1 failed/);
    match(stderr, /image failed source=\S+acme\/gone:9@\S+ .*code=NOT_FOUND/);
    const failed = (await results()).find(({ status }) => status === 'failed');
    match(failed?.error ?? '', new RegExp(`source:? ${source.host}/acme/gone.*not found`));
    equal(failed?.digest, gone);
  });

  it('that are 200,000 with a mistake in the last are checked in a small heap, before any request', async () => {
    const many = Array.from(
      { length: 200_000 },
      (_, n) => `a,r${n % 500},v${n},,,${WEB.root.digest}`,
    );

    const { code, stderr } = await sync([], [...many, 'a,r,oops!,,,'], {
      env: { NODE_OPTIONS: '--max-old-space-size=56' },
    });

    equal(code, 1, stderr);
    match(stderr, /tags\.csv: line 200002: "oops!" is neither a tag nor/);
    equal(source.requests.length + target.requests.length, 0);
  });
});

describe('options of sync', () => {
  it('--dry-run says what would be copied, and changes nothing', async () => {
    putImage(target.store, 'acme/web', '1.0', WEB);
    const old = there();

    const { code, stdout } = await sync(['--dry-run']);

    equal(code, 0);
    match(stdout, /^5 rows: 0 copied, 1 unchanged, 4 would be copied, 0 failed; 0 B moved/);
    deepEqual(there(), old);
    ok(target.requests.every(({ method }) => ['GET', 'HEAD'].includes(method)));
    equal(source.requests.length, 0);
  });

  it('--fail-fast starts no row after a failure, and counts those left', async () => {
    source.setFaults([
      { match: { path: /web\/manifests/ }, times: Infinity, effect: { status: 500 } },
    ]);

    const { code, stdout } = await sync(['--fail-fast', '--jobs', '1']);

    equal(code, 3);
    match(stdout, /^5 rows: 0 copied, 0 unchanged, 1 failed, 4 not started/);
  });
});

describe('a part and other names', () => {
  it('--platform rewrites an index, and finds it unchanged the second time and when asked dry', async () => {
    const rows = CSV.filter((row) => row.includes('multi'));
    const words = ['--platform', 'linux/arm64', '--referrers', 'none'];

    equal((await sync(words, rows)).code, 0);

    const digest = there()['acme/multi:3.0'] ?? '';
    const stored = target.store.repositories.get('acme/multi')?.manifests;
    const { manifests } = JSON.parse(stored?.get(digest)?.bytes.toString() ?? '') as {
      manifests: { platform: { architecture: string } }[];
    };
    deepEqual(
      manifests.map(({ platform }) => platform.architecture),
      ['arm64', 'unknown'],
    );
    equal(stored?.size, 3);
    match((await sync([...words, '--dry-run'], rows)).stdout, /0 copied, 1 unchanged, 0 failed/);
    match((await sync(words, rows)).stdout, /0 copied, 1 unchanged, 0 failed/);
  });

  it('--platform names the image that has none of them', async () => {
    const { code } = await sync(['--platform', 'windows/amd64'], CSV.slice(3, 4));

    equal(code, 3);
    const [row] = await results();
    match(row?.error ?? '', /acme\/multi.* is not for windows\/amd64, only for linux/);
  });

  it('--append-suffix, --target-path and --target-namespace make other names', async () => {
    const words =
      '--append-suffix -eu --target-path two-components --target-namespace m --namespace acme';

    equal((await sync(words.split(' '))).code, 0);

    deepEqual(Object.keys(there()), [
      'm/multi:3.0-eu',
      'm/team-api:2.0-eu',
      'm/web:1.0-eu',
      'm/web:latest-eu',
    ]);
  });

  for (const [words, message] of [
    [
      '--target-namespace m',
      /line 2 \(\S+acme\/web:1\.0@\S+\) and line 6 \(\S+other\/web:1\.0@\S+\)/,
    ],
    ['--target-path all:{tag}', /would \w+ become \S+\/all:1\.0/],
    ['--target-path {repo}', /has the unknown part \{repo\}/],
    ['--target-namespace M', /line 2: acme\/web would become the repository "M\/web"/],
    ['--platform arm64', /"arm64" is no platform/],
    ['--namespace nobody', /no rows of the namespace "nobody"/],
    ['--tags-file /nowhere.csv', /can't read \/nowhere\.csv: there is none: run crawl first/],
    ['--jbos 3', /unknown option --jbos: did you mean --jobs\?/],
  ] as const) {
    it(`${words} is refused before any request`, async () => {
      const { code, stdout, stderr } = await sync(words.split(' '));

      deepEqual([code, stdout], [1, '']);
      match(stderr, message);
      equal(source.requests.length + target.requests.length, 0);
    });
  }
});

describe('signatures and SBOMs', () => {
  beforeEach(() => {
    putImage(store, 'acme/web', cosignTag(WEB.root.digest), SIGNATURE);
    putImage(store, 'acme/web', undefined, SBOM);
  });
  const held = (digest: string): boolean =>
    target.store.repositories.get('acme/web')?.manifests.has(digest) ?? false;
  const rows = CSV.slice(0, 1);

  it('travel with an image that is copied', async () => {
    const { code, stderr } = await sync([], rows);

    equal(code, 0, stderr);
    deepEqual([held(SIGNATURE.root.digest), held(SBOM.root.digest)], [true, true]);
    equal(there()[`acme/web:${cosignTag(WEB.root.digest)}`], SIGNATURE.root.digest);
  });

  it('stay behind with --referrers=none', async () => {
    equal((await sync(['--referrers=none'], rows)).code, 0);

    deepEqual([held(SIGNATURE.root.digest), held(SBOM.root.digest)], [false, false]);
  });

  it('follow an image that is there already only with --referrers=recheck', async () => {
    await sync(['--referrers=none'], rows);

    match((await sync([], rows)).stdout, /1 unchanged/);
    deepEqual([held(SIGNATURE.root.digest), held(SBOM.root.digest)], [false, false]);
    equal((await sync(['--referrers=recheck'], rows)).code, 0);
    deepEqual([held(SIGNATURE.root.digest), held(SBOM.root.digest)], [true, true]);
  });
});

/** Syncs to the registry that wants a password. */
async function syncClosed(words: readonly string[], env: Record<string, string> = {}) {
  await writeFile(join(dir.path, 'tags.csv'), [HEADER, ...CSV, ''].join('\r\n'));
  const where = ['--source-registry', source.host, '--target-registry', closed.host];
  const more = ['--workdir', dir.path, '--retry-times', '0', ...words];
  return runCli(['sync', ...where, ...more], { env });
}

describe('access to the target', () => {
  beforeEach(() => {
    closed.store.repositories.clear();
    closed.resetRequests();
  });

  it('is given by TARGET_USERNAME and TARGET_PASSWORD_FILE', async () => {
    await writeFile(join(dir.path, 'secret'), `${PASSWORD}\n`);

    const { code, stderr } = await syncClosed([], {
      TARGET_USERNAME: 'bot',
      TARGET_PASSWORD_FILE: join(dir.path, 'secret'),
    });

    equal(code, 0, stderr);
    deepEqual(there(closed), snapshot(store));
  });

  it('is given by --dest-creds', async () => {
    equal((await syncClosed(['--dest-creds', `bot:${PASSWORD}`])).code, 0);
  });

  it('is given by --dest-authfile', async () => {
    const auth = Buffer.from(`bot:${PASSWORD}`).toString('base64');
    const path = join(dir.path, 'auth.json');
    await writeFile(path, JSON.stringify({ auths: { [closed.host]: { auth } } }));

    equal((await syncClosed(['--dest-authfile', path])).code, 0);
  });
});

describe('credentials', () => {
  it('that are denied end the run with 1, and show the password nowhere', async () => {
    const wrong = 'Tr0ub4dor&3 "quoted"';
    const summary = join(dir.path, 'summary.json');
    const words = ['--debug', '--summary', summary];

    const { code, stdout, stderr } = await syncClosed(words, {
      TARGET_USERNAME: 'bot',
      TARGET_PASSWORD: wrong,
    });

    equal(code, 1);
    match(stdout, /5 failed/);
    match(stderr, /TARGET_USERNAME and TARGET_PASSWORD.* credentials are missing or refused/);
    const all = [stdout, stderr, await file('results.csv'), await file('summary.json')].join('\n');
    for (const form of [wrong, encodeURIComponent(wrong), JSON.stringify(wrong).slice(1, -1)]) {
      ok(!all.includes(form), form);
    }
    ok(!all.includes(Buffer.from(`bot:${wrong}`).toString('base64')));
    doesNotMatch(stderr, /\n +at /);
  });

  it('are hidden where a registry sends them back', async () => {
    const wrong = 'hunter2-hunter2';
    const body = JSON.stringify({ errors: [{ code: 'DENIED', message: `no user with ${wrong}` }] });
    source.setFaults([
      { match: { path: /_catalog/ }, times: Infinity, effect: { status: 403, body } },
    ]);
    const words = ['crawl', '--registry', source.host, '--workdir', dir.path, '--retry-times', '0'];

    const { code, stderr } = await runCli(words, {
      env: { SOURCE_USERNAME: 'bot', SOURCE_PASSWORD: wrong },
    });

    equal(code, 1);
    match(stderr, /no user with \*\*\*/);
    doesNotMatch(stderr, /hunter2/);
  });

  for (const [shown, words, env, message] of [
    ['a user', [], { TARGET_USERNAME: 'bot' }, /TARGET_USERNAME is set but TARGET_PASSWORD is not/],
    ['--dest-creds', ['--dest-creds', 'bot'], {}, /creds has no password: write user:password/],
    [
      'a file',
      [],
      { TARGET_USERNAME: 'b', TARGET_PASSWORD_FILE: '/none' },
      /can't read \/none, which/,
    ],
  ] as const) {
    it(`are not to be had by ${shown} alone, which is said before anything is done`, async () => {
      const { code, stdout, stderr } = await syncClosed([...words], env);

      deepEqual([code, stdout], [1, '']);
      match(stderr, message);
      doesNotMatch(stderr, /image failed/);
    });
  }
});

/** Sends the signal when blobs are under way. */
async function signalledSync(
  ms: number,
  words: readonly string[],
  signals: readonly NodeJS.Signals[],
): Promise<CliResult & { readonly afterMs: number }> {
  const { child, result } = await startSlow(ms, words);
  while (!source.requests.some(({ path }) => path.includes('/blobs/'))) {
    await new Promise((wake) => setTimeout(wake, 5));
  }
  const start = performance.now();
  for (const signal of signals) {
    child.kill(signal);
    await new Promise((wake) => setTimeout(wake, 50));
  }
  return { ...(await result), afterMs: performance.now() - start };
}

/** Five rows of an image each, whose blobs take as long as `ms`. */
async function startSlow(ms: number, words: readonly string[]) {
  const slow = ['a', 'b', 'c', 'd', 'e'].map((name) => {
    const built = image({ seed: `slow ${name}` });
    putImage(store, `slow/${name}`, '1', built);
    return `slow,${name},1,,,${built.root.digest}`;
  });
  await writeFile(join(dir.path, 'tags.csv'), [HEADER, ...slow, ''].join('\r\n'));
  const effect = { delayMs: ms };
  source.setFaults([{ match: { path: /\/blobs\// }, times: Infinity, effect }]);
  return startCli(args(['--jobs', '2', ...words]), { timeoutMs: 30_000 });
}

describe('a sync that is told to stop', () => {
  it('finishes what runs within the grace period, starts no more, and reports', async () => {
    const summary = join(dir.path, 'summary.json');

    const { code, stdout } = await signalledSync(600, ['--summary', summary], ['SIGTERM']);

    equal(code, 143);
    match(stdout, /^5 rows: 2 copied, 0 unchanged, 0 failed, 3 not started;/);
    equal((await results()).length, 2);
    equal((JSON.parse(await file('summary.json')) as { notStarted: number }).notStarted, 3);
    equal(Object.keys(there()).length, 2);
  });

  it('gives up what runs when the grace period is over', async () => {
    const { code, stdout, stderr, afterMs } = await signalledSync(
      15_000,
      ['--grace-period', '1'],
      ['SIGTERM'],
    );

    equal(code, 143);
    match(stdout, /^5 rows: 0 copied, 0 unchanged, 2 failed, 3 not started;/);
    match(stderr, /code=CANCELLED error="[^"]*stopped by SIGTERM"/);
    ok(afterMs >= 950 && afterMs < 6000, `${afterMs} ms`);
    deepEqual(there(), {});
  });

  it('gives up at once at the second signal', async () => {
    const { code, stdout, afterMs } = await signalledSync(15_000, [], ['SIGTERM', 'SIGTERM']);

    equal(code, 143);
    match(stdout, /2 failed, 3 not started/);
    ok(afterMs < 5000, `${afterMs} ms`);
  });

  it('exits with 130 after SIGINT, and at once without a grace period', async () => {
    const { code, afterMs } = await signalledSync(15_000, ['--grace-period', '0'], ['SIGINT']);

    equal(code, 130);
    ok(afterMs < 5000, `${afterMs} ms`);
  });

  it('is completed by the next run', async () => {
    await signalledSync(15_000, ['--grace-period', '0'], ['SIGTERM']);
    source.setFaults([]);

    const { code, stdout } = await runCli(args());

    equal(code, 0);
    match(stdout, /^5 rows: 5 copied/);
  });
});

describe('what sync says', () => {
  it('is JSON with --log-format json, also when rows fail', async () => {
    const gone = `acme,gone,9,,,sha256:${'0'.repeat(64)}`;

    const { stderr } = await sync(['--log-format', 'json', '--debug'], [...CSV, gone]);

    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    deepEqual(lines.filter(({ msg }) => msg === 'image copied').length, 5);
    deepEqual(
      lines.filter(({ level }) => level === 'error').map(({ msg, code }) => [msg, code]),
      [['image failed', 'NOT_FOUND']],
    );
  });

  it('is nothing but the last line with --quiet', async () => {
    const { stdout, stderr } = await sync(['--quiet']);

    equal(stderr, '');
    equal(stdout.split('\n').length, 2);
  });

  it('names a workdir without tags.csv, and one that can not be written', async () => {
    const missing = await runCli(args(['--workdir', join(dir.path, 'missing')]));
    equal(missing.code, 1);
    match(missing.stderr, /can't read \S+missing\/tags\.csv: there is none: run crawl first/);

    await mkdir(join(dir.path, 'results.csv'));
    const taken = await sync();
    equal(taken.code, 1);
    match(taken.stderr, /can't write \S+results\.csv: it is a directory/);
    equal(target.requests.length, 0);
  });
});
