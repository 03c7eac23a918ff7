/** prune where somebody forgot or mistook an option, or edited a file: every doubt keeps. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';

import { image } from '../support/images.ts';
import { runHere, type InProcessResult } from '../support/in-process.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../support/registry/registry.ts';
import { putImage, repositoryOf } from '../support/registry/store.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const APP = 'team/app';
const OLD = image({ seed: 'old' });
const KEPT = image({ seed: 'kept 1' });

let source: Registry;
let target: Registry;
let dir: TempDir;

beforeEach(async () => {
  dir = await tempDir();
  source = await startRegistry();
  target = await startRegistry();
});
afterEach(async () => {
  await Promise.all([source.close(), target.close()]);
  await dir[Symbol.asyncDispose]();
});

async function restart(options: RegistryOptions): Promise<void> {
  await target.close();
  target = await startRegistry({ store: target.store, ...options });
}

const file = (name: string): string => join(dir.path, name);
const PLAN = (): string => file('prune.csv');
const deletions = (): string[] =>
  target.requests.filter(({ method }) => method === 'DELETE').map(({ path }) => path);
const tagsLeft = (path = APP): string[] =>
  [...repositoryOf(target.store, path).tags.keys()].filter((tag) => !tag.startsWith('v'));

function prune(...words: string[]): Promise<InProcessResult> {
  const ends = ['--target-registry', target.host, '--workdir', dir.path, '--quiet'];
  return runHere(['prune', ...ends, ...words]);
}

async function crawl(...words: string[]): Promise<void> {
  const ends = ['--registry', source.host, '--workdir', dir.path, '--quiet'];
  const { code, stderr } = await runHere(['crawl', ...ends, ...words]);
  equal(code, 0, stderr);
}

/** Tags v0 … on both sides, and `extra` at the target only; crawled. */
async function seed(extra: Readonly<Record<string, typeof OLD>> = { gone: OLD }): Promise<void> {
  for (let n = 0; n < 20; n += 1) {
    const one = image({ seed: `kept ${n}` });
    for (const { store } of [source, target]) putImage(store, APP, `v${n}`, one);
  }
  for (const [tag, one] of Object.entries(extra)) putImage(target.store, APP, tag, one);
  await crawl();
}

async function planned(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await prune('--plan', PLAN(), ...words);
  equal(code, 0, stderr);
  return stdout;
}

/** Nothing is deleted by the plan, and why is said. */
async function refuses(pattern: RegExp, ...words: string[]): Promise<void> {
  const { code, stderr } = await prune('--apply', PLAN(), ...words);
  equal(code, 1, stderr);
  match(stderr, pattern);
  deepEqual(deletions(), []);
}

async function recordSays(changes: object): Promise<void> {
  const record = JSON.parse(await readFile(file('crawl.json'), 'utf8')) as object;
  await writeFile(file('crawl.json'), JSON.stringify({ ...record, ...changes }));
}

/** The tag of the plan is back at the source. */
async function comesBack(): Promise<void> {
  putImage(source.store, APP, 'gone', OLD);
  await crawl();
}

describe('prune --apply without the tags.csv of the plan', () => {
  it('deletes nothing, as a tag that is back would go: --workdir was forgotten', async () => {
    await seed();
    await planned();
    await comesBack();

    await refuses(
      /can't read \S+other\/tags\.csv: there is none: nothing is deleted.*--workdir or --tags-file.*--trust-plan/,
      '--workdir',
      file('other'),
    );

    const { code, stdout } = await prune('--apply', PLAN());
    equal(code, 3);
    match(stdout, /1 row: 0 deleted, 1 skipped/);
    deepEqual(tagsLeft(), ['gone']);
  });

  it('does without it when the plan is trusted', async () => {
    await seed();
    await planned();

    const { code, stdout, stderr } = await prune(
      '--apply',
      PLAN(),
      '--workdir',
      file('other'),
      '--trust-plan',
    );

    equal(code, 0, stderr);
    match(stdout, /1 row: 1 deleted/);
  });

  it('leaves repositories that the list at hand has nothing of', async () => {
    await seed();
    await planned();
    putImage(source.store, 'team/web', '1', OLD);
    await crawl('--repository', 'web', '--namespace', 'team');

    const { code, stderr } = await prune('--apply', PLAN());

    equal(code, 3);
    match(stderr, /tags\.csv has nothing of this repository/);
    deepEqual(deletions(), []);
  });

  it('takes a list of another registry for none', async () => {
    await seed();
    await planned();
    await recordSays({ source: 'other.example' });

    await refuses(/tags\.csv is not the one that .* is of other\.example, not of 127/);
  });
});

describe('prune --apply after another crawl', () => {
  it('that was partial deletes nothing, as it may lack what is back', async () => {
    await seed();
    await planned();
    putImage(source.store, APP, 'v99', OLD);
    await crawl();
    await recordSays({ state: 'partial' });

    await refuses(
      /is not the one that the plan was made by, and \S+ says that the last crawl was partial/,
    );
  });

  it('that failed goes on, as the list of the plan is still there', async () => {
    await seed();
    await planned();
    await recordSays({ state: 'failed' });

    const { code, stderr } = await prune('--apply', PLAN());

    equal(code, 0, stderr);
    deepEqual(tagsLeft(), []);
  });

  it('deletes in namespaces that the plan looked at as a whole', async () => {
    await seed({});
    putImage(target.store, 'team/deleted', '1', OLD);
    await planned('--scope', 'namespace', '--allow-empty-repositories');
    putImage(source.store, APP, 'v99', OLD);
    await crawl();

    const { code, stderr } = await prune('--apply', PLAN());

    equal(code, 0, stderr);
    deepEqual(tagsLeft('team/deleted'), []);
  });
});

describe('prune --apply obeys or refuses', () => {
  it('--protect: what matches stays, and its image', async () => {
    await seed({ gone: OLD, 'x.1': OLD, other: image({ seed: 'other' }) });
    await planned('--max-percent', '20');

    const { code, stderr } = await prune('--apply', PLAN(), '--protect', String.raw`x\.`);

    equal(code, 3, stderr);
    deepEqual(tagsLeft(), ['x.1']);
    ok(repositoryOf(target.store, APP).manifests.has(OLD.root.digest));
    match(await readFile(file('prune-results.csv'), 'utf8'), /,x\.1,\S+,skipped,is protected\r\n/);
  });

  for (const words of [
    ['--keep-newest', '5'],
    ['--min-age', '5'],
    ['--scope', 'namespace'],
    ['--max-crawl-age', '48h'],
    ['--trust-tags-file'],
  ]) {
    it(`${words.join(' ')}, which is too late`, async () => {
      await seed();
      await planned();

      await refuses(new RegExp(`${words[0]} is for --plan: what goes is said by \\S+`), ...words);
    });
  }

  it('another --shard than was planned', async () => {
    await seed();
    await planned();

    await refuses(/--shard 0\/4: \S+ was planned without --shard/, '--shard', '0/4');
  });

  it('what is for --apply, where there is only a plan', async () => {
    await seed();
    for (const words of [['--max-plan-age', '1h'], ['--trust-plan'], ['--dry-run']]) {
      const { code, stderr } = await prune('--plan', PLAN(), ...words);

      equal(code, 1);
      match(stderr, new RegExp(`${words[0]} is for --apply: a plan deletes nothing`));
    }
  });
});

describe('prune --protect', () => {
  it('takes a comma for a part of the regular expression', async () => {
    await seed({ r1: OLD, r1234: image({ seed: 'other' }) });

    await planned('--protect', String.raw`r\d{1,3}$`);

    const text = await readFile(PLAN(), 'utf8');
    match(text, /# stays: team\/app:r1 is protected\r\n/);
    match(text, /# planned: 1 of 22 tags\r\n/);
  });
});

describe('prune of tags alone', () => {
  it('says in the plan, and in a dry run, that not every registry can do that', async () => {
    await seed({ gone: OLD, same: KEPT });
    await restart({ tagDeletion: 'refused' });

    const plan = await planned();
    const dry = await prune('--apply', PLAN(), '--dry-run');
    const { code, stdout } = await prune('--apply', PLAN());

    match(
      plan,
      /^2 of 22 tags would go \(of 1 the tag alone, which stays where the registry can't do that\) in 1 repository; 0 others stay;/,
    );
    equal(dry.code, 0, dry.stderr);
    match(
      dry.stdout,
      /^2 rows: 1 would be deleted, 1 would lose the tag alone, if the registry can do that, 0 failed/,
    );
    equal(code, 0);
    match(stdout, /^2 rows: 1 deleted, 1 kept, as something else needs their images, 0 failed/);
  });

  it('leaves the image where one of its rows was changed to untag by hand', async () => {
    await seed({ gone: OLD, too: OLD });
    await planned();
    const text = await readFile(PLAN(), 'utf8');
    await writeFile(PLAN(), text.replace(/(,too,.*),delete,/, '$1,untag,'));

    const { code, stderr } = await prune('--apply', PLAN());

    equal(code, 0, stderr);
    deepEqual(tagsLeft(), []);
    ok(repositoryOf(target.store, APP).manifests.has(OLD.root.digest));
  });
});

describe('prune with the command line of sync', () => {
  it('takes what says nothing about tags, and lists none of it in its help', async () => {
    await seed();
    const copied = [
      ['--source-registry', source.host, '--grace-period', '45', '--src-username', 'me'],
      ['--src-password', 'x', '--src-tls-verify=false', '--platform', 'linux/amd64'],
      ['--referrers', 'none', '--bandwidth-limit', '10MB', '--follow-moved'],
      ['--command-timeout', '5m', '--azure-credential', 'none'],
    ].flat();

    const { code, stderr } = await prune('--plan', PLAN(), '--apply', PLAN(), ...copied);

    equal(code, 0, stderr);
    deepEqual(tagsLeft(), []);
    const { stdout } = await runHere(['prune', '--help']);
    ok(!/--src-|--referrers|--follow-moved/.test(stdout));
    match(stdout, /--source-registry +registry that rows are of/);
  });

  it('refuses what would be believed to do something', async () => {
    for (const option of ['--repair', '--fail-fast', '--summary=s.json']) {
      const { code, stderr } = await prune('--plan', PLAN(), option);

      equal(code, 1);
      match(stderr, /unknown option --/);
    }
  });
});

describe('ages', () => {
  it('are taken in days and, of crawl and plan, in hours', async () => {
    await seed({ gone: image({ seed: 'old', config: { created: '2020-01-01T00:00:00Z' } }) });

    await planned('--min-age', '5d', '--max-crawl-age', '2d');
    match(await readFile(PLAN(), 'utf8'), /,delete,"is not in tags\.csv, is 5 days old or older"/);
    for (const [option, text, what] of [
      ['--min-age', '36h', 'is no number of days: write for example 30 or 30d'],
      ['--max-crawl-age', '36', 'is no age: write for example 36h or 3d'],
    ] as const) {
      const { code, stderr } = await prune('--plan', PLAN(), option, text);

      equal(code, 1);
      ok(stderr.includes(`${option}: "${text}" ${what}`), stderr);
    }
  });

  it('count from the beginning of the crawl, whose first shard may be older than its last', async () => {
    await seed();
    await recordSays({ startedAt: new Date(Date.now() - 25 * 3_600_000).toISOString() });

    const { code, stderr } = await prune('--plan', PLAN());

    equal(code, 1);
    match(stderr, /the last crawl began at \S+, longer ago than --max-crawl-age/);
  });
});

describe('prune --plan by shards that were joined', () => {
  it('refuses a list of which one shard is of another night, and so lacks what came since', async () => {
    for (const path of ['team/app', 'team/b', 'team/c', 'team/d']) {
      for (let n = 0; n < 12; n += 1) {
        for (const { store } of [source, target]) {
          putImage(store, path, `v${n}`, image({ seed: `${path} ${n}` }));
        }
      }
    }
    const joined = ['--target-registry', target.host, '--workdir', file('joined'), '--quiet'];
    for (const n of [0, 1]) {
      const to = ['--workdir', file(`s${n}`), '--shard', `${n}/2`, '--quiet'];
      equal((await runHere(['crawl', '--registry', source.host, ...to])).code, 0);
    }
    const record = JSON.parse(await readFile(file('s0/crawl.json'), 'utf8')) as object;
    const [startedAt, endedAt] = [30, 29].map((hours) =>
      new Date(Date.now() - hours * 3_600_000).toISOString(),
    );
    await writeFile(file('s0/crawl.json'), JSON.stringify({ ...record, startedAt, endedAt }));
    const parts = ['--merge', file('s0'), '--merge', file('s1')];
    await runHere(['report', ...parts, '--workdir', file('joined')]);

    const { code, stderr } = await runHere(['prune', '--plan', PLAN(), ...joined]);

    equal(code, 1);
    match(stderr, /says that the last crawl was partial \(joined from 2 shards/);
    deepEqual(deletions(), []);
  });
});

describe('a workdir without crawl.json', () => {
  for (const words of [['prune', '--plan', 'p.csv'], ['verify']]) {
    it(`is told by ${words[0]}`, async () => {
      await mkdir(file('empty'));

      const ends = ['--target-registry', target.host, '--workdir', file('empty')];
      const { code, stderr } = await runHere([...words, ...ends]);

      equal(code, 1);
      match(
        stderr,
        /is not known, as there is no \S+empty\/crawl\.json: run crawl there, or give --source-registry/,
      );
    });
  }
});

describe('prune --scope namespace', () => {
  it('stays in the directory that rows go to, as others may be beside it', async () => {
    await seed({});
    putImage(target.store, 'mirror/other/precious', '1', OLD);
    for (let n = 0; n < 20; n += 1) {
      putImage(target.store, 'mirror/ours/app', `v${n}`, image({ seed: `kept ${n}` }));
    }

    const where = ['--target-path', 'mirror/ours/{path}'];
    await planned(...where, '--scope', 'namespace', '--allow-empty-repositories');

    match(await readFile(PLAN(), 'utf8'), /# planned: 0 of 20 tags/);
    const given = await prune(
      '--plan',
      PLAN(),
      ...where,
      '--scope',
      'namespace',
      '--target-namespace',
      'x',
    );
    equal(given.code, 1);
    match(given.stderr, /no row goes to x, as --target-path does not put them there/);
  });
});

describe('prune --apply', () => {
  it('says what it did when the disk is full', async () => {
    await seed();
    await planned();
    await symlink('/dev/full', file('prune-results.csv'));

    const { code, stdout, stderr } = await prune('--apply', PLAN());

    equal(code, 1);
    match(stdout, /1 row: 1 deleted, 0 failed/);
    match(stderr, /can't write \S+prune-results\.csv: the disk is full/);
    await rm(file('prune-results.csv'));
  });

  it('says what it did when it gives up', async () => {
    await seed({ gone: OLD });
    await planned();
    target.setFaults([{ match: { method: 'DELETE' }, times: Infinity, effect: { status: 403 } }]);

    const { code, stdout } = await prune('--apply', PLAN());

    equal(code, 1);
    match(stdout, /^1 row: 0 deleted, 1 failed; \d+ requests\n$/);
  });
});
