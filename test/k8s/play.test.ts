/**
 * The pods of the manifests, played: the images run as a cluster would run them, from one real registry to
 * another, both on this machine in the place of the real ones.
 */
import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { chown, cp, mkdir, readdir, readFile, rename, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';

import {
  REGISTRY_LOGIN,
  startDockerRegistry,
  type DockerRegistry,
} from '../support/docker-registry.ts';
import { fleet, type FleetTag } from '../support/fleet.ts';
import { push } from '../support/push.ts';
import { rawDigest } from '../support/skopeo.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import {
  asCronJob,
  cronJobOf,
  manifestsIn,
  manifestsOf,
  podSpecOf,
  type ICronJob,
  type Manifest,
} from './manifests.ts';
import { play, type Played } from './play.ts';

const NAMESPACE = 'giantswarm'; // as the manifests have it
const TAGS = fleet(9, 2, NAMESPACE);
const ACCESS = [
  '--tls-verify=false',
  '--creds',
  `${REGISTRY_LOGIN.user}:${REGISTRY_LOGIN.password}`,
];
const SECRETS = {
  'registry-sync': {
    'source-username': 'nobody',
    'source-password': 'asks for it',
    'target-username': REGISTRY_LOGIN.user,
    'target-password': REGISTRY_LOGIN.password,
  },
};

let home: TempDir;
let source: DockerRegistry;
let target: DockerRegistry;

before(async () => {
  source = await startDockerRegistry();
  for (const { repository, tag, image } of TAGS) await push(source.origin, repository, tag, image);
});
after(() => source.stop());
beforeEach(async () => {
  home = await tempDir();
  target = await startDockerRegistry({ htpasswd: true });
});
afterEach(async () => {
  await target.stop();
  await home[Symbol.asyncDispose]();
});

/** Real registries' names become those of this machine's. */
function rewrite(word: string): string {
  return word
    .replace(/^--(source-)?registry-name=gsoci$/, `--$1registry=${source.host}`)
    .replace(/^--target-registry-name=docker\.io$/, `--target-registry=${target.host}`);
}

async function cronJob(directory: string): Promise<ICronJob> {
  return cronJobOf(await manifestsOf(directory));
}

function run(job: ICronJob, name: string, more: object = {}): Promise<Played> {
  const options = { name, job: name, objects: SECRETS, rewrite, directory: home.path };
  return play(job, { ...options, ...more });
}

/** A Job that is started by hand, for that run. */
async function jobIn(name: string, ofRun = ''): Promise<ICronJob> {
  const [job] = await manifestsIn(join('k8s', 'jobs', `${name}.yaml`));
  const made = asCronJob(job as Manifest);
  const variables = podSpecOf(made).containers[0]?.env ?? [];
  for (const variable of variables.filter(({ name: one }) => one === 'RUN')) variable.value = ofRun;
  return made;
}

/** The ends of a pod's containers, as `crawl 0, sync 3, report -`. */
function endsOf({ containers }: Played): string {
  return Object.entries(containers)
    .map(([name, { code }]) => `${name} ${code ?? '-'}`)
    .join(', ');
}

async function expectCopied(tags: readonly FleetTag[]): Promise<void> {
  for (const { repository, tag, image } of tags) {
    const digest = await rawDigest(`docker://${target.host}/${repository}:${tag}`, ACCESS);
    equal(digest, image.root.digest, `${repository}:${tag}`);
  }
}

function allOf(played: Played): string {
  return JSON.stringify(played.containers, undefined, 1);
}

describe('the base', () => {
  it('crawls, syncs, and says what happened', async () => {
    const played = await run(await cronJob('k8s'), 'nightly-1');

    equal(endsOf(played), 'crawl 0, sync 0, report 0', allOf(played));
    await expectCopied(TAGS);
    const { crawl, sync, report } = played.containers;
    match(sync?.lastWords ?? '', /^18 rows: 18 copied, 0 unchanged, 0 failed; /);
    match(crawl?.lastWords ?? '', /18 tags in 9 repositories/);
    match(report?.log ?? '', /18/);
    doesNotMatch(allOf(played), new RegExp(REGISTRY_LOGIN.password.slice(0, 6)));
  });

  it('logs JSON in which each line has the name of the Job', async () => {
    const played = await run(await cronJob('k8s'), 'nightly-2');
    for (const name of ['crawl', 'sync']) {
      const lines = (played.containers[name]?.log ?? '')
        .split('\n')
        .filter((l) => l.startsWith('{'));
      ok(lines.length > 0, name);
      for (const line of lines) equal((JSON.parse(line) as { run: string }).run, 'nightly-2');
    }
  });

  it('ends with 1 where the credentials are wrong, and says so in its last words', async () => {
    const secret = { ...SECRETS['registry-sync'], 'target-password': 'wrong-password' };
    const objects = { 'registry-sync': secret };
    const played = await run(await cronJob('k8s'), 'nightly-3', { objects });
    match(endsOf(played), /^crawl 0, sync 1, report -$/);
    match(played.containers['sync']?.lastWords ?? '', /18 failed|credentials|unauthorized/i);
    doesNotMatch(allOf(played), /wrong-password/);
  });
});

describe('the overlay audit-volume', () => {
  it('keeps the files of each run in a directory of its own, and removes old ones', async () => {
    const job = await cronJob('k8s/overlays/audit-volume');
    const runs = join(home.path, 'runs');
    const old = join(runs, 'nightly-of-long-ago');
    await mkdir(old, { recursive: true });
    await writeFile(join(old, 'results.csv'), '');
    await chown(old, 1000, 1000);
    const longAgo = new Date(Date.now() - 100 * 24 * 3600 * 1000);
    await utimes(old, longAgo, longAgo);
    const claims = { 'registry-sync-runs': runs };

    const first = await run(job, 'nightly-1', { claims });
    equal(endsOf(first), 'retention 0, crawl 0, sync 0, report 0', allOf(first));
    const second = await run(job, 'nightly-2', { claims });
    equal(endsOf(second), 'retention 0, crawl 0, sync 0, report 0', allOf(second));

    deepEqual((await readdir(runs)).toSorted(), ['nightly-1', 'nightly-2']);
    match(first.containers['retention']?.log ?? '', /nightly-of-long-ago/);
    for (const [name, status] of [
      ['nightly-1', 'copied'],
      ['nightly-2', 'unchanged'],
    ] as const) {
      const results = await readFile(join(runs, name, 'results.csv'), 'utf8');
      equal(results.split(`,${status},`).length - 1, TAGS.length, name);
      for (const file of ['repositories.csv', 'tags.csv', 'report.html']) {
        ok((await readdir(join(runs, name))).includes(file), `${name}/${file}`);
      }
    }
  });
});

describe('the overlay air-gap', () => {
  it('fills a directory per run, from which another registry is loaded', async () => {
    const wanted = TAGS.filter(({ repository }) => repository === `${NAMESPACE}/web`);
    const manifests = await manifestsOf('k8s/overlays/air-gap');
    const media = join(home.path, 'media');
    const list = `${source.host}:\n  images:\n    ${NAMESPACE}/web: []\n`;
    const objects = { ...SECRETS, [configMapOf(manifests)]: { 'images.yaml': list } };
    const claims = { 'registry-sync-media': media };

    const played = await run(cronJobOf(manifests), 'nightly-1-abcde', { objects, claims });

    equal(endsOf(played), 'sync 0, report 0', allOf(played));
    match(played.containers['report']?.log ?? '', /^2 images in nightly-1-abcde: \S+/m);
    const loaded = await run(await jobIn('load-media'), 'load-1', {
      objects,
      claims,
      rewrite: (word: string) =>
        word
          .replace(/^registry\.example\.com\/mirror$/, `${target.host}/${NAMESPACE}`)
          .replace(/^\/data\/registry-sync-.*$/, '/data/nightly-1-abcde'),
    });
    equal(endsOf(loaded), 'load 0', allOf(loaded));
    await expectCopied(wanted);
  });
});

function configMapOf(manifests: readonly Manifest[]): string {
  return manifests.find(({ kind }) => kind === 'ConfigMap')?.metadata.name ?? '';
}

/** The overlay for three shards: the one number is changed in it as a user would. */
async function threeShards(overlay: string): Promise<ICronJob> {
  const copy = join(home.path, 'k8s');
  await cp('k8s', copy, { recursive: true });
  const file = join(copy, 'components', 'scale-out', 'cronjob.yaml');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replaceAll(/(completions|parallelism|maxFailedIndexes): 4/g, '$1: 3'));
  return cronJob(join(copy, 'overlays', overlay));
}

/** Hides a layer that only this image has, at the source: the tag is there, its blob is not. */
async function hideLayer({ image }: FleetTag): Promise<() => Promise<void>> {
  const hex = image.blobs.at(-1)?.digest.replace('sha256:', '') ?? '';
  const blobs = join(source.storage, 'docker', 'registry', 'v2', 'blobs', 'sha256');
  const file = join(blobs, hex.slice(0, 2), hex, 'data');
  await rename(file, `${file}.hidden`);
  return () => rename(`${file}.hidden`, file);
}

describe('the overlay scale-out', () => {
  it('does its work in three pods that know nothing of one another', async () => {
    const job = await threeShards('scale-out');

    const played = await Promise.all(
      [0, 1, 2].map((index) => run(job, `shards-${index}`, { index, job: 'shards' })),
    );

    const good = 'crawl 0, sync 0, report 0';
    deepEqual(played.map(endsOf), [good, good, good], played.map(allOf).join('\n'));
    await expectCopied(TAGS);
  });
});

describe('the overlay scale-out-audit-volume', () => {
  const GOOD = 'retention 0, crawl 0, sync 0, report 0';
  const BAD = 'retention 0, crawl 0, sync 3, report -';
  const damaged = TAGS.slice(0, 2); // two tags of one image
  const others = TAGS.slice(2);
  let repair: () => Promise<void>;
  let played: Played[];
  let job: ICronJob;
  let directories: string[];

  const shard = (index: number, name: string): Promise<Played> => {
    const claims = { 'registry-sync-runs': join(home.path, 'runs') };
    return run(job, name, { index, claims, job: 'nightly' });
  };
  beforeEach(async () => {
    job = await threeShards('scale-out-audit-volume');
    directories = [0, 1, 2].map((n) => join(home.path, 'runs', 'nightly', String(n)));
    repair = await hideLayer(damaged[0] as FleetTag);
    played = await Promise.all([0, 1, 2].map((index) => shard(index, `nightly-${index}`)));
    await repair();
  });

  it('leaves the others their work when one shard fails, which is tried again alone', async () => {
    const ends = played.map(endsOf);
    deepEqual(ends.toSorted(), [GOOD, GOOD, BAD], played.map(allOf).join('\n'));
    await expectCopied(others);

    const again = await shard(ends.indexOf(BAD), 'nightly-again');

    equal(endsOf(again), GOOD, allOf(again));
    await expectCopied(TAGS);
  });

  it('has each tag in one shard, and each result; report joins them', async () => {
    for (const [name, failed] of [
      ['tags.csv', 0],
      ['results.csv', damaged.length],
    ] as const) {
      const rows = await Promise.all(directories.map((dir) => rowsOf(join(dir, name))));
      equal(rows.flat().length, TAGS.length, name);
      equal(new Set(rows.flat().map((row) => row.split(',').slice(0, 3).join())).size, TAGS.length);
      equal(rows.flat().filter((row) => row.includes(',failed,')).length, failed);
    }

    const joined = await run(await jobIn('join-shards', 'nightly'), 'join-1', {
      claims: { 'registry-sync-runs': join(home.path, 'runs') },
    });

    equal(endsOf(joined), 'join 0', allOf(joined));
    const whole = join(home.path, 'runs', 'nightly', 'whole');
    equal((await rowsOf(join(whole, 'results.csv'))).length, TAGS.length);
    match(await readFile(join(whole, 'report.html'), 'utf8'), /^<!doctype html>/i);
  });
});

/** Without the header. */
async function rowsOf(file: string): Promise<string[]> {
  return (await readFile(file, 'utf8')).trimEnd().split('\r\n').slice(1);
}
