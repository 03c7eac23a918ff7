/** What `kubectl kustomize` makes of a directory of k8s, as objects. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import type { IIoK8sApiCoreV1PodSpec } from 'kubernetes-models/v1/PodSpec';
import type { IIoK8sApiCoreV1Container } from 'kubernetes-models/v1/Container';
import type { ICronJob } from 'kubernetes-models/batch/v1/CronJob';
import { parseAllDocuments } from 'yaml';

import { output } from '../support/containers/programs.ts';
import { kubectl } from '../support/kubectl.ts';

export type PodSpec = IIoK8sApiCoreV1PodSpec;
export type Container = IIoK8sApiCoreV1Container;
export type { ICronJob };

/** Any object of Kubernetes'. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { name: string; labels?: Record<string, string> };
}

const OVERLAYS = join('k8s', 'overlays');

/** The base as it is, and each overlay. */
export const DIRECTORIES: readonly string[] = [
  'k8s',
  ...readdirSync(OVERLAYS).map((name) => join(OVERLAYS, name)),
];

export async function manifestsOf(directory: string): Promise<Manifest[]> {
  const text = await output(kubectl(), ['kustomize', directory]);
  // As kubectl reads it.
  const documents = parseAllDocuments(text, { version: '1.1' });
  return documents.map((document) => document.toJS() as Manifest);
}

export function cronJobOf(manifests: readonly Manifest[]): ICronJob {
  const cronJob = manifests.find(({ kind }) => kind === 'CronJob');
  if (cronJob === undefined) throw new Error('there is no CronJob');
  return cronJob as ICronJob;
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
