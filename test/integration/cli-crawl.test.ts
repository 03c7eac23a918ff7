/** `crawl` as people run it: the built program, against an emulated registry. */
import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { runCli, startCli, type CliOptions, type CliResult } from '../support/cli.ts';
import { image, index } from '../support/images.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../support/registry/registry.ts';
import {
  createStore,
  putBlob,
  putImage,
  repositoryOf,
  type Store,
} from '../support/registry/store.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const VERSIONS = ['1.0.0', 'v1.1.0', '1.10.0', '2.0.0-rc.1', '2.0.0', 'latest'];
const DOWN = { status: 500 };

const STORE = seeded();
let registry: Registry;
let dir: TempDir;

function seeded(): Store {
  const store = createStore();
  for (const tag of VERSIONS) putImage(store, 'acme/web', tag, image({ seed: tag }));
  putImage(store, 'acme/team/api', 'main', index([{ image: image() }]));
  putImage(store, 'other/tool', '1', image());
  putImage(store, 'redis', '7', image());
  repositoryOf(store, 'acme/empty');
  return store;
}

before(async () => {
  registry = await startRegistry({ store: STORE });
});
after(() => registry.close());

beforeEach(async () => {
  await dir?.[Symbol.asyncDispose]();
  dir = await tempDir();
  registry.setFaults([]);
  registry.resetRequests();
});
after(() => dir[Symbol.asyncDispose]());

/** Crawls into `dir`; nothing is repeated. */
function crawl(words: readonly string[] = [], options: CliOptions = {}): Promise<CliResult> {
  const { host } = registry;
  const args = ['crawl', '--registry', host, '--workdir', dir.path, '--retry-times', '0', ...words];
  return runCli(args, options);
}

async function crawlOf(options: RegistryOptions, ...words: string[]): Promise<CliResult> {
  const other = await startRegistry({ store: STORE, ...options });
  try {
    const where = ['--registry', other.host, '--workdir', dir.path, '--retry-times', '0'];
    return await runCli(['crawl', ...where, ...words]);
  } finally {
    await other.close();
  }
}

const file = (name: string): Promise<string> => readFile(join(dir.path, name), 'utf8');

/** `namespace/repository:tag` of each row of tags.csv. */
async function tags(): Promise<string[]> {
  const rows = (await file('tags.csv')).split('\r\n').slice(1, -1);
  return rows.map((row) => row.replace(/^([^,]*),([^,]*),([^,]*),.*$/, '$1/$2:$3'));
}

/** CSVs of an earlier crawl. */
async function putOldFiles(): Promise<void> {
  await writeFile(join(dir.path, 'repositories.csv'), 'old repositories');
  await writeFile(join(dir.path, 'tags.csv'), 'old tags');
}

/** The record says why there are no others. */
async function assertOldFiles(): Promise<void> {
  deepEqual((await readdir(dir.path)).toSorted(), ['crawl.json', 'repositories.csv', 'tags.csv']);
  equal((JSON.parse(await file('crawl.json')) as { state: string }).state, 'failed');
  deepEqual(
    [await file('repositories.csv'), await file('tags.csv')],
    ['old repositories', 'old tags'],
  );
}

describe('crawl', () => {
  it('writes both files, byte for byte as the tool it replaces', async () => {
    const { code, stdout, stderr } = await crawl();

    equal(code, 0, stderr);
    equal(stdout, '');
    equal(
      await file('repositories.csv'),
      'namespace,name\r\nacme,empty\r\nacme,team/api\r\nacme,web\r\nother,tool\r\n,redis\r\n',
    );
    const rows = (await file('tags.csv')).split('\r\n');
    equal(rows[0], 'namespace,repo_name,name,created_on,last_updated_on,digest');
    equal(rows[1], `acme,team/api,main,,,${index([{ image: image() }]).root.digest}`);
    equal(rows.at(-2), `,redis,7,,,${image().root.digest}`);
    deepEqual((await readdir(dir.path)).toSorted(), ['crawl.json', 'repositories.csv', 'tags.csv']);
    match(stderr, /crawl is complete repositories=5 tags=9 /);
  });

  it('runs the command line of the documentation, with a host for the name', async () => {
    const words = ['crawl', '--registry-name', registry.host, '--namespace', 'acme'];

    const { code, stderr } = await runCli(words, { cwd: dir.path });

    equal(code, 0, stderr);
    deepEqual(await tags(), [
      'acme/team/api:main',
      ...VERSIONS.toSorted().map((tag) => `acme/web:${tag}`),
    ]);
  });

  it('takes its options from the environment', async () => {
    const env = {
      REGISTRY_SYNC_REGISTRY: registry.host,
      REGISTRY_SYNC_WORKDIR: dir.path,
      REGISTRY_SYNC_NAMESPACE: 'other',
      REGISTRY_SYNC_QUIET: '1',
      REGISTRY_SYNC_PORT: 'tcp://10.0.0.1:443',
    };

    const { code, stderr } = await runCli(['crawl'], { env });

    deepEqual([code, stderr, await tags()], [0, '', ['other/tool:1']]);
  });

  it('makes a workdir that is not there', async () => {
    const { code } = await crawl(['--workdir', join(dir.path, 'new/deep')]);

    equal(code, 0);
    deepEqual((await readdir(join(dir.path, 'new/deep'))).toSorted(), [
      'crawl.json',
      'repositories.csv',
      'tags.csv',
    ]);
  });

  it('writes a JSON log, a line per fact', async () => {
    const { stderr } = await crawl(['--log-format', 'json', '--debug']);

    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { msg: string });
    equal(lines.at(-1)?.msg, 'crawl is complete');
    ok(lines.length > 10);
  });
});

/** Words, the tags that are written. */
const CHOSEN: [string, string[]][] = [
  ['--namespace acme --repository web --latest 2', ['acme/web:2.0.0', 'acme/web:2.0.0-rc.1']],
  [
    '--namespace acme --repository web --semver >=1.1',
    ['acme/web:1.10.0', 'acme/web:2.0.0', 'acme/web:v1.1.0'],
  ],
  ['--namespace acme --semver ^1 --latest 1', ['acme/web:1.10.0']],
  ['--repository-regex t --tag-regex (?i)MAIN|1$', ['acme/team/api:main', 'other/tool:1']],
  ['--repository redis', ['/redis:7']],
  ['--namespace acme --exclude-tag-regex .*[0-9]|main', ['acme/web:latest']],
];

describe('crawl chooses', () => {
  for (const [words, expected] of CHOSEN) {
    it(words, async () => {
      const { code, stderr } = await crawl(words.split(' '));

      equal(code, 0, stderr);
      deepEqual(await tags(), expected);
    });
  }

  it('from a list, without the catalog', async () => {
    const list = join(dir.path, 'list.txt');
    await writeFile(list, '\uFEFF# mine\r\nredis\r\n\r\nacme/team/api\r\n');

    const { code } = await crawl(['--repositories-from', list]);

    equal(code, 0);
    deepEqual(await tags(), ['/redis:7', 'acme/team/api:main']);
    ok(!registry.requests.some(({ path }) => path.includes('_catalog')));
  });

  it('and explains, a line per tag', async () => {
    const words = ['--namespace', 'acme', '--repository', 'web', '--semver', '>=2', '--explain'];

    const { stdout } = await crawl(words);

    deepEqual(stdout.trimEnd().split('\n').toSorted(), [
      'drop  acme/web:1.0.0  is not in the range >=2',
      'drop  acme/web:1.10.0  is not in the range >=2',
      'drop  acme/web:2.0.0-rc.1  is not in the range >=2',
      'drop  acme/web:latest  is no semantic version',
      'drop  acme/web:v1.1.0  is not in the range >=2',
      'keep  acme/web:2.0.0',
    ]);
  });
});

describe('a crawl that is not whole', () => {
  it('leaves the files as they were, exits with 1, and names what failed', async () => {
    await putOldFiles();
    registry.setFaults([{ match: { path: /api\/tags/ }, times: Infinity, effect: DOWN }]);

    const { code, stderr } = await crawl();

    equal(code, 1);
    await assertOldFiles();
    match(stderr, /1 repositories could not be read, so nothing was written \(see --allow-partial/);
    match(stderr, /acme\/team\/api: .*\(500\)/);
  });

  it('writes what there is with --allow-partial, and exits with 3', async () => {
    await putOldFiles();
    registry.setFaults([{ match: { path: /api\/tags/ }, times: Infinity, effect: DOWN }]);

    const { code, stderr } = await crawl(['--allow-partial']);

    equal(code, 3);
    equal((await tags()).length, 8);
    match(await file('repositories.csv'), /acme,team\/api\r\n/);
    match(stderr, /crawl is partial .*failed=1/);
  });

  it('leaves out private repositories when told to', async () => {
    registry.setFaults([
      { match: { path: /api\/tags/ }, times: Infinity, effect: { status: 403 } },
    ]);

    const { code, stderr } = await crawl(['--skip-private']);

    equal(code, 0, stderr);
    match(stderr, /repository is skipped repository=acme\/team\/api/);
    doesNotMatch(await file('repositories.csv'), /team/);
  });

  it('passes over what a push that was given up has left in the catalog', async () => {
    const effect = {
      status: 404,
      body: '{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}',
    };
    registry.setFaults([{ match: { path: /empty\/tags/ }, effect }]);
    putBlob(STORE, 'acme/empty', { digest: `sha256:${'0'.repeat(64)}`, bytes: Buffer.from('x') });

    const { code, stderr } = await crawl();

    equal(code, 0, stderr);
    equal((await tags()).length, 9);
  });
});

describe('a crawl that finds nothing', () => {
  it('refuses to find no repositories', async () => {
    await putOldFiles();

    const { code, stderr } = await crawl(['--namespace', 'nobody']);

    equal(code, 1);
    match(stderr, /no repository of the catalog of 127.* is wanted: check --namespace/);
    await assertOldFiles();
  });

  for (const catalog of ['denied', 'forbidden', 'missing'] as const) {
    it(`names the ways out when the catalog is ${catalog}`, async () => {
      await putOldFiles();

      const { code, stderr } = await crawlOf({ catalog });

      equal(code, 1);
      match(
        stderr,
        /catalog of 127\.0\.0\.1:\d+: .* --repositories-from FILE or --repository NAME/,
      );
      await assertOldFiles();
    });
  }

  it('says that a registry is not there', async () => {
    const words = [
      'crawl',
      '--registry',
      '127.0.0.1:1',
      '--workdir',
      dir.path,
      '--retry-times',
      '0',
    ];

    const { code, stderr } = await runCli(words);

    equal(code, 1);
    match(stderr, /127\.0\.0\.1:1.*connection refused/);
    doesNotMatch(stderr, /\n +at /);
  });
});

describe('a crawl that is stopped', () => {
  it('leaves the old files when it is killed in the middle', async () => {
    await putOldFiles();
    registry.setFaults([{ match: { path: /other\/tool\/tags/ }, effect: { stall: true } }]);

    const words = ['crawl', '--registry', registry.host, '--workdir', dir.path];
    const { child, result } = await startCli(words);
    while (!registry.requests.some(({ path }) => path.includes('other/tool'))) {
      await new Promise((wake) => setTimeout(wake, 10));
    }
    child.kill('SIGKILL');

    equal((await result).signal, 'SIGKILL');
    deepEqual(
      [await file('repositories.csv'), await file('tags.csv')],
      ['old repositories', 'old tags'],
    );
  });

  for (const [signal, exit] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    it(`ends at once on ${signal}, and leaves no trace`, async () => {
      await putOldFiles();
      registry.setFaults([{ match: { path: /other\/tool\/tags/ }, effect: { stall: true } }]);

      const { code, stderr } = await crawl(['--debug'], {
        signalAfter: { signal, stderr: /redis/ },
        timeoutMs: 10_000,
      });

      equal(code, exit);
      match(stderr, new RegExp(`stopped by ${signal}`));
      await assertOldFiles();
    });
  }
});

describe('a workdir that can not be written', () => {
  it('is named, with the reason, before the registry is asked', async () => {
    await writeFile(join(dir.path, 'file'), '');
    await mkdir(join(dir.path, 'taken/tags.csv'), { recursive: true });

    for (const [workdir, reason] of [
      [
        join(dir.path, 'file'),
        /can't write \S+repositories\.csv: a part of the path is no directory/,
      ],
      ['/sys/kernel', /can't write \/sys\/kernel\/repositories\.csv: /],
    ] as const) {
      const { code, stderr } = await crawl(['--workdir', workdir]);
      deepEqual([code, registry.requests.length], [1, 0]);
      match(stderr, reason);
    }
    const { code, stderr } = await crawl(['--workdir', join(dir.path, 'taken')]);
    equal(code, 1);
    match(stderr, /tags\.csv: it is a directory/);
  });
});

describe('a reader that goes away', () => {
  it('does not stop the crawl', async () => {
    const main = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
    const words = `crawl --explain --registry ${registry.host} --workdir ${dir.path}`;
    const shell = spawn('bash', ['-c', `set -o pipefail; node ${main} ${words} | true`]);
    const stderr: Buffer[] = [];
    shell.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));

    const [code] = (await once(shell, 'close')) as [number];

    equal(code, 0, Buffer.concat(stderr).toString());
    equal((await tags()).length, 9);
  });
});
