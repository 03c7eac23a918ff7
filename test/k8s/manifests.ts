/** What `kubectl kustomize` makes of a directory of k8s, as objects. */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { IIoK8sApiCoreV1PodSpec } from 'kubernetes-models/v1/PodSpec';
import type { IIoK8sApiCoreV1Container } from 'kubernetes-models/v1/Container';
import type { ICronJob } from 'kubernetes-models/batch/v1/CronJob';
import type { IJob } from 'kubernetes-models/batch/v1/Job';
import { parseAllDocuments } from 'yaml';

import { output } from '../support/containers/programs.ts';
import { kubectl } from '../support/kubectl.ts';

export type PodSpec = IIoK8sApiCoreV1PodSpec;
export type Container = IIoK8sApiCoreV1Container;
export type { ICronJob };

/** Jobs that people start by hand. */
export const JOBS: readonly string[] = readdirSync(join('k8s', 'jobs')).map((name) =>
  join('k8s', 'jobs', name),
);

/** Any object of Kubernetes'. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { name: string; generateName?: string; labels?: Record<string, string> };
}

const OVERLAYS = join('k8s', 'overlays');

/** The base as it is, and each overlay. */
export const DIRECTORIES: readonly string[] = [
  'k8s',
  ...readdirSync(OVERLAYS).map((name) => join(OVERLAYS, name)),
];

export async function manifestsOf(directory: string): Promise<Manifest[]> {
  return documentsOf(await output(kubectl(), ['kustomize', directory]));
}

/** The manifests of a file as it is. */
export async function manifestsIn(file: string): Promise<Manifest[]> {
  return documentsOf(await readFile(file, 'utf8'));
}

/** The same, with these variables in its containers: as people are told to set them. */
export async function manifestsWith(
  file: string,
  variables: Readonly<Record<string, string>>,
): Promise<Manifest[]> {
  const set = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  if (set.length === 0) return manifestsIn(file);
  const words = ['set', 'env', '--local', '-f', file, ...set, '-o', 'yaml'];
  return documentsOf(await output(kubectl(), words));
}

/** A Job as if it were a CronJob's: what pods are made of. */
export function asCronJob(job: Manifest): ICronJob & Manifest {
  const { spec } = job as IJob;
  const metadata = { ...job.metadata, name: `${job.metadata.generateName}x` };
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata,
    spec: {
      schedule: '@daily',
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 1,
      jobTemplate: { ...(spec && { spec }) },
    },
  };
}

export function cronJobOf(manifests: readonly Manifest[]): ICronJob {
  const cronJob = manifests.find(({ kind }) => kind === 'CronJob');
  if (cronJob === undefined) throw new Error('there is no CronJob');
  return cronJob as ICronJob;
}

/** The name of the only ConfigMap. */
export function configMapOf(manifests: readonly Manifest[]): string {
  return manifests.find(({ kind }) => kind === 'ConfigMap')?.metadata.name ?? '';
}

/** As kubectl reads them. */
function documentsOf(text: string): Manifest[] {
  const documents = parseAllDocuments(text, { version: '1.1' });
  return documents.map((document) => document.toJS() as Manifest);
}

export function podSpecOf(cronJob: ICronJob): PodSpec {
  const spec = cronJob.spec?.jobTemplate.spec?.template.spec;
  if (spec === undefined) throw new Error('the CronJob has no pod');
  return spec;
}

/** In the order in which they run. */
export function containersOf({ initContainers = [], containers }: PodSpec): Container[] {
  return [...initContainers, ...containers];
}
