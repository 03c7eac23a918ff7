/**
 * The pods of the manifests, played: the images run as a cluster would run them, from one real registry to
 * another, both on this machine in the place of the real ones.
 */
import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, it } from 'node:test';

import { REGISTRY_LOGIN } from '../support/docker-registry.ts';
import type { FleetTag } from '../support/fleet.ts';
import { configMapOf, cronJobOf, manifestsOf, type ICronJob } from './manifests.ts';
import type { Played } from './play.ts';
import {
  allOf,
  cronJob,
  endsOf,
  hideLayer,
  jobIn,
  NAMESPACE,
  rowsOf,
  SECRETS,
  TAGS,
  useRegistries,
} from './two-registries.ts';

const scene = useRegistries();

describe('the base', () => {
  it('crawls, syncs, and says what happened', async () => {
    const played = await scene.run(await cronJob('k8s'), 'nightly-1');

    equal(endsOf(played), 'crawl 0, sync 0, report 0', allOf(played));
    await scene.expectCopied(TAGS);
    const { crawl, sync, report } = played.containers;
    match(sync?.lastWords ?? '', /^18 rows: 18 copied, 0 unchanged, 0 failed; /);
    match(crawl?.lastWords ?? '', /18 tags in 9 repositories/);
    match(report?.log ?? '', /18/);
    doesNotMatch(allOf(played), new RegExp(REGISTRY_LOGIN.password.slice(0, 6)));
  });

  it('logs JSON in which each line has the name of the Job', async () => {
    const played = await scene.run(await cronJob('k8s'), 'nightly-2');
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
    const played = await scene.run(await cronJob('k8s'), 'nightly-3', { objects });
    match(endsOf(played), /^crawl 0, sync 1, report -$/);
    match(played.containers['sync']?.lastWords ?? '', /18 failed|credentials|unauthorized/i);
    doesNotMatch(allOf(played), /wrong-password/);
  });
});

describe('the overlay air-gap', () => {
  it('fills a directory per run, from which another registry is loaded', async () => {
    const wanted = TAGS.filter(({ repository }) => repository === `${NAMESPACE}/web`);
    const manifests = await manifestsOf('k8s/overlays/air-gap');
    const media = join(scene.home.path, 'media');
    const list = `${scene.source.host}:\n  images:\n    ${NAMESPACE}/web: []\n`;
    const objects = { ...SECRETS, [configMapOf(manifests)]: { 'images.yaml': list } };
    const claims = { 'registry-sync-media': media };

    const played = await scene.run(cronJobOf(manifests), 'nightly-1-abcde', { objects, claims });

    equal(endsOf(played), 'sync 0, report 0', allOf(played));
    match(played.containers['report']?.log ?? '', /^2 images in nightly-1-abcde: \S+/m);
    const loaded = await scene.run(await jobIn('load-media'), 'load-1', {
      objects,
      claims,
      rewrite: (word: string) =>
        word
          .replace(/^registry\.example\.com\/mirror$/, `${scene.target.host}/${NAMESPACE}`)
          .replace(/^\/data\/registry-sync-.*$/, '/data/nightly-1-abcde'),
    });
    equal(endsOf(loaded), 'load 0', allOf(loaded));
    await scene.expectCopied(wanted);
  });
});

describe('the overlay air-gap-oci', () => {
  it('fills one layout per run, from which another registry is loaded', async () => {
    const manifests = await manifestsOf('k8s/overlays/air-gap-oci');
    const media = join(scene.home.path, 'media');
    const list = `${scene.source.host}:\n  images:\n    ${NAMESPACE}/web: []\n    ${NAMESPACE}/api: []\n`;
    const objects = { ...SECRETS, [configMapOf(manifests)]: { 'images.yaml': list } };
    const claims = { 'registry-sync-media': media };

    const played = await scene.run(cronJobOf(manifests), 'nightly-1-abcde', { objects, claims });

    equal(endsOf(played), 'sync 0, report 0', allOf(played));
    match(played.containers['report']?.log ?? '', /^4 images in nightly-1-abcde: \S+/m);
    const job = await jobIn('load-oci', { POD: 'nightly-1-abcde' });
    const loaded = await scene.run(job, 'load-1', {
      objects,
      claims,
      rewrite: (word: string) =>
        word.replace(/^registry\.example\.com\/mirror$/, `${scene.target.host}/mirror`),
    });
    equal(endsOf(loaded), 'load 0', allOf(loaded));
    const [host = ''] = scene.source.host.split(':');
    for (const { repository, tag, image } of TAGS) {
      if (!/^giantswarm\/(web|api)$/.test(repository)) continue;
      await scene.expectCopied([{ repository: `mirror/${host}/${repository}`, tag, image }]);
    }
  });
});

/** The overlay for three shards: the one number is changed in it as a user would. */
async function threeShards(overlay: string): Promise<ICronJob> {
  const copy = join(scene.home.path, 'k8s');
  await cp('k8s', copy, { recursive: true });
  const file = join(copy, 'components', 'scale-out', 'cronjob.yaml');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replaceAll(/(completions|parallelism|maxFailedIndexes): 4/g, '$1: 3'));
  return cronJob(join(copy, 'overlays', overlay));
}

describe('the overlay scale-out', () => {
  it('does its work in three pods that know nothing of one another', async () => {
    const job = await threeShards('scale-out');

    const played = await Promise.all(
      [0, 1, 2].map((index) => scene.run(job, `shards-${index}`, { index, job: 'shards' })),
    );

    const good = 'crawl 0, sync 0, report 0';
    deepEqual(played.map(endsOf), [good, good, good], played.map(allOf).join('\n'));
    await scene.expectCopied(TAGS);
  });
});

async function joinShards(name: string, variables = {}): Promise<Played> {
  const claims = { 'registry-sync-runs': join(scene.home.path, 'runs') };
  return scene.run(await jobIn('join-shards', variables), name, { claims });
}

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
    const claims = { 'registry-sync-runs': join(scene.home.path, 'runs') };
    return scene.run(job, name, { index, claims, job: 'nightly' });
  };
  beforeEach(async () => {
    job = await threeShards('scale-out-audit-volume');
    directories = [0, 1, 2].map((n) => join(scene.home.path, 'runs', 'nightly', String(n)));
    repair = await hideLayer(scene.source, damaged[0] as FleetTag);
    played = await Promise.all([0, 1, 2].map((index) => shard(index, `nightly-${index}`)));
    await repair();
  });

  it('leaves the others their work when one shard fails, which is tried again alone', async () => {
    const ends = played.map(endsOf);
    deepEqual(ends.toSorted(), [GOOD, GOOD, BAD], played.map(allOf).join('\n'));
    await scene.expectCopied(others);

    const again = await shard(ends.indexOf(BAD), 'nightly-again');

    equal(endsOf(again), GOOD, allOf(again));
    await scene.expectCopied(TAGS);
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

    const joined = await joinShards('join-1');

    equal(endsOf(joined), 'join 0', allOf(joined));
    const whole = join(scene.home.path, 'runs', 'nightly', 'whole');
    equal((await rowsOf(join(whole, 'results.csv'))).length, TAGS.length);
    match(await readFile(join(whole, 'report.html'), 'utf8'), /^<!doctype html>/i);
  });
});

describe('the shards of a run', () => {
  it('are joined of the newest run, or of the one that is named; what has changed is said', async () => {
    const runs = join(scene.home.path, 'runs');
    const job = await threeShards('scale-out-audit-volume');
    const claims = { 'registry-sync-runs': runs };
    await Promise.all(
      [0, 1, 2].map((index) => scene.run(job, `shard-${index}`, { index, claims, job: 'nightly' })),
    );
    await cp(join(runs, 'nightly'), join(runs, 'the-night-before'), { recursive: true });
    const dayAgo = new Date(Date.now() - 24 * 3600 * 1000);
    for (const shardOf of ['0', '1', '2']) {
      await utimes(join(runs, 'the-night-before', shardOf, 'crawl.json'), dayAgo, dayAgo);
    }

    const before = await joinShards('join-2', { RUN: 'the-night-before' });
    await utimes(join(runs, 'the-night-before', 'whole', 'crawl.json'), dayAgo, dayAgo);
    const newest = await joinShards('join-3');
    const again = await joinShards('join-4');

    equal(endsOf(before), 'join 0', allOf(before));
    equal(endsOf(newest), 'join 0', allOf(newest));
    equal(endsOf(again), 'join 0', allOf(again));
    ok(existsSync(join(runs, 'nightly', 'whole', 'report.html')));
    doesNotMatch(before.containers['join']?.log ?? '', /the-night-before/);
    match(newest.containers['join']?.log ?? '', /the-night-before/);
  });
});
