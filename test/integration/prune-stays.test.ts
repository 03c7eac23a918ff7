/** What survives a prune, whatever the registry says and whoever pushes meanwhile. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';

import {
  artifact,
  cosignSignature,
  cosignTag,
  image,
  index,
  type BuiltImage,
} from '../support/images.ts';
import { runHere, type InProcessResult } from '../support/in-process.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../support/registry/registry.ts';
import { putImage, repositoryOf } from '../support/registry/store.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const APP = 'team/app';
const AMD = { os: 'linux', architecture: 'amd64' };
const ARM = { os: 'linux', architecture: 'arm64' };
const OLD = image({ seed: 'old' });
const PART = image({ seed: 'a part', platform: AMD });
const WHOLE = index([
  { image: PART, platform: AMD },
  { image: image({ seed: 'another', platform: ARM }), platform: ARM },
]);

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

const file = (name: string): string => join(dir.path, name);
const PLAN = (): string => file('prune.csv');
const BOTH = (): string[] => ['--plan', PLAN(), '--apply', PLAN()];
const holds = ({ root }: BuiltImage, path = APP): boolean =>
  repositoryOf(target.store, path).manifests.has(root.digest);
const deletions = (): string[] =>
  target.requests.filter(({ method }) => method === 'DELETE').map(({ path }) => path);

async function restart(options: RegistryOptions): Promise<void> {
  await target.close();
  target = await startRegistry({ store: target.store, ...options });
}

type Around = NonNullable<RegistryOptions['around']>;
const around = (how: Around): Promise<void> => restart({ around: how });

const refusal = (status: number, code: string) => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ errors: [{ code, message: code }] }),
});
const refused = (status: number, code: string) => {
  const { body, ...rest } = refusal(status, code);
  return { ...rest, body: Buffer.from(body) };
};

function prune(...words: string[]): Promise<InProcessResult> {
  const ends = ['--target-registry', target.host, '--workdir', dir.path, '--quiet'];
  return runHere(['prune', ...ends, ...words]);
}

async function here(command: 'crawl' | 'sync', ...words: string[]): Promise<void> {
  const ends =
    command === 'crawl'
      ? ['--registry', source.host]
      : ['--source-registry', source.host, '--target-registry', target.host];
  const { code, stderr } = await runHere([command, ...ends, '--workdir', dir.path, ...words]);
  equal(code, 0, stderr);
}

/** Tags v0 … and `both` on both sides, `extra` at the target only; crawled. */
async function seed(
  extra: Readonly<Record<string, BuiltImage>>,
  both: Readonly<Record<string, BuiltImage>> = {},
): Promise<void> {
  for (let n = 0; n < 40; n += 1) both = { ...both, [`v${n}`]: image({ seed: `kept ${n}` }) };
  for (const [tag, one] of Object.entries(both)) {
    for (const { store } of [source, target]) putImage(store, APP, tag, one);
  }
  for (const [tag, one] of Object.entries(extra)) putImage(target.store, APP, tag, one);
  await here('crawl', '--quiet');
}

/** `status` by tag. */
async function results(): Promise<Record<string, string>> {
  const lines = (await readFile(file('prune-results.csv'), 'utf8')).split('\r\n').slice(1, -1);
  return Object.fromEntries(
    lines.map((line) => {
      const [, tag = '', , status = ''] = line.split(',');
      return [tag, status];
    }),
  );
}

describe('parts of an index', () => {
  it('that a row of tags.csv names by its digest stay', async () => {
    await seed({});
    putImage(source.store, APP, undefined, WHOLE);
    const { digest } = WHOLE.root;
    await appendFile(file('tags.csv'), `team,app,@${digest},,,${digest}\r\n`);
    await here('sync', '--quiet');
    putImage(target.store, APP, 'old-amd64', PART);

    const { code, stderr } = await prune(...BOTH());

    equal(code, 0, stderr);
    ok(holds(PART));
    equal(repositoryOf(target.store, APP).tags.has('old-amd64'), false);
  });

  it('that was to go, and can not, stay with it', async () => {
    await seed({ old: WHOLE, 'old-amd64': PART });
    await around((exchange, inner) =>
      exchange.method === 'DELETE' && exchange.url.pathname.endsWith(WHOLE.root.digest)
        ? refused(405, 'REGISTRY_DISALLOWED_OPERATION')
        : inner(exchange),
    );

    const { code, stderr } = await prune(...BOTH());

    equal(code, 3, stderr);
    deepEqual(await results(), { old: 'failed', 'old-amd64': 'deleted' });
    ok(holds(PART));
  });

  it('that loses its tag alone, as something belongs to it, stay with it', async () => {
    const signature = cosignTag(WHOLE.root.digest);
    await seed({
      old: WHOLE,
      'old-amd64': PART,
      [signature]: cosignSignature(WHOLE.root.digest),
    });

    const { code, stderr } = await prune(...BOTH(), '--protect', signature);

    equal(code, 0, stderr);
    deepEqual([holds(WHOLE), holds(PART)], [true, true]);
  });

  it('that is in another that can not go stay with it', async () => {
    const outer = index([{ image: WHOLE }]);
    await seed({ outer, inner: WHOLE, part: PART });
    await around((exchange, inner) =>
      exchange.method === 'DELETE' && exchange.url.pathname.endsWith(outer.root.digest)
        ? refused(405, 'REGISTRY_DISALLOWED_OPERATION')
        : inner(exchange),
    );

    const { code } = await prune(...BOTH());

    equal(code, 3);
    deepEqual([holds(outer), holds(WHOLE), holds(PART)], [true, true, true]);
  });
});

describe('parts of an index', () => {
  it('that is there under a tag that the list does not have stay', async () => {
    await seed({ 'multi-amd64': PART }, { multi: WHOLE });
    await around(async (exchange, inner) => {
      const answer = await inner(exchange);
      if (!exchange.url.pathname.endsWith('/tags/list')) return answer;
      const { name, tags } = JSON.parse(String(answer.body)) as { name: string; tags: string[] };
      const body = Buffer.from(JSON.stringify({ name, tags: tags.filter((t) => t !== 'multi') }));
      return { ...answer, headers: { 'content-type': 'application/json' }, body };
    });

    await prune(...BOTH());

    ok(holds(PART));
  });

  it('may be those of a tag that is listed and not found: nothing is deleted by its digest', async () => {
    await seed({ 'multi-amd64': PART }, { multi: WHOLE });
    await around((exchange, inner) =>
      exchange.method === 'HEAD' && exchange.url.pathname.endsWith('/manifests/multi')
        ? { status: 404, body: Buffer.alloc(0) }
        : inner(exchange),
    );

    const { stdout } = await prune(...BOTH());

    match(stdout, /of 1 the tag alone/);
    ok(holds(PART));
  });

  it('that are nested too deeply to be looked through stop the plan', async () => {
    let deep = index([{ image: PART }]);
    for (let n = 0; n < 9; n += 1) deep = index([{ image: deep }]);
    await seed({ part: PART }, { deep });

    const { code, stderr } = await prune('--plan', PLAN());

    equal(code, 1);
    match(stderr, /deep has indexes in indexes, more than 8 deep/);
  });
});

describe('an image of a row without a tag', () => {
  it('stays under another digest too, as --platform makes one', async () => {
    await seed({}, { tmp: WHOLE });
    const text = await readFile(file('tags.csv'), 'utf8');
    await writeFile(file('tags.csv'), text.replace(',tmp,', `,@${WHOLE.root.digest},`));
    repositoryOf(target.store, APP).tags.delete('tmp');
    repositoryOf(target.store, APP).manifests.delete(WHOLE.root.digest);
    await here('sync', '--quiet', '--platform', 'linux/amd64');
    const { manifests, tags } = repositoryOf(target.store, APP);
    const [digest] = [...manifests].find(([, { mediaType }]) => mediaType.includes('index')) ?? [];
    ok(digest !== undefined && digest !== WHOLE.root.digest);
    tags.set('old', digest);

    await prune(...BOTH());

    ok(manifests.has(digest));
  });
});

describe('tags that move while others are deleted', () => {
  /** At the first deletion somebody pushes. */
  async function whenDeleting(push: () => void): Promise<void> {
    let isDone = false;
    await around((exchange, inner) => {
      if (exchange.method === 'DELETE' && !isDone) {
        isDone = true;
        push();
      }
      return inner(exchange);
    });
  }

  const doomed = Object.fromEntries(
    ['a0', 'a1', 'a2'].map((tag) => [tag, image({ seed: `doomed ${tag}` })]),
  );

  it('are skipped though they were planned, and keep the parts of what they are now', async () => {
    await seed({ ...doomed, nightly: OLD, 'z-amd64': PART });
    await whenDeleting(() => putImage(target.store, APP, 'nightly', WHOLE));

    const { code } = await prune(...BOTH(), '--jobs', '1', '--max-percent', '20');

    equal(code, 3);
    equal((await results()).nightly, 'skipped');
    ok(holds(PART));
    equal(repositoryOf(target.store, APP).tags.get('nightly'), WHOLE.root.digest);
  });

  it('keep the image that they move to', async () => {
    const last = image({ seed: 'doomed, but then needed' });
    await seed({ ...doomed, 'z-doomed': last });
    await whenDeleting(() => putImage(target.store, APP, 'v3', last));

    await prune(...BOTH(), '--jobs', '1', '--max-percent', '20');

    ok(holds(last));
    equal(repositoryOf(target.store, APP).tags.get('v3'), last.root.digest);
  });
});

describe('a registry that does not do what it says', () => {
  it('is not believed that what it denies is gone', async () => {
    await seed({ gone: OLD });
    await around((exchange, inner) =>
      exchange.method === 'DELETE' ? refused(404, 'NAME_UNKNOWN') : inner(exchange),
    );

    const { code, stderr } = await prune(...BOTH());

    equal(code, 3);
    match(stderr, /the registry says that it is not there, and it is there/);
    deepEqual(await results(), { gone: 'failed' });
  });

  it('is not believed that it has deleted, before that was seen once', async () => {
    await seed({ gone: OLD });
    await around((exchange, inner) =>
      exchange.method === 'DELETE' ? { status: 202, body: Buffer.alloc(0) } : inner(exchange),
    );

    const { code, stderr } = await prune(...BOTH());

    equal(code, 3);
    match(stderr, /the registry says that it is deleted, and it is there/);
  });

  it('is not believed that it has no such repository', async () => {
    await seed({ gone: OLD });
    equal((await prune('--plan', PLAN())).code, 0);
    const text = await readFile(PLAN(), 'utf8');
    await around((exchange, inner) =>
      exchange.url.pathname.endsWith('/tags/list') ? refused(404, 'NAME_UNKNOWN') : inner(exchange),
    );
    await writeFile(PLAN(), text.replace(/# target: .*/, `# target: ${target.host}`));

    const { code, stderr } = await prune('--apply', PLAN());

    equal(code, 3);
    match(stderr, /lists no such repository, and has this/);
    deepEqual(await results(), { gone: 'failed' });
  });

  it('gets the image back that it deleted for a tag, also when its answer was lost', async () => {
    let isLost = false;
    await seed({ 'old-name': OLD }, { stays: OLD });
    await restart({
      tagDeletion: 'image',
      around: async (exchange, inner) => {
        if (exchange.method !== 'DELETE' || isLost) return inner(exchange);
        isLost = true;
        await inner(exchange);
        return { status: 502, body: Buffer.from('bad gateway') };
      },
    });

    const { code, stderr } = await prune(...BOTH());

    equal(code, 1);
    match(stderr, /deletes a whole image when it is asked to take away one tag: .* was put back/);
    equal(repositoryOf(target.store, APP).tags.get('stays'), OLD.root.digest);
  });
});

describe('what is attached', () => {
  it('keeps its subject where it has a tag of its own that stays', async () => {
    const sbom = artifact({ artifactType: 'application/sbom', subject: OLD.root });
    await seed({ gone: OLD }, { sbom });
    await restart({ referrersApi: true });

    await prune(...BOTH());

    ok(holds(OLD));
  });

  it('stays in repositories that are named, whose images it may not be of', async () => {
    for (let n = 0; n < 20; n += 1) putImage(target.store, APP, `v${n}`, image({ seed: `${n}` }));
    const { digest } = image({ seed: 'of another repository' }).root;
    putImage(target.store, APP, cosignTag(digest), cosignSignature(digest));

    const named = [`docker://${target.host}/${APP}`, '--keep-newest', '19'];
    const { code, stderr } = await prune(...BOTH(), ...named);

    equal(code, 0, stderr);
    ok(repositoryOf(target.store, APP).tags.has(cosignTag(digest)));
    equal(repositoryOf(target.store, APP).tags.size, 20);
  });

  it('is as young as others may be, though it belongs to nothing', async () => {
    const { digest } = image({ seed: 'of another repository' }).root;
    await seed({ [cosignTag(digest)]: cosignSignature(digest) });

    await prune(...BOTH(), '--min-age', '36500');

    ok(repositoryOf(target.store, APP).tags.has(cosignTag(digest)));
  });
});

describe('tags of other rows', () => {
  it('stay where namespaces become one at the target', async () => {
    for (let n = 0; n < 20; n += 1)
      putImage(source.store, 'a/app', `a${n}`, image({ seed: `${n}` }));
    putImage(source.store, 'b/app', 'b-only', OLD);
    await here('crawl', '--quiet');
    const to = ['--target-namespace', 't'];
    for (const namespace of ['a', 'b'])
      await here('sync', '--namespace', namespace, ...to, '--quiet');

    const { code, stderr } = await prune(...BOTH(), '--namespace', 'a', ...to);

    equal(code, 0, stderr);
    ok(repositoryOf(target.store, 't/app').tags.has('b-only'));
  });

  it('of repositories that the crawl left out may be in the same repository', async () => {
    const to = ['--target-path', 'all:{name}-{tag}'];
    await seed({});
    putImage(source.store, 'team/app-web', '1', OLD);
    await here('crawl', '--quiet', '--repository', 'team/app');

    const { code, stderr } = await prune('--plan', PLAN(), ...to);

    equal(code, 1);
    match(stderr, /tags\.csv is of some repositories only \(--repository\), and by --target-path/);
    const spread = await prune('--plan', PLAN(), '--scope', 'namespace');
    equal(spread.code, 1);
    match(spread.stderr, /the crawl looked at some repositories only \(--repository\)/);
  });

  it('that the source denied for a moment are missed, and the crawl is not enough', async () => {
    await seed({});
    source.setFaults([
      { match: { method: 'HEAD', path: /manifests\/v7$/ }, effect: { status: 404 } },
    ]);
    await here('crawl', '--quiet');

    const { code, stderr } = await prune('--plan', PLAN());

    equal(code, 1);
    match(stderr, /the last crawl was told of 1 tag under which it found nothing/);
  });

  it('of a repository that the source denied are missed where repositories become one', async () => {
    await seed({});
    putImage(source.store, 'team/small', 's', OLD);
    source.setFaults([
      { match: { path: /team\/small\/tags\/list/ }, effect: refusal(404, 'NAME_UNKNOWN') },
    ]);
    await here('crawl', '--quiet');

    const { code, stderr } = await prune('--plan', PLAN(), '--target-path', 'all:{name}-{tag}');

    equal(code, 1);
    match(stderr, /the crawl was told of 1 repository whose tags the registry denied/);
  });
});

describe('prune', () => {
  it('does not touch what registries.conf blocks, in either phase', async () => {
    await seed({ gone: OLD });
    equal((await prune('--plan', PLAN())).code, 0);
    await mkdir(file('conf'));
    const rule = `[[registry]]\nprefix = "${target.host}/team"\nlocation = "${target.host}/team"\nblocked = true\n`;
    await writeFile(file('conf/registries.conf'), rule);
    const env = { CONTAINERS_REGISTRIES_CONF: file('conf/registries.conf') };
    const ends = ['--target-registry', target.host, '--workdir', dir.path];
    for (const phase of ['--plan', '--apply']) {
      const { code, stderr } = await runHere(['prune', ...ends, phase, PLAN()], env);

      equal(code, 1);
      match(stderr, /team\/?\S*: \S+\/team is blocked in \S+registries\.conf/);
    }
    deepEqual(deletions(), []);
  });

  it('takes two names of one registry for one', async () => {
    await seed({});
    const [, port] = source.host.split(':');

    const ends = ['--target-registry', `localhost:${port}`, '--workdir', dir.path];
    const { code, stderr } = await runHere(['prune', ...ends, '--plan', PLAN()]);

    equal(code, 1);
    match(stderr, /localhost:\d+ is both the source, 127\.0\.0\.1:\d+, and the target/);
  });

  it('waits for a sync to the same registry', async () => {
    await seed({ gone: OLD });
    equal((await prune('--plan', PLAN())).code, 0);
    const startedAt = new Date().toISOString();
    const record = { command: 'sync', run: 'x', version: '0', state: 'running', startedAt };
    await writeFile(file('sync.json'), JSON.stringify({ ...record, target: target.host }));

    const { code, stderr } = await prune('--apply', PLAN());

    equal(code, 1);
    match(stderr, /sync\.json says that a sync to \S+ is running, or was killed/);
    deepEqual(deletions(), []);
  });
});
