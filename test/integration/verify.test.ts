/** `verify` and `sync --repair` on Debian's docker-registry, whose storage is damaged under its hands. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';

import { runCli, type CliResult } from '../support/cli.ts';
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts';
import { image, index, layer, type BuiltImage } from '../support/images.ts';
import { push } from '../support/push.ts';
import { skopeo } from '../support/skopeo.ts';
import { tagsCsv } from '../support/synced.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { dataFile, statusesIn, verifyRowsIn } from '../support/verified.ts';

let source: DockerRegistry;
let target: DockerRegistry;

before(async () => {
  source = await startDockerRegistry();
  target = await startDockerRegistry({ deleteEnabled: true });
});
after(() => Promise.all([source.stop(), target.stop()]));

/** What a test has for itself: images under its own names, at both registries. */
interface Stage extends AsyncDisposable {
  readonly dir: string;
  readonly images: Readonly<Record<string, BuiltImage>>;
  readonly run: (command: 'sync' | 'verify', ...words: string[]) => Promise<CliResult>;
}

async function startStage(namespace: string): Promise<Stage> {
  const dir: TempDir = await tempDir();
  const base = layer({ seed: `${namespace}/base`, layerBytes: 300_000 });
  const built = (seed: string): BuiltImage =>
    image({
      seed: `${namespace}/${seed}`,
      layers: [base, layer({ seed: `${namespace}/${seed}` })],
    });
  const entries = ['amd64', 'arm64'].map((architecture) => ({
    image: built(architecture),
    platform: { os: 'linux', architecture },
  }));
  const images = { web: built('web'), api: built('api'), multi: index(entries) };
  const tags = Object.entries(images).map(([name, one]) => ({
    repository: `${namespace}/${name}`,
    tag: '1',
    image: one,
  }));
  for (const { repository, tag, image: one } of tags)
    await push(source.origin, repository, tag, one);
  await writeFile(join(dir.path, 'tags.csv'), tagsCsv(tags));
  const ends = ['--source-registry', source.host, '--target-registry', target.host];
  const run = (command: string, ...words: string[]): Promise<CliResult> =>
    runCli([command, ...ends, '--workdir', dir.path, '--retry-times', '1', ...words]);
  const { code, stderr } = await run('sync');
  equal(code, 0, stderr);
  return { dir: dir.path, images, run, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

/** The digest of the layer that only this image has, at some platform of it. */
function ownLayer(built: BuiltImage | undefined): string {
  return built?.blobs.at(-1)?.digest ?? '';
}

/** skopeo can read it, and skopeo checks all that it reads. */
async function readable(repository: string): Promise<void> {
  await using dir = await tempDir();
  const from = `docker://${target.host}/${repository}:1`;
  await skopeo(['copy', '--all', '--src-tls-verify=false', from, `dir:${join(dir.path, 'image')}`]);
}

const ALL_OK = { 'web:1': 'ok', 'api:1': 'ok', 'multi:1': 'ok' };

describe('a registry that has all', () => {
  it('is ok at every depth', async () => {
    await using stage = await startStage('whole');

    for (const words of [[], ['--deep'], ['--deep=manifests'], ['--deep=bytes']]) {
      const { code, stdout, stderr } = await stage.run('verify', ...words);
      equal(code, 0, stderr);
      match(stdout, /^3 rows: 3 ok, 0 missing, 0 differs, 0 damaged, 0 failed; \d+ requests; /);
      deepEqual(await statusesIn(stage.dir), ALL_OK);
    }
    const { web } = stage.images;
    const [api, multi, one] = await verifyRowsIn(stage.dir);
    const bytes = [web?.root, ...(web?.blobs ?? [])].reduce(
      (sum, b) => sum + (b?.bytes.length ?? 0),
      0,
    );
    equal(one?.size, String(bytes));
    equal(one?.found_digest, web?.root.digest);
    ok(Number(multi?.size) > Number(api?.size));
  });
});

describe("a blob that is gone from the registry's disk", () => {
  it('is found by --deep only, passed over by sync, and brought back by --repair', async () => {
    await using stage = await startStage('gone');
    const digest = ownLayer(stage.images['web']);
    await rm(dataFile(target, digest));

    equal((await stage.run('verify')).code, 0);
    const deep = await stage.run('verify', '--deep');
    equal(deep.code, 3);
    match(deep.stdout, /^3 rows: 2 ok, 0 missing, 0 differs, 1 damaged, 0 failed/);
    const [, , web] = await verifyRowsIn(stage.dir);
    deepEqual([web?.status, web?.detail], ['damaged', `blob ${digest} is missing`]);
    match((await stage.run('sync')).stdout, /^3 rows: 0 copied, 3 unchanged/);

    const repaired = await stage.run('sync', '--repair');

    equal(repaired.code, 0, repaired.stderr);
    match(repaired.stdout, /^1 rows: 1 copied, 0 unchanged, 0 failed/);
    equal((await stage.run('verify', '--deep=bytes')).code, 0);
    await readable('gone/web');
  });

  it('is brought back once for all who share it', async () => {
    await using stage = await startStage('shared');
    const base = stage.images['web']?.blobs[1]?.digest ?? '';
    await rm(dataFile(target, base));

    match((await stage.run('verify', '--deep')).stdout, /^3 rows: 0 ok, .* 3 damaged/);
    const { code, stderr } = await stage.run('sync', '--repair');

    equal(code, 0, stderr);
    equal((await stage.run('verify', '--deep=bytes')).code, 0);
    for (const name of Object.keys(stage.images)) await readable(`shared/${name}`);
  });

  it("is brought back for a platform's image too", async () => {
    await using stage = await startStage('platforms');
    const words = ['--target-namespace', 'one-platform', '--platform', 'linux/arm64'];
    equal((await stage.run('sync', ...words)).code, 0);
    equal((await stage.run('verify', ...words)).code, 0);
    const wrong = await stage.run('verify', '--target-namespace', 'one-platform');
    match(wrong.stdout, /^3 rows: 2 ok, 0 missing, 1 differs/);
    await rm(dataFile(target, ownLayer(stage.images['multi'])));

    equal((await stage.run('verify', '--deep', ...words)).code, 3);
    const { code, stderr } = await stage.run('sync', '--repair', ...words);

    equal(code, 0, stderr);
    equal((await stage.run('verify', '--deep=bytes', ...words)).code, 0);
  });
});

describe("a manifest that is gone from the registry's disk", () => {
  it('is found by --deep where an index lists it, and brought back', async () => {
    await using stage = await startStage('child');
    const child = stage.images['multi']?.manifests[0]?.digest ?? '';
    await rm(dataFile(target, child));

    equal((await stage.run('verify')).code, 0);
    equal((await stage.run('verify', '--deep')).code, 3);
    const [, multi] = await verifyRowsIn(stage.dir);
    deepEqual([multi?.status, multi?.detail], ['damaged', `manifest ${child} is missing`]);

    equal((await stage.run('sync', '--repair')).code, 0);
    equal((await stage.run('verify', '--deep')).code, 0);
    await readable('child/multi');
  });
});

describe('wrong bytes', () => {
  it('are found by --deep=bytes only; the registry keeps them, which the repair says', async () => {
    await using stage = await startStage('flipped');
    const digest = ownLayer(stage.images['web']);
    const file = dataFile(target, digest);
    const bytes = await readFile(file);
    bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
    await writeFile(file, bytes);

    equal((await stage.run('verify', '--deep')).code, 0);
    equal((await stage.run('verify', '--deep=bytes')).code, 3);
    const [, , web] = await verifyRowsIn(stage.dir);
    equal(web?.status, 'damaged');
    match(web?.detail ?? '', new RegExp(`^blob ${digest} hashes to [0-9a-f]{64}$`));

    const kept = await stage.run('sync', '--repair');
    equal(kept.code, 3);
    match(kept.stdout, /^1 rows: 0 copied, 0 unchanged, 1 failed/);
    match(
      kept.stderr,
      new RegExp(`still damaged: blob ${digest} hashes to .*: the registry keeps`),
    );

    await rm(file); // as the message says
    const repaired = await stage.run('sync', '--repair');
    equal(repaired.code, 0, repaired.stderr);
    equal((await stage.run('verify', '--deep=bytes')).code, 0);
  });

  it('come back after a DELETE of the blob, and not after garbage was collected', async () => {
    await using stage = await startStage('kept');
    const { web } = stage.images;
    const digest = ownLayer(web);
    await writeFile(dataFile(target, digest), 'other bytes');
    const blob = `${target.origin}/v2/kept/web/blobs/${digest}`;
    equal((await fetch(blob, { method: 'DELETE' })).status, 202);
    equal((await fetch(blob, { method: 'HEAD' })).status, 404);

    equal((await stage.run('verify', '--deep')).code, 3);
    const kept = await stage.run('sync', '--repair');
    equal(kept.code, 3);
    match(kept.stderr, /still damaged: blob sha256:\w+ has 11 bytes instead of/);

    const manifest = `${target.origin}/v2/kept/web/manifests/${web?.root.digest}`;
    equal((await fetch(manifest, { method: 'DELETE' })).status, 202);
    const config = join(dirname(target.storage), 'config.yml');
    await promisify(execFile)('docker-registry', ['garbage-collect', config]);
    const repaired = await stage.run('sync', '--repair');
    equal(repaired.code, 0, repaired.stderr);
    equal((await stage.run('verify', '--deep=bytes')).code, 0);
  });
});

describe('bytes that are cut off or put in', () => {
  it('are found by --deep when there are fewer of them', async () => {
    await using stage = await startStage('cut');
    const digest = ownLayer(stage.images['api']);
    await truncate(dataFile(target, digest), 12);

    equal((await stage.run('verify', '--deep')).code, 3);

    const [api] = await verifyRowsIn(stage.dir);
    const size = stage.images['api']?.blobs.at(-1)?.bytes.length;
    equal(api?.detail, `blob ${digest} has 12 bytes instead of ${size}`);
    const kept = await stage.run('sync', '--repair');
    equal(kept.code, 3);
    match(kept.stderr, /still damaged: blob sha256:\w+ has 12 bytes instead of/);
  });

  it('of a manifest are found by --deep, and kept too', async () => {
    await using stage = await startStage('manifest');
    const child = stage.images['multi']?.manifests[0];
    const text = Buffer.from(child?.bytes ?? []).toString('utf8');
    await writeFile(dataFile(target, child?.digest ?? ''), text.replace('"size":', '"size": '));

    equal((await stage.run('verify', '--deep')).code, 3);

    const [, multi] = await verifyRowsIn(stage.dir);
    match(multi?.detail ?? '', new RegExp(`^manifest ${child?.digest} has other content: `));
    match((await stage.run('sync', '--repair')).stderr, /still damaged: manifest/);

    await truncate(dataFile(target, child?.digest ?? ''), 50);
    const cut = await stage.run('sync', '--repair');
    equal(cut.code, 3);
    match(cut.stderr, /the registry fails.*500/); // as before it was pushed
  });
});

describe('a tag', () => {
  it('that skopeo moved differs, and is put back', async () => {
    await using stage = await startStage('moved');
    const tls = ['--src-tls-verify=false', '--dest-tls-verify=false'];
    const [from, to] = ['api', 'web'].map((name) => `docker://${target.host}/moved/${name}:1`);
    await skopeo(['copy', '--preserve-digests', ...tls, from ?? '', to ?? '']);

    const { code, stderr } = await stage.run('verify');

    equal(code, 3);
    match(stderr, /WARN.* image differs/);
    const [, , web] = await verifyRowsIn(stage.dir);
    const { web: was, api: is } = stage.images;
    deepEqual([web?.status, web?.found_digest], ['differs', is?.root.digest]);
    equal(web?.detail, `is ${is?.root.digest} instead of ${was?.root.digest}`);
    equal((await stage.run('sync', '--repair')).code, 0);
    equal((await stage.run('verify', '--deep')).code, 0);
  });

  it('that was deleted is missing, and is put back', async () => {
    await using stage = await startStage('deleted');
    await skopeo(['delete', '--tls-verify=false', `docker://${target.host}/deleted/web:1`]);

    equal((await stage.run('verify')).code, 3);

    deepEqual(await statusesIn(stage.dir), { ...ALL_OK, 'web:1': 'missing' });
    const words = ['--tags-file', join(stage.dir, 'verify.csv')];
    match((await stage.run('sync', ...words)).stdout, /^3 rows: 1 copied, 2 unchanged/);
    equal((await stage.run('verify', '--deep')).code, 0);
    match((await stage.run('sync', '--repair')).stdout, /^0 rows: 0 copied/);
  });
});
