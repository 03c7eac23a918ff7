/**
 * What a cluster refuses or does not carry out, and types and schemas do not say. Each rule takes the
 * objects of one directory and says what is wrong.
 *
 * Source: kubernetes/kubernetes, pkg/apis/{core,batch}/validation; the API's reference.
 */
import { containersOf, cronJobOf, podSpecOf, type Manifest } from './manifests.ts';
import { cronProblem } from './cron-expression.ts';

export type Rule = (manifests: readonly Manifest[]) => string[];

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
/** Its Jobs get 11 characters more. */
const MAX_CRON_JOB_NAME = 52;

export const schedule: Rule = (manifests) => {
  const { spec } = cronJobOf(manifests);
  const problem = cronProblem(spec?.schedule ?? '');
  return [
    ...(problem === undefined ? [] : [`schedule: ${problem}`]),
    ...(isTimeZone(spec?.timeZone ?? 'Etc/UTC') ? [] : [`${spec?.timeZone} is no time zone`]),
  ];
};

function isTimeZone(name: string): boolean {
  try {
    return Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

export const names: Rule = (manifests) => {
  const cronJob = cronJobOf(manifests);
  const pod = podSpecOf(cronJob);
  const cronJobName = cronJob.metadata?.name ?? '';
  const labels = manifests.map(({ metadata }) => metadata.labels ?? {});
  labels.push(cronJob.spec?.jobTemplate.spec?.template.metadata?.labels ?? {});
  return [
    ...manifests.map(({ metadata }) => metadata.name).filter((name) => !SUBDOMAIN.test(name)),
    ...containersOf(pod).flatMap(({ name }) => (LABEL.test(name) ? [] : [name])),
    ...(pod.volumes ?? []).flatMap(({ name }) => (LABEL.test(name) ? [] : [name])),
    ...labels.flatMap((map) => Object.values(map)).filter((value) => !LABEL_VALUE.test(value)),
    ...(cronJobName.length > MAX_CRON_JOB_NAME ? [cronJobName] : []),
  ].map((name) => `${JSON.stringify(name)} can't be a name`);
};

export const duplicates: Rule = (manifests) => {
  const pod = podSpecOf(cronJobOf(manifests));
  const containers = containersOf(pod);
  return [
    ...repeated(manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`)),
    ...repeated(containers.map(({ name }) => `container ${name}`)),
    ...repeated((pod.volumes ?? []).map(({ name }) => `volume ${name}`)),
    ...containers.flatMap(({ name, env = [] }) =>
      repeated(env.map((variable) => `variable ${variable.name} of ${name}`)),
    ),
    ...containers.flatMap(({ name, volumeMounts = [] }) =>
      repeated(volumeMounts.map(({ mountPath }) => `mount ${mountPath} of ${name}`)),
    ),
  ];
};

function repeated(all: readonly string[]): string[] {
  return all.filter((one, n) => all.indexOf(one) !== n).map((one) => `${one} is there twice`);
}

export const volumes: Rule = (manifests) => {
  const pod = podSpecOf(cronJobOf(manifests));
  const declared = new Set((pod.volumes ?? []).map(({ name }) => name));
  const mounts = containersOf(pod).flatMap(({ volumeMounts = [] }) => volumeMounts);
  const mounted = new Set(mounts.map(({ name }) => name));
  const has = (kind: string, name: string | undefined): boolean =>
    name === undefined || manifests.some((m) => m.kind === kind && m.metadata.name === name);
  return [
    ...[...mounted].filter((name) => !declared.has(name)).map((name) => `no volume ${name}`),
    ...[...declared].filter((name) => !mounted.has(name)).map((name) => `unused volume ${name}`),
    ...(pod.volumes ?? []).flatMap(({ name, persistentVolumeClaim, configMap }) =>
      has('PersistentVolumeClaim', persistentVolumeClaim?.claimName) &&
      has('ConfigMap', configMap?.name)
        ? []
        : [`volume ${name} is of an object that is not here`],
    ),
    ...(has('ServiceAccount', pod.serviceAccountName) ? [] : ['no such service account']),
  ];
};

/** `$(NAME)` of what is not set stays as it is, or keeps the pod from starting. */
export const variables: Rule = (manifests) => {
  const { jobTemplate } = cronJobOf(manifests).spec ?? {};
  const indexed = jobTemplate?.spec?.completionMode === 'Indexed';
  return containersOf(podSpecOf(cronJobOf(manifests))).flatMap((container) => {
    const set = (container.env ?? []).map(({ name }) => name);
    if (indexed) set.push('JOB_COMPLETION_INDEX');
    const paths = (container.volumeMounts ?? []).map(({ subPathExpr = '' }) => subPathExpr);
    const words = [...paths, ...(container.command ?? []), ...(container.args ?? [])];
    return words
      .flatMap((word) => [...String(word).matchAll(/\$\((\w+)\)/g)].map(([, name = '']) => name))
      .filter((name) => !set.includes(name))
      .map((name) => `${container.name} uses ${name}, which is not set`);
  });
};

export const restarts: Rule = (manifests) => {
  const { restartPolicy } = podSpecOf(cronJobOf(manifests));
  const { podFailurePolicy } = cronJobOf(manifests).spec?.jobTemplate.spec ?? {};
  if (restartPolicy === 'Never') return [];
  if (restartPolicy !== 'OnFailure') return [`restartPolicy ${restartPolicy} in a Job`];
  return podFailurePolicy === undefined ? [] : ['podFailurePolicy needs restartPolicy Never'];
};

export const indexes: Rule = (manifests) => {
  const { completionMode, completions, backoffLimitPerIndex, maxFailedIndexes } =
    cronJobOf(manifests).spec?.jobTemplate.spec ?? {};
  const isIndexed = completionMode === 'Indexed';
  const isPerIndex = backoffLimitPerIndex !== undefined;
  const says: readonly (readonly [boolean, string])[] = [
    [isIndexed && completions === undefined, 'Indexed without completions'],
    [isPerIndex && !isIndexed, 'backoffLimitPerIndex needs Indexed'],
    [!isPerIndex && maxFailedIndexes !== undefined, 'maxFailedIndexes needs backoffLimitPerIndex'],
    [(maxFailedIndexes ?? 0) > (completions ?? 0), 'maxFailedIndexes is above completions'],
  ];
  return says.filter(([wrong]) => wrong).map(([, what]) => what);
};

export const failurePolicy: Rule = (manifests) => {
  const { podFailurePolicy, backoffLimitPerIndex } =
    cronJobOf(manifests).spec?.jobTemplate.spec ?? {};
  const known = new Set(containersOf(podSpecOf(cronJobOf(manifests))).map(({ name }) => name));
  return (podFailurePolicy?.rules ?? []).flatMap(({ action, onExitCodes }) => {
    const { containerName } = onExitCodes ?? {};
    if (containerName !== undefined && !known.has(containerName)) {
      return [`podFailurePolicy names ${containerName}, which is not there`];
    }
    const isAlone = action === 'FailIndex' && backoffLimitPerIndex === undefined;
    return isAlone ? ['FailIndex needs backoffLimitPerIndex'] : [];
  });
};

export const images: Rule = (manifests) =>
  containersOf(podSpecOf(cronJobOf(manifests)))
    .filter(({ image }) => !image)
    .map(({ name }) => `${name} has no image`);

export const resources: Rule = (manifests) =>
  containersOf(podSpecOf(cronJobOf(manifests))).flatMap(({ name, resources: both = {} }) =>
    Object.entries(both.requests ?? {})
      .filter(([what, asked]) => quantityOf(asked) > quantityOf(both.limits?.[what] ?? Infinity))
      .map(([what]) => `${name} requests more ${what} than its limit`),
  );

const UNITS: Record<string, number> = { m: 1e-3, k: 1e3, M: 1e6, G: 1e9, T: 1e12 };

function quantityOf(quantity: string | number): number {
  if (typeof quantity === 'number') return quantity;
  const [, number = '', unit = ''] = /^([\d.]+)(\w*)$/.exec(quantity) ?? [];
  const binary = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 }[unit];
  return Number(number) * (binary ?? UNITS[unit] ?? 1);
}
