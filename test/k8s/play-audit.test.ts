/**
 * What operators look at, played: the runs that a volume keeps, metrics at a real Pushgateway, and the pods
 * of verify and prune.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePort } from '../support/free-port.ts';
import type { FleetTag } from '../support/fleet.ts';
import { image } from '../support/images.ts';
import { push } from '../support/push.ts';
import { rawDigest } from '../support/skopeo.ts';
import type { ICronJob } from './manifests.ts';
import type { Played } from './play.ts';
import {
  ACCESS,
  allOf,
  cronJob,
  endsOf,
  hideLayer,
  jobIn,
  NAMESPACE,
  TAGS,
  useRegistries,
} from './two-registries.ts';

const scene = useRegistries();

const runs = (...path: string[]): string => join(scene.home.path, 'runs', ...path);

function runOnVolume(job: ICronJob, name: string, more: object = {}): Promise<Played> {
  return scene.run(job, name, { claims: { 'registry-sync-runs': runs() }, ...more });
}

describe('the overlay audit-volume', () => {
  it('keeps the files of each run in a directory of its own, and removes old ones', async () => {
    const job = await cronJob('k8s/overlays/audit-volume');
    const old = runs('nightly-of-long-ago');
    await mkdir(old, { recursive: true });
    await writeFile(join(old, 'results.csv'), '');
    await chown(old, 1000, 1000);
    const longAgo = new Date(Date.now() - 100 * 24 * 3600 * 1000);
    await utimes(old, longAgo, longAgo);

    const first = await runOnVolume(job, 'nightly-1');
    equal(endsOf(first), 'retention 0, crawl 0, sync 0, report 0', allOf(first));
    const second = await runOnVolume(job, 'nightly-2');
    equal(endsOf(second), 'retention 0, crawl 0, sync 0, report 0', allOf(second));

    deepEqual((await readdir(runs())).toSorted(), ['nightly-1', 'nightly-2']);
    match(first.containers['retention']?.log ?? '', /nightly-of-long-ago/);
    match(first.containers['report']?.log ?? '', /^\{.*"run":"nightly-1".*page written/m);
    for (const [name, status] of [
      ['nightly-1', 'copied'],
      ['nightly-2', 'unchanged'],
    ] as const) {
      const results = await readFile(runs(name, 'results.csv'), 'utf8');
      equal(results.split(`,${status},`).length - 1, TAGS.length, name);
      for (const file of ['repositories.csv', 'tags.csv', 'report.html']) {
        ok((await readdir(runs(name))).includes(file), `${name}/${file}`);
      }
    }
  });
});

describe('a night in which rows failed', () => {
  it('has its page too, which says what failed and what has changed since the night before', async () => {
    const job = await cronJob('k8s/overlays/audit-volume');
    await runOnVolume(job, 'nightly-1');
    const added = { repository: `${NAMESPACE}/web`, tag: 'added', image: image({ seed: 'added' }) };
    await push(scene.source.origin, added.repository, added.tag, added.image);
    await hideLayer(scene.source, added);

    const bad = await runOnVolume(job, 'nightly-2');

    await removeTag(scene.source, added);
    equal(endsOf(bad), 'retention 0, crawl 0, sync 3, report -', allOf(bad));
    const page = await readFile(runs('nightly-2', 'report.html'), 'utf8');
    const text = page
      .slice(page.indexOf('<main'))
      .replaceAll(/<[^>]*>/g, ' ')
      .replaceAll(/\s+/g, ' ');
    match(text, /18 of 19 tags are at the target; 1 failed/);
    match(text, /Compared with \/runs\/nightly-1, .* 1 tag came/);
  });
});

describe('the overlay verify', () => {
  it('says that all is as it was synced, and what is damaged or missing later', async () => {
    await scene.run(await cronJob('k8s'), 'nightly-1');
    const job = await cronJob('k8s/overlays/verify');
    const good = await scene.run(job, 'weekly-1');
    equal(endsOf(good), 'crawl 0, verify 0, report 0', allOf(good));
    match(good.containers['verify']?.lastWords ?? '', /^18 rows: 18 ok, 0 missing/);
    match(good.containers['report']?.log ?? '', /verif/);

    const damaged = TAGS[0] as FleetTag; // and the next tag, of the same image
    await hideLayer(scene.target, damaged);
    await removeTag(scene.target, TAGS.at(-1) as FleetTag);
    const bad = await scene.run(job, 'weekly-2');

    equal(endsOf(bad), 'crawl 0, verify 3, report -', allOf(bad));
    const { lastWords, log } = bad.containers['verify'] ?? { lastWords: '', log: '' };
    match(lastWords, /^18 rows: 15 ok, 1 missing, 0 differs, 2 damaged/);
    match(log, new RegExp(damaged.repository));
  });
});

/** As somebody does who deletes it. */
async function removeTag(
  { storage }: { readonly storage: string },
  { repository, tag }: Omit<FleetTag, 'image'>,
): Promise<void> {
  const repositories = join(storage, 'docker', 'registry', 'v2', 'repositories');
  await rm(join(repositories, repository, '_manifests', 'tags', tag), { recursive: true });
}

describe('the jobs of prune', () => {
  const OLD = { repository: `${NAMESPACE}/web`, tag: 'old' };

  it('show what the source has no more, and delete that plan which is named', async () => {
    await push(scene.source.origin, OLD.repository, OLD.tag, image({ seed: 'old' }));
    const nightly = await cronJob('k8s/overlays/audit-volume');
    await runOnVolume(nightly, 'nightly-1');
    await removeTag(scene.source, OLD);
    await runOnVolume(nightly, 'nightly-2');

    const planned = await runOnVolume(await jobIn('prune-plan'), 'plan-1', {
      rewrite: (word: string) => scene.rewrite(word).replace(/^--min-age=30$/, '--min-age=0'),
    });

    equal(endsOf(planned), 'plan 0, show 0', allOf(planned));
    match(planned.containers['plan']?.lastWords ?? '', /^1 of 19 tags would go/);
    const shown = planned.containers['show']?.log ?? '';
    match(shown, /^giantswarm\/web,old,sha256:\w+,.*,delete,/m);
    const [, name, value] = / (RUN)=(\S+) -o yaml \| kubectl create -f -$/m.exec(shown) ?? [];
    deepEqual([name, value], ['RUN', 'nightly-2']);

    const refused = await runOnVolume(await jobIn('prune-apply'), 'apply-1');
    equal(endsOf(refused), 'apply 2', allOf(refused));
    match(refused.containers['apply']?.log ?? '', /RUN: which plan is to be applied/);
    ok((await digestAtTarget(OLD)) !== undefined);

    const applied = await runOnVolume(await jobIn('prune-apply', { RUN: value ?? '' }), 'apply-2');

    equal(endsOf(applied), 'apply 0', allOf(applied));
    match(applied.containers['apply']?.lastWords ?? '', /^1 row: 1 deleted/);
    equal(await digestAtTarget(OLD), undefined);
    await scene.expectCopied(TAGS);
  });
});

function digestAtTarget({ repository, tag }: Omit<FleetTag, 'image'>): Promise<string | undefined> {
  const name = `docker://${scene.target.host}/${repository}:${tag}`;
  return rawDigest(name, ACCESS).catch(() => undefined);
}

describe('the overlay metrics-push', () => {
  it('hands on what the alerts need to a real Pushgateway, at the port that is open', async () => {
    await using gateway = await startPushgateway();
    const rewrite = (word: string): string =>
      scene.rewrite(word).replace(/^http:\/\/pushgateway\.monitoring:9091$/, gateway.url);

    const played = await scene.run(await cronJob('k8s/overlays/metrics-push'), 'nightly-1', {
      rewrite,
    });

    equal(endsOf(played), 'crawl 0, sync 0, report 0', allOf(played));
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    for (const command of ['crawl', 'sync']) {
      match(
        text,
        new RegExp(`^registry_sync_last_success_timestamp_seconds{command="${command}"`, 'm'),
      );
    }
    match(text, /^registry_sync_rows{command="sync",[^}]*outcome="copied"[^}]*} 18$/m);
    match(text, /^registry_sync_rows{command="crawl",[^}]*outcome="kept"[^}]*} 18$/m);
  });
});

interface Pushgateway extends AsyncDisposable {
  readonly url: string;
}

async function startPushgateway(): Promise<Pushgateway> {
  const address = `127.0.0.1:${await freePort()}`;
  const words = [
    '--pdeathsig',
    'KILL',
    'prometheus-pushgateway',
    `--web.listen-address=${address}`,
  ];
  const child = spawn('setpriv', words, { stdio: 'ignore' });
  const url = `http://${address}`;
  const isReady = (): Promise<boolean> =>
    fetch(`${url}/-/ready`).then(
      ({ ok: isOk }) => isOk,
      () => false,
    );
  for (let tries = 0; !(await isReady()); tries += 1) {
    if (tries > 200) throw new Error('the Pushgateway does not answer');
    await sleep(50);
  }
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
    },
  };
}
