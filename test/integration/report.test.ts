/** `report` after runs of the built program, and of what their shards leave. */
import { deepEqual, equal, match } from 'node:assert/strict';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { runCli, type CliResult } from '../support/cli.ts';
import { image } from '../support/images.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { putImage } from '../support/registry/store.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const REPOSITORIES = Array.from({ length: 9 }, (_, n) => `acme/app-${n}`);

let source: Registry;
let target: Registry;
let dir: TempDir;

before(async () => {
  [source, target, dir] = await Promise.all([startRegistry(), startRegistry(), tempDir()]);
  for (const path of REPOSITORIES) {
    for (const tag of ['1', '2'])
      putImage(source.store, path, tag, image({ seed: `${path}:${tag}` }));
  }
  for (const index of [0, 1, 2]) await pipeline(shard(index), '--shard', `${index}/3`);
});
after(async () => {
  await Promise.all([source.close(), target.close()]);
  await dir[Symbol.asyncDispose]();
});

const shard = (index: number): string => join(dir.path, `shard-${index}`);
const SHARDS = [0, 1, 2];

/** Crawls, syncs and verifies. */
async function pipeline(workdir: string, ...more: readonly string[]): Promise<void> {
  const common = ['--workdir', workdir, '--quiet', ...more];
  const ends = ['--source-registry', source.host, '--target-registry', target.host];
  for (const words of [
    ['crawl', '--registry', source.host],
    ['sync', ...ends],
    ['verify', ...ends],
  ]) {
    const { code, stderr } = await runCli([...words, ...common]);
    equal(code, 0, stderr);
  }
}

function join3(workdir: string, ...merged: readonly string[]): Promise<CliResult> {
  return runCli(['report', '--workdir', workdir, ...merged.flatMap((one) => ['--merge', one])]);
}

describe('report', () => {
  it('tells as text and as a page what was done, and ends well', async () => {
    const out = join(dir.path, 'report.html');
    const log = join(dir.path, 'termination');

    const { code, stdout, stderr } = await runCli(
      'report --workdir'.split(' ').concat(shard(0), '--out', out, '--termination-log', log),
    );

    equal(code, 0, stderr);
    match(stdout, / {2}crawl {3}complete .*shard 0\/3/);
    match(stdout, / at the target \(\d+ copied, 0 unchanged\)\n {2}0 {2}failed\n/);
    match(stderr, /page written/);
    match(await readFile(out, 'utf8'), /^<!doctype html>/);
    match(await readFile(log, 'utf8'), /^All \d+ tags are at the target\.$/);
  });

  it('ends with 1 where a file is wrong, and leaves the old page', async () => {
    await using own = await tempDir();
    const out = join(own.path, 'report.html');
    await writeFile(out, 'old');
    await writeFile(join(own.path, 'tags.csv'), 'namespace,repo_name,name,digest\nacme,web,a b,\n');

    const { code, stderr } = await runCli(['report', '--workdir', own.path, '--out', out]);

    equal(code, 1);
    match(stderr, /tags\.csv: line 2: "a b" is neither a tag nor/);
    equal(await readFile(out, 'utf8'), 'old');
  });
});

describe('report of damage', () => {
  it('tells it until it is repaired, whatever a sync has said since', async () => {
    await using own = await tempDir();
    const [from, to] = await Promise.all([startRegistry(), startRegistry()]);
    try {
      const web = image({ seed: 'web' });
      putImage(from.store, 'acme/web', '1', web);
      const ends = ['--source-registry', from.host, '--target-registry', to.host];
      const run = async (code: number, ...words: readonly string[]): Promise<string> => {
        const found = await runCli([...words, '--workdir', own.path, '--quiet']);
        equal(found.code, code, found.stderr);
        return found.stdout;
      };
      await run(0, 'crawl', '--registry', from.host);
      await run(0, 'sync', ...ends);
      const layer = web.blobs.at(-1)?.digest ?? '';
      to.store.repositories.get('acme/web')?.blobs.delete(layer);
      await run(3, 'verify', ...ends, '--deep');
      await run(0, 'sync', ...ends);

      match(await run(0, 'report'), / {2}1 {2}damaged \(by verify\.csv\)\n/);

      await run(0, 'sync', ...ends, '--repair');
      const text = await run(0, 'report');
      match(text, / {2}1 {2}at the target \(0 copied, 0 unchanged, 1 repaired\)\n/);
      match(text, /there has been a repair since verify: 1 image repaired, 0 failed/);
    } finally {
      await Promise.all([from.close(), to.close()]);
    }
  });
});

describe('the log of report', () => {
  it('has the id of the run, as the other commands of a pod have', async () => {
    await using own = await tempDir();
    const out = join(own.path, 'report.html');
    const env = { REGISTRY_SYNC_RUN_ID: 'nightly-7' };

    const { code, stderr } = await runCli(
      ['report', '--workdir', shard(0), '--out', out, '--log-format', 'json'],
      { env },
    );

    equal(code, 0, stderr);
    const lines = stderr.trim().split('\n');
    deepEqual(
      lines.map((line) => (JSON.parse(line) as { run?: string }).run),
      ['nightly-7'],
    );
  });
});

describe('report --merge', () => {
  it('needs --workdir: nothing is written where somebody happens to be', async () => {
    const { code, stderr } = await runCli(['report', '--merge', shard(0), '--merge', shard(1)]);

    equal(code, 1);
    match(stderr, /--merge: give --workdir, the directory that gets the joined files/);
  });

  it('leaves a workdir of a run as it is', async () => {
    const own = join(dir.path, 'own');
    await cp(shard(2), own, { recursive: true });
    const tags = await readFile(join(own, 'tags.csv'), 'utf8');

    const { code, stderr } = await join3(own, shard(0), shard(1));

    equal(code, 1);
    match(stderr, /own has a crawl\.json that is of no join/);
    equal(await readFile(join(own, 'tags.csv'), 'utf8'), tags);
  });

  it('joins shards into a workdir that sync and verify go on with', async () => {
    const workdir = join(dir.path, 'joined');

    const { code, stdout, stderr } = await join3(workdir, ...SHARDS.map(shard));

    equal(code, 0, stderr);
    match(stdout, /18 tags in 9 repositories/);
    match(stdout, / {2}sync {4}complete .*source .*target /);
    deepEqual((await readdir(workdir)).toSorted(), (await readdir(shard(0))).toSorted());
    const { requests } = target;
    const writes = (): number =>
      requests.filter(({ method }) => method !== 'HEAD' && method !== 'GET').length;
    const written = writes();
    await pipelineAgain(workdir);
    equal(writes(), written);
  });

  it('ends with 3 where a shard is missing, and says which', async () => {
    const { code, stdout } = await join3(join(dir.path, 'two'), shard(0), shard(2));

    equal(code, 3);
    match(stdout, /^NOT WHOLE: .*\n {2}! missing: shard 1\/3\n/);
    const record = JSON.parse(
      await readFile(join(dir.path, 'two', 'crawl.json'), 'utf8'),
    ) as object;
    match(JSON.stringify(record), /"state":"partial".*missing: shard 1\/3/);
  });

  it('ends with 1 where a shard was given twice', async () => {
    const copy = join(dir.path, 'copy');
    await cp(shard(1), copy, { recursive: true });

    const { code, stderr } = await join3(join(dir.path, 'twice'), shard(1), copy);

    equal(code, 1);
    match(stderr, /shard-1 and .*copy are both shard 1\/3/);
  });
});

describe('sync --report', () => {
  const sync = (workdir: string, ...more: readonly string[]): Promise<CliResult> => {
    const ends = ['--source-registry', source.host, '--target-registry', target.host];
    return runCli(['sync', ...ends, '--workdir', workdir, ...more]);
  };

  async function workdirOf(rows: string): Promise<TempDir> {
    const own = await tempDir();
    await writeFile(join(own.path, 'tags.csv'), `namespace,repo_name,name,digest\n${rows}`);
    return own;
  }

  it('writes the page also where images failed, of what came of this run', async () => {
    await using own = await workdirOf('acme,app-1,1,\nacme,absent,1,\n');
    const out = join(own.path, 'report.html');

    const { code, stderr } = await sync(own.path, '--report', out, '--report-previous', dir.path);

    equal(code, 3, stderr);
    const page = await readFile(out, 'utf8');
    match(page, /1 of 2 tags are at the target; 1 failed\./);
    match(page, /acme\/absent/);
    match(page, /Since the previous run/);
    match(page, /<dt>state<\/dt>\s*<dd>partial<\/dd>/);
  });

  it('writes it where nothing could be done at all', async () => {
    await using own = await workdirOf('acme,a,1,\n');
    const out = join(own.path, 'report.html');

    const { code, stderr } = await sync(own.path, '--report', out, '--namespace', 'nobody');

    equal(code, 1, stderr);
    match(await readFile(out, 'utf8'), /no rows of the namespace/);
  });

  it('is a warning where it can not be written, and the exit code is that of the sync', async () => {
    await using own = await workdirOf('acme,app-1,1,\n');

    const { code, stderr } = await sync(own.path, '--report', '/dev/null/report.html');

    equal(code, 0, stderr);
    match(stderr, /WARN.*the page of this run could not be written/);
  });

  it('is for rows of tags.csv, and its previous run for it', async () => {
    const words = ['sync', '--src', 'docker', '--dest', 'dir', 'a.test/b:1', '/nonexistent'];
    const refused = await runCli([...words, '--report', 'report.html']);
    const alone = await sync(dir.path, '--report-previous', dir.path);

    deepEqual([refused.code, alone.code], [1, 1]);
    match(refused.stderr, /--report is for rows of tags\.csv/);
    match(alone.stderr, /--report-previous is for --report FILE/);
  });
});

async function pipelineAgain(workdir: string): Promise<void> {
  const ends = ['--source-registry', source.host, '--target-registry', target.host];
  for (const command of ['sync', 'verify']) {
    const { code, stderr } = await runCli([command, ...ends, '--workdir', workdir, '--quiet']);
    equal(code, 0, stderr);
  }
}
