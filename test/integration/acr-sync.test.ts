/** Syncs to a registry of Azure's, and crawls of what it locks, hides or counts otherwise. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';

import { startAcr, type Acr, type AcrOptions } from '../support/acr/acr.ts';
import { image, layer, type BuiltImage } from '../support/images.ts';
import { runHere, type InProcessResult } from '../support/in-process.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { putImage } from '../support/registry/store.ts';
import { outcomesOf, seedTags, tagsCsv, wrongAt } from '../support/synced.ts';
import type { FleetTag } from '../support/fleet.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const USERS = { bot: { password: 'correct horse' } };
const TARGET = { TARGET_USERNAME: 'bot', TARGET_PASSWORD: 'correct horse' };
const SOURCE = { SOURCE_USERNAME: 'bot', SOURCE_PASSWORD: 'correct horse' };
const KB = 1000;
const MB = 1000 * KB;

let source: Registry;
let dir: TempDir;
let acr: Acr;

before(async () => {
  source = await startRegistry();
});
beforeEach(async () => {
  dir = await tempDir();
  source.store.repositories.clear();
});
afterEach(async () => {
  await acr.close();
  await dir[Symbol.asyncDispose]();
});
after(() => source.close());

async function syncTo(
  tags: readonly FleetTag[],
  options: AcrOptions,
  args: readonly string[] = [],
): Promise<InProcessResult> {
  acr = await startAcr({ users: USERS, ...options });
  seedTags(source.store, tags);
  await writeFile(join(dir.path, 'tags.csv'), tagsCsv(tags));
  return again(args);
}

function again(args: readonly string[] = []): Promise<InProcessResult> {
  const where = ['--source-registry', source.host, '--target-registry', acr.host];
  const how = ['--target-registry-kind', 'acr', '--workdir', dir.path];
  return runHere(['sync', ...where, ...how, ...args], TARGET);
}

const outcome = async (row: string) =>
  outcomesOf(await readFile(join(dir.path, 'results.csv'), 'utf8')).get(row);

const one = (tag: string, built: BuiltImage): FleetTag => ({
  repository: 'acme/web',
  tag,
  image: built,
});

describe('blobs on their way to a registry of Azure', () => {
  it('arrive at every size, in the form that it takes', { timeout: 60_000 }, async () => {
    const sizes = [1 * KB, 5 * MB, 19 * MB, 21 * MB, 300 * MB];
    const tags = sizes.map((size) =>
      one(`v${size}`, image({ layers: [layer({ seed: `${size}`, layerBytes: size })] })),
    );
    const { code, stderr } = await syncTo(tags, {});
    equal(code, 0, stderr);
    deepEqual(wrongAt(acr.store, tags), []);
    const patches = acr.requests.filter(({ method }) => method === 'PATCH');
    deepEqual(
      patches.map(({ bytesIn }) => Math.round(bytesIn / MB)).toSorted((a, b) => a - b),
      [5, 19, 21, 300],
    );
    for (const { headers } of patches) {
      equal(headers['content-range'], undefined);
      ok(Number(headers['content-length']) > 0);
    }
    equal(acr.requests.filter(({ status }) => status >= 400 && status !== 404).length, 1); // the ping
  });

  it('are not cancelled, for which the permission to delete would be needed', async () => {
    const { code } = await syncTo([one('v1', image({ seed: 'a' }))], { mount: 'declined' });
    equal(code, 0);
    deepEqual(
      acr.requests.filter(({ method }) => method === 'DELETE'),
      [],
    );
    deepEqual(
      acr.tokenRequests.flatMap(({ scopes }) => scopes).filter((scope) => /delete/.test(scope)),
      [],
    );
  });
});

describe('what a registry of Azure refuses', () => {
  it('is final where the image is locked, and says so', async () => {
    const web = image({ seed: 'web' });
    acr = await startAcr({ users: USERS });
    putImage(acr.store, 'acme/web', 'v1', image({ seed: 'other' }));
    acr.metadata.tag('acme/web', 'v1').attributes.writeEnabled = false;
    seedTags(source.store, [one('v1', web)]);
    await writeFile(join(dir.path, 'tags.csv'), tagsCsv([one('v1', web)]));
    const { code } = await again();
    equal(code, 3);
    const { status, error = '' } = (await outcome('acme/web:v1')) ?? {};
    equal(status, 'failed');
    match(
      error,
      /acme\/web:v1: refused for good: the image, its repository or the registry is locked/,
    );
    match(error, /405, REGISTRY_DISALLOWED_OPERATION/);
    equal(acr.requests.filter(({ method, status: s }) => method === 'PUT' && s === 405).length, 1);
  });

  it('is put again while a replica is behind', async () => {
    const tags = [one('v1', image({ seed: 'lag' }))];
    const { code, stderr } = await syncTo(tags, { geoLag: 2 });
    equal(code, 0, stderr);
    deepEqual(wrongAt(acr.store, tags), []);
    const puts = acr.requests.filter(
      ({ method, path }) => method === 'PUT' && /manifests/.test(path),
    );
    deepEqual(
      puts.map(({ status }) => status),
      [404, 404, 201],
    );
    // No blob was doubted for it, and brought again.
    const uploads = acr.requests.filter(
      ({ method, path, status }) => method === 'PUT' && /uploads/.test(path) && status === 201,
    );
    equal(uploads.length, 3);
  });
});

describe('an unchanged sync to a registry of Azure', () => {
  it('costs a page per repository, and a HEAD for what a list does not say', async () => {
    const tags = ['a', 'b', 'c'].flatMap((name) =>
      Array.from({ length: 10 }, (_, n) => ({
        repository: `acme/${name}`,
        tag: `v${n}`,
        image: image({ seed: `${name}${n}` }),
      })),
    );
    equal((await syncTo(tags, {})).code, 0);
    acr.resetRequests();
    source.resetRequests();
    const { code, stdout } = await again();
    equal(code, 0);
    match(stdout, /30 unchanged/);
    deepEqual(
      acr.requests.map(({ method, path }) => `${method} ${path.replace(/[?].*/, '')}`).toSorted(),
      [
        'GET /acr/v1/acme%2Fa/_tags',
        'GET /acr/v1/acme%2Fb/_tags',
        'GET /acr/v1/acme%2Fc/_tags',
        'GET /oauth2/token',
        'GET /v2/',
      ],
    );
    equal(source.requests.length, 0);
  });

  it('asks tag by tag where there are few rows', async () => {
    const tags = ['v1', 'v2', 'v3'].map((tag) => one(tag, image({ seed: tag })));
    equal((await syncTo(tags, {})).code, 0);
    acr.resetRequests();
    equal((await again()).code, 0);
    deepEqual(
      acr.requests.map(({ method, path }) => `${method} ${path.replace(/[?].*/, '')}`).toSorted(),
      [
        'GET /oauth2/token',
        'GET /v2/',
        'HEAD /v2/acme/web/manifests/v1',
        'HEAD /v2/acme/web/manifests/v2',
        'HEAD /v2/acme/web/manifests/v3',
      ],
    );
  });
});

async function crawl(...args: string[]): Promise<InProcessResult & { rows: string[] }> {
  const result = await runHere(
    ['crawl', '--registry', acr.host, '--registry-kind', 'acr', '--workdir', dir.path, ...args],
    SOURCE,
  );
  const csv = await readFile(join(dir.path, 'tags.csv'), 'utf8').catch(() => '');
  const rows = csv
    .split('\r\n')
    .slice(1, -1)
    .map((row) => row.split(',').slice(0, 3).join('/'));
  return { ...result, rows };
}

const WEB = image({ seed: 'web' });

/** Two repositories with three tags and one. */
async function startSmall(options: AcrOptions = {}): Promise<void> {
  acr = await startAcr({ users: USERS, ...options });
  for (const tag of ['v1', 'v2', 'v3']) putImage(acr.store, 'acme/web', tag, WEB);
  putImage(acr.store, 'acme/api', 'v1', WEB);
}

describe('a crawl of a registry of Azure', () => {
  beforeEach(() => startSmall());

  it('keeps what is locked against writing, and fails for what may not be pulled', async () => {
    acr.metadata.tag('acme/web', 'v1').attributes.writeEnabled = false;
    acr.metadata.tag('acme/web', 'v2').attributes.readEnabled = false;
    const failed = await crawl();
    equal(failed.code, 1);
    match(
      failed.stderr,
      /acme\/web:v2 can't be pulled, as its readEnabled is false: unlock it, or leave such images out with --skip-private/,
    );
    deepEqual(failed.rows, []);
    const skipped = await crawl('--skip-private', '--explain');
    equal(skipped.code, 0);
    match(skipped.stdout, /drop {2}acme\/web:v2 {2}can't be pulled: its readEnabled is false/);
    deepEqual(skipped.rows, ['acme/api/v1', 'acme/web/v1', 'acme/web/v3']);
  });

  it('lists what is quarantined as any other', async () => {
    acr.metadata.manifest('acme/web', WEB.root.digest).quarantineState = 'Quarantined';
    const { code, stderr, rows } = await crawl('--verify-counts');
    equal(code, 0, stderr);
    deepEqual(rows, ['acme/api/v1', 'acme/web/v1', 'acme/web/v2', 'acme/web/v3']);
  });

  it('does not see what is unlisted, and says so when counts are verified', async () => {
    acr.metadata.tag('acme/web', 'v1').attributes.listEnabled = false;
    deepEqual((await crawl()).rows, ['acme/api/v1', 'acme/web/v2', 'acme/web/v3']);
    const { code, stderr } = await crawl('--verify-counts');
    equal(code, 1);
    match(stderr, /acme\/web: the registry counts 3 tags and lists 2/);
  });

  it('is content when the counts are right, for one request per repository', async () => {
    equal((await crawl('--verify-counts')).code, 0);
    equal(
      acr.requests.filter(({ path }) => /^\/acr\/v1\/acme%2F[a-z]+(\?|$)/.test(path)).length,
      2,
    );
  });

  it('goes by the dates that the registry gives', async () => {
    const now = Date.now();
    const daysAgo = (days: number): string =>
      new Date(now - days * 86_400_000).toISOString().replace('Z', '1234Z');
    acr.metadata.tag('acme/web', 'v1').lastUpdateTime = daysAgo(30);
    acr.metadata.tag('acme/web', 'v2').lastUpdateTime = daysAgo(3);
    acr.metadata.tag('acme/web', 'v3').lastUpdateTime = daysAgo(10);
    const only = ['--repository', 'acme/web'];
    deepEqual((await crawl(...only, '--tag-max-age', '5')).rows, ['acme/web/v2']);
    deepEqual((await crawl(...only, '--tag-min-age', '20')).rows, ['acme/web/v1']);
    deepEqual((await crawl(...only, '--latest', '2')).rows, ['acme/web/v2', 'acme/web/v3']);
  });
});

describe('a crawl of a registry of Azure by those who may little', () => {
  it('reads by names what a token of few repositories may, and says that they must be named', async () => {
    const few = { repositories: { 'acme/web': ['pull', 'metadata_read'] } } as const;
    await startSmall({ users: { bot: { ...USERS.bot, rights: few } } });
    const refused = await crawl();
    equal(refused.code, 1);
    match(refused.stderr, /name them with --repositories-from FILE or --repository NAME/);
    const list = join(dir.path, 'names.txt');
    await writeFile(list, 'acme/web\nacme/api\n');
    const named = await crawl('--repositories-from', list, '--skip-private');
    equal(named.code, 0, named.stderr);
    deepEqual(named.rows, ['acme/web/v1', 'acme/web/v2', 'acme/web/v3']);
    match(named.stderr, /acme\/api.*repository is skipped|repository is skipped.*acme\/api/s);
  });

  it('needs no credentials where anybody may pull', async () => {
    await startSmall({ users: {}, anonymousPull: true });
    const args = ['--registry', acr.host, '--registry-kind', 'acr', '--workdir', dir.path];
    const { code, stderr } = await runHere(['crawl', ...args]);
    equal(code, 0, stderr);
    const csv = await readFile(join(dir.path, 'tags.csv'), 'utf8');
    equal(csv.split('\r\n').length, 6);
  });
});
