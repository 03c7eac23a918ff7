/** What prune refuses, and what it leaves alone because it is not any more what was planned. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { appendFile, mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
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
const NEW = image({ seed: 'new' });

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
const tagsAt = (path = APP): string[] =>
  [...repositoryOf(target.store, path).tags.keys()].toSorted();
const deletions = (): string[] =>
  target.requests.filter(({ method }) => method === 'DELETE').map(({ path }) => path);

function prune(...words: string[]): Promise<InProcessResult> {
  const ends = ['--target-registry', target.host, '--workdir', dir.path, '--quiet'];
  return runHere(['prune', ...ends, ...words]);
}

async function crawl(...words: string[]): Promise<InProcessResult> {
  const ends = ['--registry', source.host, '--workdir', dir.path, '--quiet'];
  return runHere(['crawl', ...ends, ...words]);
}

/** Tags v0 … on both sides, and `gone` at the target only; crawled. */
async function seed(count = 10): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const one = image({ seed: `kept ${n}` });
    for (const { store } of [source, target]) putImage(store, APP, `v${n}`, one);
  }
  putImage(target.store, APP, 'gone', OLD);
  const { code, stderr } = await crawl();
  equal(code, 0, stderr);
}

async function planned(...words: string[]): Promise<void> {
  const { code, stderr } = await prune('--plan', PLAN(), ...words);
  equal(code, 0, stderr);
}

async function refuses(pattern: RegExp, ...words: string[]): Promise<void> {
  const before = await readFile(PLAN(), 'utf8').catch(() => 'none');
  const { code, stderr } = await prune('--plan', PLAN(), '--apply', PLAN(), ...words);
  equal(code, 1, stderr);
  match(stderr, pattern);
  equal(await readFile(PLAN(), 'utf8').catch(() => 'none'), before);
  deepEqual(deletions(), []);
}

/** Changes what crawl.json says. */
async function recordSays(changes: object): Promise<void> {
  const record = JSON.parse(await readFile(file('crawl.json'), 'utf8')) as object;
  await writeFile(file('crawl.json'), JSON.stringify({ ...record, ...changes }));
}

describe('prune --plan refuses', () => {
  for (const [state, words] of [
    ['partial', /says that the last crawl was partial/],
    ['failed', /says that the last crawl was failed \(the registry was gone\)/],
    ['running', /says that a crawl is running, or was killed/],
  ] as const) {
    it(`after a crawl that is ${state}`, async () => {
      await seed();
      await recordSays({ state, ...(state === 'failed' && { message: 'the registry was gone' }) });

      await refuses(words);
    });
  }

  it('after a crawl that failed for real, which left the old tags.csv', async () => {
    await seed();
    source.setFaults([{ match: { path: /tags\/list/ }, times: Infinity, effect: { status: 403 } }]);
    equal((await crawl('--retry-times', '0')).code, 1);

    await refuses(/says that the last crawl was failed/);
  });
});

describe('prune --plan refuses', () => {
  it('without a record of the crawl, unless the list is trusted', async () => {
    await seed();
    await rm(file('crawl.json'));

    await refuses(
      /there is no \S+crawl\.json, which says whether the crawl was whole/,
      '--source-registry',
      source.host,
    );
    await planned('--trust-tags-file', '--source-registry', source.host);
  });

  it('after a crawl that left out what it may not read', async () => {
    await seed();
    await recordSays({ counts: { tags: 10, skipped: 2 } });
    await refuses(/left out 2 repositories and 0 tags that it may not read/);

    // The source has them still, so they are not gone.
    await recordSays({ counts: { tags: 10, skipped: 0, dropped: 1, locked: 1 } });
    await refuses(/left out 0 repositories and 1 tag that it may not read/);
  });

  it('a crawl of another registry', async () => {
    await seed();

    await refuses(
      /the last crawl was of \S+, not of other\.example/,
      '--source-registry',
      'other.example',
    );
  });

  it('a crawl of one shard, unless it is for the same', async () => {
    await seed();
    await recordSays({ shard: '1/4' });

    await refuses(/was of shard 1\/4 only, and this is for all repositories/);
    await refuses(/was of shard 1\/4 only, and this is for shard 0\/4/, '--shard', '0/4');
  });
});

describe('prune --plan refuses', () => {
  it('a crawl of one shard where repositories of others may become the same', async () => {
    await seed();
    await recordSays({ shard: '1/4' });

    await refuses(
      /of shard 1\/4 only, and by --target-path .* others may become the same/,
      '--shard',
      '1/4',
      '--target-path',
      'last',
    );
  });

  it('a tags.csv that is older than the crawl', async () => {
    await seed();
    await utimes(file('tags.csv'), new Date(0), new Date(0));

    await refuses(/the file is older than the last crawl/);
  });

  it('a tags.csv with other rows than the crawl wrote', async () => {
    await seed();
    const lines = (await readFile(file('tags.csv'), 'utf8')).split('\r\n');
    await writeFile(file('tags.csv'), [...lines.slice(0, 5), ''].join('\r\n'));

    await refuses(/the last crawl wrote 10 rows, and now there are 4/);
  });
});

describe('prune --plan refuses', () => {
  it('a crawl that is too long ago', async () => {
    await seed();
    const endedAt = new Date(Date.now() - 25 * 3_600_000).toISOString();
    await recordSays({ startedAt: endedAt, endedAt });

    await refuses(/began at \S+, longer ago than --max-crawl-age/);
    await planned('--max-crawl-age', '26h');
  });

  it('an empty list', async () => {
    await seed();
    await writeFile(file('tags.csv'), 'namespace,repo_name,name,digest\r\n');

    await refuses(/no rows/, '--trust-tags-file', '--source-registry', source.host);
  });

  it('a namespace without rows', async () => {
    await seed();

    await refuses(/no rows of the namespace "other"/, '--namespace', 'other');
  });

  it('more than --max-percent of the tags', async () => {
    await seed(4);

    await refuses(
      /1 of 5 tags would go \(20\.0 %\), more than --max-percent 10.*give --max-percent 20/,
    );
    await planned('--max-percent', '20');
  });

  it('all tags of a repository', async () => {
    await seed();
    putImage(source.store, 'team/left', undefined, OLD);
    putImage(target.store, 'team/left', '1', OLD);
    await appendFile(file('repositories.csv'), 'team,left\r\n');

    await refuses(/no tag would be left in team\/left/);
    await planned('--allow-empty-repositories', '--max-percent', '20');
  });
});

describe('prune --plan refuses', () => {
  it('where the source is the target', async () => {
    await seed();

    await refuses(
      /is both the source and the target/,
      '--source-registry',
      target.host,
      '--trust-tags-file',
    );
  });

  it('when a repository of the target can not be read', async () => {
    await seed();
    target.setFaults([
      { match: { method: 'HEAD', path: /v3/ }, times: Infinity, effect: { status: 403 } },
    ]);

    await refuses(
      /nothing is planned, as team\/app can't be read: .*team\/app:v3: access is denied/,
    );
  });

  it('a list of the target that has something else than tags', async () => {
    await seed();
    const body = JSON.stringify({ name: APP, tags: ['../../other/manifests/v1'] });
    const headers = { 'content-type': 'application/json' };
    target.setFaults([{ match: { path: /tags\/list/ }, effect: { status: 200, headers, body } }]);

    await refuses(/the registry lists "\.\.\/\.\.\/other\/manifests\/v1", which is no tag/);
  });

  it('tags in the names of repositories', async () => {
    await seed();

    await refuses(
      /--target-path has \{tag\} in the name of the repository/,
      '--target-path',
      '{path}/{tag}',
    );
  });

  it('repositories that are named without saying what is to stay', async () => {
    await refuses(/give --keep-newest N or --min-age DAYS/, `docker://${target.host}/${APP}`);
  });

  it('a repository that is named and is not there', async () => {
    const named = [`docker://${target.host}/nothing`, '--keep-newest', '1'];
    await refuses(/nothing is planned, as nothing can't be read: .*not found/, ...named);
  });

  it('two files', async () => {
    const { code, stderr } = await prune('--plan', PLAN(), '--apply', file('other.csv'));

    equal(code, 1);
    match(stderr, /are two files: give the same twice/);
  });

  it('a registry that deletes by an API of its own only', async () => {
    await seed();

    await refuses(
      /GitHub deletes by an API of its own only, which is not built: gh api/,
      '--target-registry-kind',
      'ghcr',
    );
  });
});

describe('prune --plan', () => {
  it('keeps what is protected, and says so', async () => {
    await seed();
    putImage(target.store, APP, 'stable-1', NEW);
    putImage(target.store, APP, 'edge', image({ seed: 'edge' }));

    await planned('--protect', 'stable', '--protect', 'team/app:ed', '--max-percent', '10');

    const text = await readFile(PLAN(), 'utf8');
    match(text, /# stays: team\/app:stable-1 is protected\r\n/);
    match(text, /# stays: team\/app:edge is protected\r\n/);
    match(text, /# planned: 1 of 13 tags\r\n/);
  });

  it('judges only tags of the form that sync makes', async () => {
    for (let n = 0; n < 10; n += 1) {
      const one = image({ seed: `${n}` });
      putImage(source.store, APP, `v${n}`, one);
      putImage(target.store, 'mirror/all', `app-v${n}-m`, one);
    }
    for (const tag of ['app-old-m', 'app-other', 'web-1-m', '1-m']) {
      putImage(target.store, 'mirror/all', tag, image({ seed: tag }));
    }
    await crawl();

    await planned('--target-path', 'mirror/all:{name}-{tag}', '--append-suffix', '-m');

    const text = await readFile(PLAN(), 'utf8');
    match(text, /\r\nmirror\/all,app-old-m,/);
    match(text, /# planned: 1 of 14 tags\r\n/);
    equal(text.match(/ is of another form than the tags that sync makes here/g)?.length, 3);
  });

  it('with --scope namespace looks at repositories that the crawl has not', async () => {
    await seed();
    repositoryOf(target.store, APP).tags.delete('gone');
    putImage(target.store, 'team/deleted', '1', OLD);
    putImage(target.store, 'other/deleted', '1', OLD);

    await planned();
    match(await readFile(PLAN(), 'utf8'), /# planned: 0 of 10 tags/);
    await refuses(/no tag would be left in team\/deleted\./, '--scope', 'namespace');
    await planned('--scope', 'namespace', '--allow-empty-repositories');

    match(await readFile(PLAN(), 'utf8'), /\r\nteam\/deleted,1,sha256:/);
    match(await readFile(PLAN(), 'utf8'), /# planned: 1 of 11 tags/);
  });
});

describe('prune --plan of a shard', () => {
  it('goes by a crawl of the same shard', async () => {
    await seed();
    for (const path of ['team/b', 'team/c', 'team/d']) {
      for (let n = 0; n < 10; n += 1) {
        for (const { store } of [source, target]) putImage(store, path, `${n}`, OLD);
      }
      putImage(target.store, path, 'gone', NEW);
    }
    let all = 0;
    for (const shard of ['0/2', '1/2']) {
      equal((await crawl('--shard', shard)).code, 0);
      await planned('--shard', shard);

      all += Number(/# planned: (\d+) of/.exec(await readFile(PLAN(), 'utf8'))?.[1]);
    }
    equal(all, 4);
  });

  it('plans a shard by what all rows want', async () => {
    for (const path of ['a/app', 'b/app', 'c/app', 'd/app']) {
      for (let n = 0; n < 5; n += 1) {
        const one = image({ seed: `${path} ${n}` });
        putImage(source.store, path, `${path[0]}${n}`, one);
        putImage(target.store, 'all/app', `${path[0]}${n}`, one);
      }
    }
    putImage(target.store, 'all/app', 'gone', OLD);
    await crawl();
    for (const shard of ['0/2', '1/2']) {
      await planned('--target-namespace', 'all', '--shard', shard);

      match(await readFile(PLAN(), 'utf8'), /# planned: 1 of 21 tags/);
    }
  });
});

describe('prune --apply', () => {
  it('is not done for another registry than was planned', async () => {
    await seed();
    await planned();
    const ends = ['--target-registry', 'other.example:5000', '--workdir', dir.path];

    const { code, stderr } = await runHere(['prune', ...ends, '--apply', PLAN()]);

    equal(code, 1);
    match(stderr, /was made for 127\.0\.0\.1:\d+, not for other\.example:5000/);
  });

  it('is not done for other repositories than are named', async () => {
    await seed();
    await planned();
    const named = `docker://${target.host}/${APP}`;
    const mirrored = await prune('--apply', PLAN(), named);
    match(mirrored.stderr, /was made for images of \S+, not for repositories that are named/);
    const again = await prune('--plan', PLAN(), named, '--keep-newest', '9');
    equal(again.code, 0, again.stderr);

    const { code, stderr } = await prune('--apply', PLAN(), `docker://${target.host}/other`);

    equal(code, 1);
    match(stderr, /has rows of team\/app, which is not named/);
    deepEqual(deletions(), []);
  });

  it('is not done by an old plan', async () => {
    await seed();
    await planned();
    const text = await readFile(PLAN(), 'utf8');
    await writeFile(PLAN(), text.replace(/# made: .*/, '# made: 2024-01-01T00:00:00.000Z'));

    const { code, stderr } = await prune('--apply', PLAN());

    equal(code, 1);
    match(
      stderr,
      /was made at 2024-01-01T00:00:00\.000Z, longer ago than --max-plan-age: plan again/,
    );
    deepEqual(deletions(), []);
  });

  it('is not done with other names than were planned', async () => {
    await seed();
    await planned();

    const { code, stderr } = await prune('--apply', PLAN(), '--target-namespace', 'x');

    equal(code, 1);
    match(stderr, /--target-namespace x: \S+ was planned without --target-namespace/);
  });
});

describe('prune --apply of a plan that was edited', () => {
  it('spares a tag whose row was removed, and takes one that was added', async () => {
    await seed(20);
    putImage(target.store, APP, 'second', NEW);
    await planned();
    const text = await readFile(PLAN(), 'utf8');
    const third = image({ seed: 'third' });
    putImage(target.store, APP, 'third', third);
    const edited = text
      .split('\r\n')
      .map((line) =>
        line.includes(',gone,') ? `${APP},third,${third.root.digest},,delete,` : line,
      );
    await writeFile(PLAN(), edited.join('\n'));

    const { code, stderr } = await prune('--apply', PLAN());

    equal(code, 0, stderr);
    const left = tagsAt().filter((tag) => !tag.startsWith('v'));
    deepEqual(left, ['gone']);
  });

  it('looks at --max-percent again when rows were added', async () => {
    await seed();
    putImage(target.store, APP, 'second', NEW);
    await planned('--protect', 'second');
    await appendFile(PLAN(), `${APP},second,${NEW.root.digest},,delete,\r\n`);

    const { code, stderr } = await prune('--apply', PLAN());

    equal(code, 1);
    match(stderr, /2 of 12 tags would go/);
    deepEqual(deletions(), []);
  });

  for (const [what, row, message] of [
    ['no digest', `${APP},x,,,delete,`, /prune\.csv: line \d+: "" is no digest/],
    ['no tag', `${APP},a/b,${OLD.root.digest},,delete,`, /line \d+: "a\/b" is no tag/],
    ['no action', `${APP},x,${OLD.root.digest},,keep,`, /line \d+: "keep" is no action/],
    [
      'a row twice',
      `${APP},gone,${OLD.root.digest},,delete,`,
      /"team\/app:gone" stands in an earlier row/,
    ],
    [
      'no repository',
      `Team/App,x,${OLD.root.digest},,delete,`,
      /"Team\/App" is no name of a repository/,
    ],
  ] as const) {
    it(`deletes nothing by a plan with ${what}, and names the line`, async () => {
      await seed();
      await planned();
      await appendFile(PLAN(), `${row}\r\n`);

      const { code, stderr } = await prune('--apply', PLAN());

      equal(code, 1);
      match(stderr, message);
      deepEqual(deletions(), []);
    });
  }
});

describe('prune --apply of a plan that is behind', () => {
  it('leaves a tag that has moved since the plan', async () => {
    await seed();
    await planned();
    putImage(target.store, APP, 'gone', NEW);

    const { code, stdout } = await prune('--apply', PLAN());

    equal(code, 3);
    match(stdout, /1 row: 0 deleted, 1 skipped, 0 failed/);
    match(
      await readFile(file('prune-results.csv'), 'utf8'),
      /,skipped,has moved since the plan: it is sha256:/,
    );
    equal(repositoryOf(target.store, APP).tags.get('gone'), NEW.root.digest);
    ok(repositoryOf(target.store, APP).manifests.has(OLD.root.digest));
  });

  it('leaves a tag that tags.csv has by now', async () => {
    await seed();
    await planned();
    putImage(source.store, APP, 'gone', OLD);
    await crawl();

    const { code, stdout } = await prune('--apply', PLAN());

    equal(code, 3);
    match(stdout, /1 skipped/);
    deepEqual(deletions(), []);
  });

  it('takes away the tag alone where another tag of the image came after the plan', async () => {
    await seed();
    await planned();
    putImage(target.store, APP, 'rollback', OLD);

    const { code, stderr } = await prune('--apply', PLAN());

    equal(code, 0, stderr);
    deepEqual(deletions(), [`/v2/${APP}/manifests/gone`]);
    equal(repositoryOf(target.store, APP).tags.get('rollback'), OLD.root.digest);
    ok(repositoryOf(target.store, APP).manifests.has(OLD.root.digest));
  });
});

describe('prune --apply of a plan that is behind', () => {
  it('sees a tag that comes while it looks at the others', async () => {
    await seed();
    await planned();
    await restart({
      onRequest: ({ method, path }) => {
        if (method === 'HEAD' && path.endsWith('/v9')) putImage(target.store, APP, 'rollback', OLD);
        return undefined;
      },
    });
    const text = await readFile(PLAN(), 'utf8');
    await writeFile(PLAN(), text.replace(/# target: .*/, `# target: ${target.host}`));

    const { code, stderr } = await prune('--apply', PLAN());

    equal(code, 0, stderr);
    deepEqual(deletions(), [`/v2/${APP}/manifests/gone`]);
    equal(repositoryOf(target.store, APP).tags.get('rollback'), OLD.root.digest);
    ok(repositoryOf(target.store, APP).manifests.has(OLD.root.digest));
  });
});

describe('prune --apply of a plan that is behind', () => {
  it('leaves a repository of which nothing else is left by now', async () => {
    await seed();
    await planned();
    const { tags } = repositoryOf(target.store, APP);
    for (const tag of tags.keys()) if (tag !== 'gone') tags.delete(tag);

    const { code, stdout } = await prune('--apply', PLAN());

    equal(code, 3);
    match(stdout, /1 skipped/);
    deepEqual(tagsAt(), ['gone']);
  });

  it('counts what is gone already as done', async () => {
    await seed();
    await planned();
    repositoryOf(target.store, APP).tags.delete('gone');

    const { code, stdout } = await prune('--apply', PLAN());

    equal(code, 0);
    match(stdout, /0 deleted, 1 were gone, 0 failed/);
  });

  it('with --dry-run looks, and deletes nothing', async () => {
    await seed();
    await planned();

    const { code, stdout } = await prune('--apply', PLAN(), '--dry-run');

    equal(code, 0);
    match(stdout, /1 row: 1 would be deleted, 0 failed/);
    deepEqual(deletions(), []);
    const { counts } = JSON.parse(await readFile(file('prune.json'), 'utf8')) as {
      counts: Record<string, number>;
    };
    equal(counts.planned, 1); // the record is still that of the plan
  });
});

describe('prune --apply at a registry that refuses', () => {
  it('goes on with the other rows where one fails', async () => {
    await seed(20);
    putImage(target.store, APP, 'second', NEW);
    await planned();
    const locked = { errors: [{ code: 'REGISTRY_DISALLOWED_OPERATION', message: 'locked' }] };
    target.setFaults([
      {
        match: { method: 'DELETE', path: new RegExp(OLD.root.digest) },
        effect: {
          status: 405,
          body: JSON.stringify(locked),
          headers: { 'content-type': 'application/json' },
        },
      },
    ]);

    const { code, stdout } = await prune('--apply', PLAN());

    equal(code, 3);
    match(stdout, /2 rows: 1 deleted, 1 failed/);
    deepEqual(
      tagsAt().filter((tag) => !tag.startsWith('v')),
      ['gone'],
    );
  });

  it('stops when the registry is out of reach', async () => {
    for (let n = 0; n < 30; n += 1) putImage(target.store, APP, `1.${n}`, image({ seed: `${n}` }));
    const words = [`docker://${target.host}/${APP}`, '--keep-newest', '2', '--plan', PLAN()];
    equal((await prune(...words)).code, 0);
    target.setFaults([{ match: { method: 'DELETE' }, times: Infinity, effect: { status: 503 } }]);

    const { code, stderr } = await prune('--apply', PLAN(), '--jobs', '1', '--retry-times', '0');

    equal(code, 1);
    match(stderr, /Nothing more is tried/);
    equal(deletions().length, 20);
  });

  it('puts an image back where the registry deletes all of it for one tag, and stops', async () => {
    await seed();
    putImage(target.store, APP, 'same-as-v1', image({ seed: 'kept 1' }));
    await restart({ tagDeletion: 'image' });
    await planned('--max-percent', '20');

    const { code, stderr } = await prune('--apply', PLAN());

    equal(code, 1);
    match(
      stderr,
      /deletes a whole image when it is asked to take away one tag: team\/app \(v1\) was put back/,
    );
    equal(repositoryOf(target.store, APP).tags.get('v1'), image({ seed: 'kept 1' }).root.digest);
    ok(repositoryOf(target.store, APP).manifests.has(image({ seed: 'kept 1' }).root.digest));
  });
});

describe('prune --apply at a registry that refuses', () => {
  it('takes the tags first where they hold the image', async () => {
    await seed(20);
    putImage(target.store, APP, 'again', OLD);
    await restart({ tagsHoldManifests: true });
    await planned('--target-registry-kind', 'google');

    const { code, stderr } = await prune('--apply', PLAN(), '--target-registry-kind', 'google');

    equal(code, 0, stderr);
    equal(deletions().length, 3);
    equal(repositoryOf(target.store, APP).manifests.has(OLD.root.digest), false);
  });

  it('ends with an error, and no further try, where the credentials may not delete', async () => {
    await seed(20);
    putImage(target.store, APP, 'second', NEW);
    await planned();
    target.setFaults([{ match: { method: 'DELETE' }, times: Infinity, effect: { status: 403 } }]);

    const { code, stderr } = await prune('--apply', PLAN(), '--jobs', '1');

    equal(code, 1);
    match(stderr, /access is denied.*Nothing more is tried/);
    equal(deletions().length, 1);
  });
});

describe('prune of both phases', () => {
  it('says in its record and results what was done', async () => {
    await seed();
    await mkdir(file('out'));
    const metrics = ['--metrics-file', file('out/prune.prom')];

    const { code, stderr } = await prune('--plan', PLAN(), '--apply', PLAN(), ...metrics);

    equal(code, 0, stderr);
    const record = JSON.parse(await readFile(file('prune.json'), 'utf8')) as {
      state: string;
      target: string;
      source: string;
      counts: Record<string, number>;
    };
    deepEqual([record.state, record.target, record.source], ['complete', target.host, source.host]);
    deepEqual([record.counts.planned, record.counts.seen, record.counts.deleted], [1, 11, 1]);
    match(
      await readFile(file('out/prune.prom'), 'utf8'),
      /registry_sync_rows\{outcome="deleted",.*command="prune".*\} 1\n/,
    );
  });
});
