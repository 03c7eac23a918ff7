/** Each directory of k8s makes manifests that a cluster takes and that keep our promises. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';

import { BROKEN, broken } from './broken.ts';
import * as clusterRules from './cluster-rules.ts';
import * as houseRules from './house-rules.ts';
import {
  asCronJob,
  containersOf,
  cronJobOf,
  DIRECTORIES,
  JOBS,
  manifestsIn,
  manifestsOf,
  podSpecOf,
  type Manifest,
} from './manifests.ts';
import { invalidities, typeErrors } from './typed.ts';

const RULES = [...Object.values(clusterRules), ...Object.values(houseRules)];

const good = new Map<string, Manifest[]>();
let errors: Map<string, string[]>;

before(async () => {
  await Promise.all(DIRECTORIES.map(async (dir) => good.set(dir, await manifestsOf(dir))));
  await Promise.all(JOBS.map(async (file) => good.set(file, await manifestsIn(file))));
  const bad = BROKEN.map((one) => [one.name, broken(goodOf(one.of), one)] as const);
  errors = await typeErrors(new Map([...good, ...bad]));
});

function goodOf(name: string): Manifest[] {
  const manifests = good.get(name) ?? good.get(join('k8s', 'overlays', name));
  if (manifests === undefined) throw new Error(`there is no ${name}`);
  return manifests;
}

function problemsOf(name: string, manifests: readonly Manifest[]): string[] {
  return [
    ...(errors.get(name) ?? ['was not compiled']),
    ...manifests.flatMap(invalidities),
    ...RULES.flatMap((rule) => rule(manifests)),
  ];
}

describe('the manifests of', () => {
  for (const directory of DIRECTORIES) {
    it(`${directory} are right`, () => deepEqual(problemsOf(directory, goodOf(directory)), []));
  }
});

describe('the job of', () => {
  for (const [file, overlay] of [
    ['k8s/jobs/join-shards.yaml', 'scale-out-audit-volume'],
    ['k8s/jobs/load-media.yaml', 'air-gap'],
  ] as const) {
    it(`${file} is right, and fits ${overlay}`, () => {
      const [job] = goodOf(file);
      const others = goodOf(overlay);
      const [{ image } = {}] = containersOf(podSpecOf(cronJobOf(others)));
      deepEqual(
        [...(errors.get(file) ?? ['was not compiled']), ...goodOf(file).flatMap(invalidities)],
        [],
      );
      const cronJob = asCronJob(job as Manifest);
      const manifests = [cronJob, ...others.filter(({ kind }) => kind !== 'CronJob')];
      deepEqual(
        RULES.flatMap((rule) => rule(manifests)),
        [],
      );
      deepEqual(
        containersOf(podSpecOf(cronJob)).map((one) => one.image),
        [image],
      );
    });
  }
});

describe('a manifest is refused with', () => {
  for (const one of BROKEN) {
    it(one.name, () => {
      const problems = problemsOf(one.name, broken(goodOf(one.of), one));
      ok(
        problems.some((problem) => one.expected.test(problem)),
        problems.join('\n'),
      );
    });
  }
});

describe('the base', () => {
  it('is the CronJob that the README of the Python tool shows', () => {
    const [crawl, sync] = containersOf(podSpecOf(cronJobOf(goodOf('k8s'))));
    const words = ['--registry-name=gsoci', '--namespace=giantswarm', '--workdir=/data'];
    deepEqual(crawl?.command?.slice(0, 4), ['crawl', ...words]);
    const target = ['--target-registry-name=docker.io', '--target-namespace=giantswarm'];
    const ends = ['--source-registry-name=gsoci', '--namespace=giantswarm', ...target];
    deepEqual(sync?.command?.slice(0, 6), ['sync', ...ends, '--workdir=/data']);
  });

  it('is of the version that package.json says', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    for (const { image } of containersOf(podSpecOf(cronJobOf(goodOf('k8s'))))) {
      equal(image, `gsoci.azurecr.io/giantswarm/registry-sync:${version}`);
    }
  });

  it('keeps secrets out of manifests: values come from a Secret, or are paths', () => {
    const variables = DIRECTORIES.flatMap((dir) => containersOf(podSpecOf(cronJobOf(goodOf(dir)))))
      .flatMap(({ env = [] }) => env)
      .filter(({ name }) => /PASSWORD|USERNAME/.test(name));
    ok(variables.length > 0);
    for (const { name, value, valueFrom } of variables) {
      if (name.endsWith('_FILE')) match(value ?? '', /^\/run\/secrets\//);
      else ok(valueFrom?.secretKeyRef !== undefined, name);
    }
  });
});

describe('what is to be changed', () => {
  it('is marked in every file that has something of one registry', () => {
    const files = readdirSync('k8s', { recursive: true, encoding: 'utf8' });
    const unmarked = files
      .filter((name) => name.endsWith('.yaml'))
      .filter((name) => {
        const lines = readFileSync(join('k8s', name), 'utf8').split('\n');
        return lines.some(
          (line) =>
            /=gsoci|giantswarm$|schedule:|storage:|newTag|client-id/.test(line) &&
            !line.includes('CHANGE'),
        );
      });
    deepEqual(unmarked, []);
  });
});
