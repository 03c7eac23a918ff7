/**
 * What we promise of our manifests beyond what a cluster takes: the «restricted» Pod Security Standard in
 * full, limits, deadlines, one version, and what fits together.
 *
 * Source: kubernetes.io/docs/concepts/security/pod-security-standards, as of 1.33.
 */
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import type { IPersistentVolumeClaim } from 'kubernetes-models/v1/PersistentVolumeClaim';

import type { Rule } from './cluster-rules.ts';
import { containersOf, cronJobOf, podSpecOf, type Container } from './manifests.ts';

const VOLUMES = ['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral'];
const ALLOWED_VOLUMES = new Set([
  'name',
  ...VOLUMES,
  'persistentVolumeClaim',
  'projected',
  'secret',
]);
/** The order in which they have to run; not each is everywhere. */
const ORDER = ['retention', 'crawl', 'sync', 'verify', 'report'];

export const restrictedPod: Rule = (manifests) => {
  const pod = podSpecOf(cronJobOf(manifests));
  const { runAsNonRoot, runAsUser, seccompProfile, sysctls } = pod.securityContext ?? {};
  const says: readonly (readonly [boolean, string])[] = [
    [runAsNonRoot !== true, 'runAsNonRoot is not true'],
    [!runAsUser, 'runAsUser is not a number above 0'],
    [seccompProfile?.type !== 'RuntimeDefault', 'no seccomp profile'],
    [(sysctls ?? []).length > 0, 'sysctls'],
    [[pod.hostNetwork, pod.hostPID, pod.hostIPC].includes(true), 'a namespace of the host'],
    [pod.automountServiceAccountToken !== false, 'a token of the service account is mounted'],
    [pod.enableServiceLinks !== false, 'variables of Services are set'],
  ];
  const kinds = (pod.volumes ?? []).flatMap((volume) => Object.keys(volume));
  return [
    ...says.filter(([wrong]) => wrong).map(([, what]) => what),
    ...kinds.filter((kind) => !ALLOWED_VOLUMES.has(kind)).map((kind) => `a ${kind} volume`),
  ];
};

export const restrictedContainers: Rule = (manifests) =>
  containersOf(podSpecOf(cronJobOf(manifests))).flatMap((container) =>
    unrestricted(container).map((what) => `${container.name}: ${what}`),
  );

function unrestricted({ securityContext, ports = [] }: Container): string[] {
  const context = securityContext ?? {};
  const { allowPrivilegeEscalation, readOnlyRootFilesystem, privileged, capabilities } = context;
  const says: readonly (readonly [boolean, string])[] = [
    [allowPrivilegeEscalation !== false, 'allowPrivilegeEscalation is not false'],
    [readOnlyRootFilesystem !== true, 'its root is not read-only'],
    [privileged === true, 'privileged'],
    [!(capabilities?.drop ?? []).includes('ALL'), 'capabilities are not all dropped'],
    [(capabilities?.add ?? []).length > 0, 'capabilities are added'],
    [context.runAsNonRoot === false || context.runAsUser === 0, 'runs as root'],
    [(context.procMount ?? 'Default') !== 'Default', 'an unmasked /proc'],
    [context.seccompProfile?.type === 'Unconfined', 'no seccomp profile'],
    [ports.some(({ hostPort }) => hostPort !== undefined), 'a port of the host'],
  ];
  return says.filter(([wrong]) => wrong).map(([, what]) => what);
}

export const limits: Rule = (manifests) => {
  const { spec } = cronJobOf(manifests);
  const { jobTemplate, concurrencyPolicy, startingDeadlineSeconds } = spec ?? {};
  const says: readonly (readonly [boolean, string])[] = [
    [concurrencyPolicy !== 'Forbid', 'two runs at once are not forbidden'],
    [startingDeadlineSeconds === undefined, 'no startingDeadlineSeconds'],
    [jobTemplate?.spec?.activeDeadlineSeconds === undefined, 'no activeDeadlineSeconds'],
  ];
  return [
    ...says.filter(([wrong]) => wrong).map(([, what]) => what),
    ...containersOf(podSpecOf(cronJobOf(manifests)))
      .filter(({ resources }) => !resources?.limits?.['memory'] || !resources.requests?.['cpu'])
      .map(({ name }) => `${name} has no limit of memory, or no request of CPU`),
  ];
};

/** So long sync may write its page, after its grace. */
const PAGE_SECONDS = 20;

/** A pod whose grace is shorter than ours is killed before it has written its reports. */
export const grace: Rule = (manifests) => {
  const pod = podSpecOf(cronJobOf(manifests));
  const ours = containersOf(pod).map(({ command = [], env = [] }) => {
    const word = command.find((one) => String(one).startsWith('--grace-period=')) ?? '';
    const hasPage = env.some(({ name }) => name === 'REGISTRY_SYNC_REPORT');
    return Number(word.replace(/^.*=/, '')) + (hasPage ? PAGE_SECONDS : 0);
  });
  const given = pod.terminationGracePeriodSeconds ?? 30;
  return given > Math.max(...ours) ? [] : [`${given} s of grace are too few`];
};

export const versions: Rule = (manifests) => {
  const images = containersOf(podSpecOf(cronJobOf(manifests))).map(({ image }) => image ?? '');
  return [
    ...images.filter((image) => !/:[\w][\w.-]*$/.test(image) || image.endsWith(':latest')),
    ...(new Set(images).size > 1 ? [`several: ${[...new Set(images)].join(', ')}`] : []),
  ].map((what) => `image: ${what}`);
};

/** Patches put what they name first. */
export const order: Rule = (manifests) => {
  const names = containersOf(podSpecOf(cronJobOf(manifests))).map(({ name }) => name);
  const expected = names.toSorted((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
  return names.join() === expected.join() ? [] : [`containers run as ${names.join(', ')}`];
};

export const shards: Rule = (manifests) => {
  const spec = cronJobOf(manifests).spec?.jobTemplate.spec;
  const pod = podSpecOf(cronJobOf(manifests));
  const told = containersOf(pod)
    .filter(({ command = [] }) => ['crawl', 'sync', 'verify'].includes(command[0] ?? ''))
    .map(({ env = [] }) => env.find(({ name }) => name === 'JOB_COMPLETIONS')?.value);
  const expected = spec?.completionMode === 'Indexed' ? String(spec.completions) : undefined;
  const claim = manifests.find(({ kind }) => kind === 'PersistentVolumeClaim');
  const modes = (claim as IPersistentVolumeClaim | undefined)?.spec?.accessModes ?? [];
  const isShared = claim !== undefined && (spec?.parallelism ?? 1) > 1;
  return [
    ...told.filter((count) => count !== expected).map((count) => `JOB_COMPLETIONS is ${count}`),
    ...(isShared && !modes.includes('ReadWriteMany') ? ['the volume is for one node only'] : []),
  ];
};

export const selectors: Rule = (manifests) => {
  const template = cronJobOf(manifests).spec?.jobTemplate.spec?.template;
  const labels = template?.metadata?.labels ?? {};
  const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy') as INetworkPolicy[];
  const wanted = [
    ...policies.map(({ spec }) => spec?.podSelector?.matchLabels ?? {}),
    ...(template?.spec?.topologySpreadConstraints ?? []).map(
      ({ labelSelector }) => labelSelector?.matchLabels ?? {},
    ),
  ];
  const missed = wanted.filter(
    (map) =>
      Object.keys(map).length === 0 ||
      Object.entries(map).some(([name, value]) => labels[name] !== value),
  );
  return [
    ...(policies.length === 0 ? ['no NetworkPolicy'] : []),
    ...missed.map((map) => `${JSON.stringify(map)} selects no pod of ours`),
  ];
};

/** Metrics that are pushed have to get out, and sync as skopeo's has none. */
export const metrics: Rule = (manifests) => {
  const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy') as INetworkPolicy[];
  const ports = policies
    .flatMap(({ spec }) => spec?.egress ?? [])
    .flatMap((one) => one.ports ?? []);
  const open = new Set(ports.map(({ port }) => String(port)));
  return containersOf(podSpecOf(cronJobOf(manifests))).flatMap(
    ({ name, command = [], env = [] }) => {
      const { value } = env.find((one) => one.name === 'REGISTRY_SYNC_METRICS_PUSH') ?? {};
      if (value === undefined) return [];
      if (command.some((word) => word.startsWith('--src='))) return [`${name} has no metrics`];
      const port = portOf(new URL(value));
      return open.has(port) ? [] : [`${name} pushes to port ${port}, which is closed`];
    },
  );
};

function portOf({ port, protocol }: URL): string {
  if (port !== '') return port;
  return protocol === 'https:' ? '443' : '80';
}
