/**
 * Registries by their kind: which requests a crawl, a first sync and an unchanged one make, and what is
 * said where something has to be done beforehand.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';

import { image } from '../support/images.ts';
import { runHere, type InProcessResult } from '../support/in-process.ts';
import { quirksOf, type RegistryKind } from '../support/registry/quirks.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { repositoryOf } from '../support/registry/store.ts';
import { outcomesOf, seedTags, tagsCsv, wrongAt } from '../support/synced.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const USERS = { bot: { password: 'pw' } };
const LOGIN = {
  SOURCE_USERNAME: 'bot',
  SOURCE_PASSWORD: 'pw', // of crawls; what is synced from asks for none
  TARGET_USERNAME: 'bot',
  TARGET_PASSWORD: 'pw',
};
/** Two repositories with ten tags each, one of them below the other. */
const FLEET = ['acme/app', 'acme/app/web'].flatMap((repository) =>
  Array.from({ length: 10 }, (_, n) => ({
    repository,
    tag: `v${n}`,
    image: image({ seed: `${repository} ${n}` }),
  })),
);

let dir: TempDir;
let source: Registry;
let registry: Registry;

beforeEach(async () => {
  dir = await tempDir();
  source = await startRegistry();
  seedTags(source.store, FLEET);
  await writeFile(join(dir.path, 'tags.csv'), tagsCsv(FLEET));
});
afterEach(async () => {
  await Promise.all([source.close(), registry.close()]);
  await dir[Symbol.asyncDispose]();
});

async function start(kind: RegistryKind, projects: readonly string[] = []): Promise<void> {
  registry = await startRegistry(quirksOf(kind, { users: USERS, projects }));
}

function sync(kind: string): Promise<InProcessResult> {
  const where = ['--source-registry', source.host, '--target-registry', registry.host];
  const how = ['--target-registry-kind', kind, '--workdir', dir.path];
  return runHere(['sync', ...where, ...how], LOGIN);
}

async function crawl(
  kind: string,
  ...args: string[]
): Promise<InProcessResult & { rows: string[] }> {
  const workdir = join(dir.path, 'crawl');
  const where = ['--registry', registry.host, '--registry-kind', kind, '--workdir', workdir];
  const result = await runHere(['crawl', ...where, ...args], LOGIN);
  const csv = await readFile(join(workdir, 'tags.csv'), 'utf8').catch(() => '');
  return { ...result, rows: csv.split('\r\n').slice(1, -1) };
}

/** Requests but for tokens and pings. */
const asked = (): string[] =>
  registry.requests
    .filter(({ path }) => path !== '/v2/' && !path.startsWith('/token'))
    .map(({ method, path }) => `${method} ${path.replace(/\?.*/, '')}`)
    .toSorted();

for (const [kind, profile, lists] of [
  ['gcr', 'google', ['GET /v2/acme/app/tags/list', 'GET /v2/acme/app/web/tags/list']],
  ['zot', 'zot', ['POST /v2/_zot/ext/search', 'POST /v2/_zot/ext/search']],
] as const) {
  describe(`a registry of the kind ${profile}`, () => {
    it('is found unchanged for a list per repository', async () => {
      await start(kind);
      equal((await sync(profile)).code, 0);
      deepEqual(wrongAt(registry.store, FLEET), []);
      registry.resetRequests();
      source.resetRequests();
      const { code, stdout, stderr } = await sync(profile);
      equal(code, 0, stderr);
      match(stdout, /20 unchanged/);
      deepEqual(asked(), lists);
      equal(source.requests.length, 0);
    });

    it('is crawled without a HEAD, with dates', async () => {
      await start(kind);
      seedTags(registry.store, FLEET);
      const { code, rows, stderr } = await crawl(profile);
      equal(code, 0, stderr);
      equal(rows.length, FLEET.length);
      const digests = new Map(FLEET.map((one) => [`${one.repository}:${one.tag}`, one.image]));
      for (const row of rows) {
        const [namespace, name, tag, , updated = '', digest] = row.split(',');
        equal(digest, digests.get(`${namespace}/${name}:${tag}`)?.root.digest);
        match(updated, /^\d{4}-\d\d-\d\dT/);
      }
      deepEqual(
        registry.requests.filter(({ method }) => method === 'HEAD'),
        [],
      );
    });
  });
}

describe('a zot without search', () => {
  it('is crawled and synced by its plain lists and HEAD', async () => {
    await start('zot without search');
    equal((await sync('zot')).code, 0);
    registry.resetRequests();
    const { code, stdout } = await sync('zot');
    equal(code, 0);
    match(stdout, /20 unchanged/);
    equal(asked().filter((request) => request.startsWith('HEAD ')).length, 20);
    const { rows } = await crawl('zot');
    equal(rows.length, 20);
  });
});

describe('a registry of Google', () => {
  it('is walked below a namespace, each list read once', async () => {
    await start('gcr');
    seedTags(registry.store, FLEET);
    const { code, rows, stderr } = await crawl('google', '--namespace', 'acme');
    equal(code, 0, stderr);
    equal(rows.length, 20);
    deepEqual(asked(), [
      'GET /v2/acme/app/tags/list',
      'GET /v2/acme/app/web/tags/list',
      'GET /v2/acme/tags/list',
    ]);
  });
});

describe('a target where something has to be made beforehand', () => {
  for (const [kind, profile, projects, hint] of [
    ['ecr', 'ecr', [], /aws ecr create-repository --repository-name NAME/],
    ['harbor', 'harbor', ['other'], /Harbor wants the project \(the first part of the path\) made/],
    ['gitlab', 'gitlab', ['other/project'], /GROUP\/PROJECT and at most two further parts/],
  ] as const) {
    it(`says so: ${profile}`, async () => {
      await start(kind, projects);
      const { code } = await sync(profile);
      ok(code === 3 || code === 1, `${code}`); // 1: every row was denied
      const results = outcomesOf(await readFile(join(dir.path, 'results.csv'), 'utf8'));
      for (const { status, error } of results.values()) {
        equal(status, 'failed');
        match(error, hint);
      }
      equal(results.size, FLEET.length);
    });
  }

  it('is synced to once it is there', async () => {
    await start('ecr');
    for (const { repository } of FLEET) repositoryOf(registry.store, repository);
    const { code, stderr } = await sync('ecr');
    equal(code, 0, stderr);
    deepEqual(wrongAt(registry.store, FLEET), []);
  });
});

describe('a registry that lists no repositories', () => {
  for (const [kind, profile] of [
    ['ecr', 'ecr'],
    ['ghcr', 'ghcr'],
    ['gitlab', 'gitlab'],
  ] as const) {
    it(`is crawled by names: ${profile}`, async () => {
      await start(kind, ['acme/app']);
      seedTags(registry.store, FLEET);
      const refused = await crawl(profile);
      equal(refused.code, 1);
      match(
        refused.stderr,
        /has no list of its repositories for other programs\. Name them with --repositories-from/,
      );
      equal(registry.requests.length, 0);
      const file = join(dir.path, 'names');
      await writeFile(file, 'acme/app\nacme/app/web\n');
      const { code, rows, stderr } = await crawl(profile, '--repositories-from', file);
      equal(code, 0, stderr);
      equal(rows.length, FLEET.length);
    });
  }
});
