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

describe('report --merge', () => {
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

async function pipelineAgain(workdir: string): Promise<void> {
  const ends = ['--source-registry', source.host, '--target-registry', target.host];
  for (const command of ['sync', 'verify']) {
    const { code, stderr } = await runCli([command, ...ends, '--workdir', workdir, '--quiet']);
    equal(code, 0, stderr);
  }
}
