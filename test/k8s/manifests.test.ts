/** Each directory of k8s makes manifests that a cluster takes and that keep our promises. */
import { deepEqual, match, ok } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';

import { tempDir } from '../support/temp-dir.ts';
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

const ALL = ['acr-workload-identity', 'docker-hub', 'scale-out', 'audit-volume'];
/** metrics-push first or last makes no difference; verify comes last. */
const TOGETHER: readonly (readonly string[])[] = [
  ['metrics-push', ...ALL],
  [...ALL, 'metrics-push', 'verify'],
  ['audit-volume', 'verify'],
];

const good = new Map<string, Manifest[]>();
let errors: Map<string, string[]>;

before(async () => {
  await Promise.all(DIRECTORIES.map(async (dir) => good.set(dir, await manifestsOf(dir))));
  await Promise.all(JOBS.map(async (file) => good.set(file, await manifestsIn(file))));
  for (const names of TOGETHER) good.set(names.join(), await manifestsOfComponents(names));
  const bad = BROKEN.map((one) => [one.name, broken(goodOf(one.of), one)] as const);
  errors = await typeErrors(new Map([...good, ...bad]));
});

/** As people put them together: an overlay that names them. */
async function manifestsOfComponents(names: readonly string[]): Promise<Manifest[]> {
  await using dir = await tempDir();
  const copy = join(dir.path, 'k8s');
  await cp('k8s', copy, { recursive: true });
  const overlay = join(copy, 'overlays', 'mine');
  await mkdir(overlay);
  const lines = [
    'resources: [../../base]',
    'components:',
    ...names.map((name) => `  - ../../components/${name}`),
    // Several pods at once on one volume: as in overlays/scale-out-audit-volume.
    ...(names.includes('scale-out') && names.includes('audit-volume') ? [SHARED_VOLUME] : []),
  ];
  await writeFile(join(overlay, 'kustomization.yaml'), lines.join('\n'));
  return await manifestsOf(overlay);
}

const SHARED_VOLUME = `patches:
  - target: { kind: PersistentVolumeClaim }
    patch: '[{ "op": "replace", "path": "/spec/accessModes", "value": ["ReadWriteMany"] }]'`;

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
    ['k8s/jobs/load-oci.yaml', 'air-gap-oci'],
    ['k8s/jobs/prune-apply.yaml', 'audit-volume'],
    ['k8s/jobs/prune-plan.yaml', 'audit-volume'],
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
      deepEqual([...new Set(containersOf(podSpecOf(cronJob)).map((one) => one.image))], [image]);
    });
  }
});

describe('components together', () => {
  for (const names of TOGETHER) {
    it(`are right: ${names.join(', ')}`, () => {
      deepEqual(problemsOf(names.join(), goodOf(names.join())), []);
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

describe('the version', () => {
  it('is that of package.json in every file that has it', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    const files = readdirSync('k8s', { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => join('k8s', name));
    const found = ['Dockerfile', ...files].flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(VERSION)].map(([, at]) => `${file} ${at}`),
    );
    const expected = [
      'Dockerfile',
      'k8s/base/kustomization.yaml',
      'k8s/overlays/air-gap/images.yaml',
      ...JOBS,
    ];
    deepEqual(
      [...new Set(found)].toSorted(),
      expected.map((file) => `${file} ${version}`).toSorted(),
    );
  });
});

/** Of ours: in the name of an image, as its tag, as a label. */
const VERSION = /(?:registry-sync:|newTag: |registry-sync: \['|image\.version=")(\d[^\s'"]*)/g;
