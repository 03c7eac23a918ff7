/** prune at Debian's docker-registry, which deletes by digest only: what is shared must survive. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';

import { runCli, startCli, type CliResult } from '../support/cli.ts';
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts';
import { artifact, cosignSignature, cosignTag, image, index } from '../support/images.ts';
import { push } from '../support/push.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { putImage, repositoryOf } from '../support/registry/store.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const APP = 'team/app';
const AMD = { os: 'linux', architecture: 'amd64' };
const ARM = { os: 'linux', architecture: 'arm64' };
const PART = image({ seed: 'a part', platform: AMD });
const MULTI = index([
  { image: PART, platform: AMD },
  { image: image({ seed: 'another', platform: ARM }), platform: ARM },
]);
const OLD = image({ seed: 'old' });
const SAME = image({ seed: 'the same under two names' });

let source: Registry;
let target: DockerRegistry;
let dir: TempDir;

before(async () => {
  target = await startDockerRegistry({ deleteEnabled: true });
});
after(() => target.stop());
beforeEach(async () => {
  dir = await tempDir();
  source = await startRegistry();
});
afterEach(async () => {
  await source.close();
  await rm(join(target.storage, 'docker'), { recursive: true, force: true });
  await dir[Symbol.asyncDispose]();
});

/** The command in the working directory, with the options that say what is where. */
function prune(...words: string[]): Promise<CliResult> {
  const ends = ['--target-registry', target.host, '--workdir', dir.path, '--quiet'];
  return runCli(['prune', ...ends, ...words]);
}

async function crawl(): Promise<void> {
  const words = ['--registry', source.host, '--workdir', dir.path, '--quiet'];
  const { code, stderr } = await runCli(['crawl', ...words]);
  equal(code, 0, stderr);
}

const file = (name: string): string => join(dir.path, name);
const PLAN = (): string => file('prune.csv');

/** Rows without comments and header. */
async function rowsOf(name: string): Promise<string[][]> {
  const text = await readFile(file(name), 'utf8');
  const lines = text.split('\r\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.slice(1).map((line) => line.split(','));
}

async function tagsAt(repository = APP): Promise<string[]> {
  const response = await fetch(`${target.origin}/v2/${repository}/tags/list`);
  const { tags } = (await response.json()) as { tags: string[] | null };
  return (tags ?? []).toSorted();
}

const isThere = async (reference: string, repository = APP): Promise<boolean> =>
  (
    await fetch(`${target.origin}/v2/${repository}/manifests/${reference}`, {
      method: 'HEAD',
      headers: {
        accept:
          '*/*, application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json',
      },
    })
  ).ok;

/** A registry that takes its time to delete. */
async function startSlow(): Promise<Registry & AsyncDisposable> {
  const slow = await startRegistry({
    onRequest: ({ method }) => (method === 'DELETE' ? { delayMs: 300 } : undefined),
  });
  return { ...slow, [Symbol.asyncDispose]: () => slow.close() };
}

/** Ten tags that both sides have, and those that only the target has. */
async function seed(extra: Readonly<Record<string, ReturnType<typeof image>>>): Promise<void> {
  for (let n = 0; n < 10; n += 1) {
    const one = image({ seed: `kept ${n}` });
    putImage(source.store, APP, `v${n}`, one);
    await push(target.origin, APP, `v${n}`, one);
  }
  for (const [tag, one] of Object.entries(extra)) await push(target.origin, APP, tag, one);
}

describe('prune at docker-registry', () => {
  it('plans what tags.csv has not, and deletes exactly that', async () => {
    await seed({ gone: OLD });
    await crawl();

    const planned = await prune('--plan', PLAN());

    equal(planned.code, 0, planned.stderr);
    match(planned.stdout, /^1 of 11 tags would go in 1 repository; 0 others stay; \d+ requests\n$/);
    deepEqual(await rowsOf('prune.csv'), [
      [APP, 'gone', OLD.root.digest, '', 'delete', 'is not in tags.csv'],
    ]);
    ok((await tagsAt()).includes('gone'));

    const applied = await prune('--apply', PLAN());

    equal(applied.code, 0, applied.stderr);
    match(applied.stdout, /^1 row: 1 deleted, 0 failed; \d+ requests\n$/);
    deepEqual(await rowsOf('prune-results.csv'), [[APP, 'gone', OLD.root.digest, 'deleted', '']]);
    equal((await tagsAt()).length, 10);
    await skopeo(['inspect', '--tls-verify=false', `docker://${target.host}/${APP}:v9`]);
  });
});

describe('what is shared at docker-registry', () => {
  it('leaves a tag whose image another tag needs', async () => {
    putImage(source.store, APP, 'current', SAME);
    await seed({ current: SAME, 'old-name': SAME, gone: OLD });
    await crawl();

    const { code, stdout, stderr } = await prune(
      '--plan',
      PLAN(),
      '--apply',
      PLAN(),
      '--max-percent',
      '20',
    );

    equal(code, 0, stderr);
    match(stdout, /2 rows: 1 deleted, 1 kept, as something else needs their images, 0 failed/);
    match(
      await readFile(file('prune-results.csv'), 'utf8'),
      /,old-name,sha256:\w+,kept,"current is the same image, and \S+ can't take away a tag alone"\r\n/,
    );
    await skopeo([
      'copy',
      '--src-tls-verify=false',
      `docker://${target.host}/${APP}:current`,
      `dir:${file('out')}`,
    ]);
    equal(await isThere('gone'), false);
  });

  it('never deletes a part of an index that stays, though its own tag is to go', async () => {
    putImage(source.store, APP, 'multi', MULTI);
    await seed({ multi: MULTI, 'multi-amd64': PART });
    await crawl();

    const { code, stderr } = await prune('--plan', PLAN(), '--apply', PLAN());

    equal(code, 0, stderr);
    const [row] = await rowsOf('prune.csv');
    deepEqual(row?.slice(1, 5), ['multi-amd64', PART.root.digest, '', 'untag']);
    match(row?.slice(5).join(',') ?? '', /it is a part of multi/);
    ok(await isThere(PART.root.digest));
    const all = ['copy', '--all', '--src-tls-verify=false'];
    await skopeo([...all, `docker://${target.host}/${APP}:multi`, `dir:${file('out')}`]);
  });
});

describe('prune at docker-registry', () => {
  it('takes signatures with their image, and keeps those of what stays', async () => {
    putImage(source.store, APP, 'signed', SAME);
    const list = index([{ image: artifact({ artifactType: 'application/x', subject: OLD.root }) }]);
    await seed({
      signed: SAME,
      [cosignTag(SAME.root.digest)]: cosignSignature(SAME.root.digest),
      gone: OLD,
      [cosignTag(OLD.root.digest)]: cosignSignature(OLD.root.digest),
      [OLD.root.digest.replace(':', '-')]: list,
    });
    await crawl();

    const { code, stderr } = await prune(
      '--plan',
      PLAN(),
      '--apply',
      PLAN(),
      '--max-percent',
      '20',
    );

    equal(code, 0, stderr);
    const tags = await tagsAt();
    deepEqual(
      tags.filter((tag) => !/^v\d$/.test(tag)),
      [cosignTag(SAME.root.digest), 'signed'],
    );
  });

  it('finds repositories whose tags are all gone at the source', async () => {
    await seed({});
    putImage(source.store, 'team/left', '1', OLD);
    repositoryOf(source.store, 'team/left').tags.clear();
    await push(target.origin, 'team/left', '1', OLD);
    await crawl();

    const refused = await prune('--plan', PLAN());
    equal(refused.code, 1);
    match(
      refused.stderr,
      /no tag would be left in team\/left\. Where that is meant, give --allow-empty-repositories/,
    );

    const both = ['--plan', PLAN(), '--apply', PLAN(), '--allow-empty-repositories'];
    const { code, stderr } = await prune(...both);
    equal(code, 0, stderr);
    deepEqual(await tagsAt('team/left'), []);
  });
});

describe('prune of a repository that is named', () => {
  it('cleans a repository up in one command, without tags.csv', async () => {
    for (let n = 1; n <= 15; n += 1) {
      await push(target.origin, 'app', `1.${n}.0`, image({ seed: `${n}` }));
    }
    for (const tag of ['latest', 'stable']) await push(target.origin, 'app', tag, SAME);

    const keep = ['--keep-newest', '10', '--protect', 'latest|stable'];
    const words = [`docker://${target.host}/app`, ...keep, '--plan', PLAN(), '--apply', PLAN()];
    const { code, stderr } = await runCli(['prune', ...words], { cwd: dir.path });

    equal(code, 0, stderr);
    const kept = Array.from({ length: 10 }, (_, n) => `1.${n + 6}.0`);
    deepEqual(await tagsAt('app'), [...kept, 'latest', 'stable'].toSorted());
  });

  it('keeps what is younger than --min-age by its own date, and what has none', async () => {
    await push(
      target.origin,
      'app',
      'old',
      image({ seed: 'o', config: { created: '2020-01-01T00:00:00Z' } }),
    );
    await push(
      target.origin,
      'app',
      'new',
      image({ seed: 'n', config: { created: new Date().toISOString() } }),
    );
    await push(
      target.origin,
      'app',
      'epoch',
      image({ seed: 'e', config: { created: '1970-01-01T00:00:00Z' } }),
    );

    const words = [`docker://${target.host}/app`, '--min-age', '30', '--max-percent', '50'];
    const { code, stderr } = await prune(...words, '--plan', PLAN(), '--apply', PLAN());

    equal(code, 0, stderr);
    deepEqual(await tagsAt('app'), ['epoch', 'new']);
    match(await readFile(PLAN(), 'utf8'), /# stays: app:epoch is of unknown age\r\n/);
  });
});

describe('prune --apply at docker-registry', () => {
  it('applies again what a kill ended in the middle', async () => {
    const many = Array.from({ length: 40 }, (_, n) => [`x${n}`, image({ seed: `x${n}` })] as const);
    await seed(Object.fromEntries(many));
    await crawl();
    equal((await prune('--plan', PLAN(), '--max-percent', '90')).code, 0);

    const ends = ['--target-registry', target.host, '--workdir', dir.path, '--apply', PLAN()];
    const { child, result } = await startCli(['prune', ...ends, '--jobs', '1', '--debug']);
    child.stderr.on('data', (chunk: Buffer) => {
      if (/DELETE/.test(chunk.toString())) child.kill('SIGKILL');
    });
    equal((await result).signal, 'SIGKILL');
    const left = (await tagsAt()).length;
    ok(left > 10 && left < 50, `${left} are left`);

    const { code, stdout, stderr } = await prune('--apply', PLAN());
    equal(code, 0, stderr);
    match(stdout, new RegExp(`^40 rows: ${left - 10} deleted, ${50 - left} were gone, 0 failed;`));
    equal((await tagsAt()).length, 10);
  });

  it('ends what it has begun when it is told to stop, and begins nothing more', async () => {
    await using slow = await startSlow();
    for (let n = 0; n < 10; n += 1) putImage(slow.store, 'app', `1.${n}`, image({ seed: `${n}` }));

    const words = [`docker://${slow.host}/app`, '--keep-newest', '2', '--plan', 'p.csv'];
    const { code, stdout } = await runCli(
      ['prune', ...words, '--apply', 'p.csv', '--jobs', '1', '--debug'],
      {
        cwd: dir.path,
        signalAfter: { signal: 'SIGTERM', stderr: /image deleted/ },
      },
    );

    equal(code, 143);
    const left = repositoryOf(slow.store, 'app').tags.size;
    ok(left > 2 && left < 10, `${left} are left`);
    match(stdout, new RegExp(`8 rows: ${10 - left} deleted, 0 failed, ${left - 2} not started`));
    equal((await rowsOf('prune-results.csv')).length, 10 - left);
  });

  it('ends at once, and says why, where deletion is switched off', async () => {
    await using closed = await startDockerRegistry();
    for (const tag of ['1', '2', '3']) await push(closed.origin, 'app', tag, image({ seed: tag }));

    const words = [
      `docker://${closed.host}/app`,
      '--keep-newest',
      '1',
      '--plan',
      PLAN(),
      '--apply',
      PLAN(),
    ];
    const { code, stderr } = await runCli(['prune', ...words, '--jobs', '1'], { cwd: dir.path });

    equal(code, 1);
    match(stderr, /REGISTRY_STORAGE_DELETE_ENABLED=true\)\. Nothing more is tried/);
    equal(closed.log().match(/"DELETE /g)?.length, 1);
  });

  it('needs the end of the plan as it was written', async () => {
    await writeFile(PLAN(), 'repository,tag,digest,last_updated_on,action,reason\r\n');

    const { code, stderr } = await prune('--apply', PLAN());

    equal(code, 1);
    match(stderr, /prune\.csv: lines of comment at its top are missing/);
  });
});
