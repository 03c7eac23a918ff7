/** What people get wrong in manifests: each made of good ones by one change. */
import type { Manifest } from './manifests.ts';

export interface Broken {
  readonly name: string;
  /** Whose manifests are changed. */
  readonly of:
    'k8s' | 'scale-out' | 'audit-volume' | 'scale-out-audit-volume' | 'metrics-push' | 'air-gap';
  /** `Kind`, and the way to the field in it. */
  readonly at: string;
  /** What it becomes; `undefined`: it is removed. */
  readonly to?: unknown;
  /** Part of what is said of it. */
  readonly expected: RegExp;
}

const SPEC = 'CronJob spec';
const JOB = `${SPEC} jobTemplate spec`;
const POD = `${JOB} template spec`;
const CRAWL = `${POD} initContainers 0`;
const SYNC = `${POD} initContainers 1`;
const MOUNT = { name: 'data', mountPath: '/more' };
const BASE = 'k8s';

export const BROKEN: readonly Broken[] = [
  {
    name: 'a schedule with six fields',
    of: BASE,
    at: `${SPEC} schedule`,
    to: '0 48 3 * * *',
    expected: /6 fields, not 5/,
  },
  {
    name: 'a schedule with an hour that there is not',
    of: BASE,
    at: `${SPEC} schedule`,
    to: '48 24 * * *',
    expected: /its hour is wrong/,
  },
  {
    name: 'a time zone that there is not',
    of: BASE,
    at: `${SPEC} timeZone`,
    to: 'Europe/Bonn',
    expected: /no time zone/,
  },
  {
    name: 'a name that is too long for Jobs',
    of: BASE,
    at: 'CronJob metadata name',
    to: 'r'.repeat(53),
    expected: /can't be a name/,
  },
  {
    name: 'a name with capitals',
    of: BASE,
    at: 'CronJob metadata name',
    to: 'Registry-Sync',
    expected: /can't be a name/,
  },
  {
    name: 'a label with a space',
    of: BASE,
    at: `${JOB} template metadata labels app.kubernetes.io/name`,
    to: 'registry sync',
    expected: /can't be a name|selects no pod/,
  },
  {
    name: 'a field that there is not',
    of: BASE,
    at: `${SPEC} concurrency`,
    to: 'Forbid',
    expected: /"concurrency"' does not exist/,
  },
  {
    name: 'a field one level too high',
    of: BASE,
    at: `${SPEC} backoffLimit`,
    to: 1,
    expected: /"backoffLimit"' does not exist/,
  },
  {
    name: 'a number in a command',
    of: BASE,
    at: `${CRAWL} command 1`,
    to: 90,
    expected: /number.*string|string/,
  },
  {
    name: 'a policy that there is not',
    of: BASE,
    at: `${SPEC} concurrencyPolicy`,
    to: 'Never',
    expected: /concurrencyPolicy|Forbid/,
  },
  { name: 'no schedule', of: BASE, at: `${SPEC} schedule`, expected: /schedule/ },
  {
    name: 'a quantity that is none',
    of: BASE,
    at: `${CRAWL} resources limits memory`,
    to: '512Mb',
    expected: /memory|quantity|pattern|resources/i,
  },
  {
    name: 'a variable that is a number',
    of: BASE,
    at: `${CRAWL} env 0`,
    to: { name: 'JOBS', value: 4 },
    expected: /number.*string|string/,
  },
  {
    name: 'a pull policy that there is not',
    of: BASE,
    at: `${CRAWL} imagePullPolicy`,
    to: 'IfMissing',
    expected: /imagePullPolicy|IfNotPresent/,
  },
  {
    name: 'a restart policy that Jobs do not have',
    of: BASE,
    at: `${POD} restartPolicy`,
    to: 'Always',
    expected: /restartPolicy Always in a Job/,
  },
  {
    name: 'two containers of one name',
    of: BASE,
    at: `${SYNC} name`,
    to: 'crawl',
    expected: /container crawl is there twice/,
  },
  {
    name: 'a variable twice',
    of: BASE,
    at: `${CRAWL} env 1`,
    to: { name: 'REGISTRY_SYNC_RUN_ID', value: 'a' },
    expected: /variable REGISTRY_SYNC_RUN_ID of crawl is there twice/,
  },
  {
    name: 'two mounts at one place',
    of: BASE,
    at: `${CRAWL} volumeMounts 1`,
    to: { ...MOUNT, mountPath: '/data' },
    expected: /mount \/data of crawl is there twice/,
  },
  {
    name: 'a mount of a volume that there is not',
    of: BASE,
    at: `${CRAWL} volumeMounts 1`,
    to: { ...MOUNT, name: 'cache' },
    expected: /no volume cache/,
  },
  {
    name: 'a claim that there is not',
    of: 'audit-volume',
    at: `${POD} volumes 0 persistentVolumeClaim claimName`,
    to: 'other',
    expected: /an object that is not here/,
  },
  {
    name: 'a service account that there is not',
    of: BASE,
    at: `${POD} serviceAccountName`,
    to: 'other',
    expected: /no such service account/,
  },
  {
    name: 'a path of a variable that is not set',
    of: BASE,
    at: `${SYNC} volumeMounts 0 subPathExpr`,
    to: '$(RUN)',
    expected: /uses RUN, which is not set/,
  },
  { name: 'no image', of: BASE, at: `${CRAWL} image`, expected: /crawl has no image/ },
  {
    name: 'an image of any version',
    of: BASE,
    at: `${CRAWL} image`,
    to: 'registry-sync:latest',
    expected: /image: registry-sync:latest/,
  },
  {
    name: 'a request above its limit',
    of: BASE,
    at: `${CRAWL} resources requests memory`,
    to: '1Gi',
    expected: /requests more memory than its limit/,
  },
  {
    name: 'no limit of memory',
    of: BASE,
    at: `${SYNC} resources limits`,
    expected: /sync has no limit of memory/,
  },
  {
    name: 'containers in another order',
    of: BASE,
    at: `${SYNC} name`,
    to: 'retention',
    expected: /containers run as/,
  },
  {
    name: 'less grace than sync takes',
    of: BASE,
    at: `${POD} terminationGracePeriodSeconds`,
    to: 30,
    expected: /30 s of grace are too few/,
  },
  {
    name: 'less grace than sync takes with its page',
    of: 'audit-volume',
    at: `${POD} terminationGracePeriodSeconds`,
    to: 60,
    expected: /60 s of grace are too few/,
  },
  {
    name: 'no deadline',
    of: BASE,
    at: `${JOB} activeDeadlineSeconds`,
    expected: /no activeDeadlineSeconds/,
  },
  {
    name: 'a failure policy for a container that there is not',
    of: BASE,
    at: `${JOB} podFailurePolicy rules 1 onExitCodes containerName`,
    to: 'copy',
    expected: /names copy, which is not there/,
  },
  {
    name: 'indexed without completions',
    of: 'scale-out',
    at: `${JOB} completions`,
    expected: /Indexed without completions/,
  },
  {
    name: 'another number of shares than completions',
    of: 'scale-out',
    at: `${JOB} completions`,
    to: 5,
    expected: /JOB_COMPLETIONS is 4/,
  },
  {
    name: 'a limit per index that is not indexed',
    of: 'scale-out',
    at: `${JOB} completionMode`,
    to: 'NonIndexed',
    expected: /backoffLimitPerIndex needs Indexed/,
  },
  {
    name: 'failed indexes without their limit',
    of: 'scale-out',
    at: `${JOB} backoffLimitPerIndex`,
    expected: /FailIndex needs backoffLimitPerIndex/,
  },
  {
    name: 'one disk for several nodes',
    of: 'scale-out-audit-volume',
    at: 'PersistentVolumeClaim spec accessModes',
    to: ['ReadWriteOnce'],
    expected: /for one node only/,
  },
  {
    name: 'root as user',
    of: BASE,
    at: `${POD} securityContext runAsUser`,
    to: 0,
    expected: /runAsUser is not a number above 0/,
  },
  {
    name: 'any user',
    of: BASE,
    at: `${POD} securityContext runAsNonRoot`,
    expected: /runAsNonRoot is not true/,
  },
  {
    name: 'no seccomp profile',
    of: BASE,
    at: `${POD} securityContext seccompProfile`,
    expected: /no seccomp profile/,
  },
  {
    name: 'privileges that can grow',
    of: BASE,
    at: `${CRAWL} securityContext allowPrivilegeEscalation`,
    expected: /crawl: allowPrivilegeEscalation/,
  },
  {
    name: 'a root that can be written',
    of: BASE,
    at: `${SYNC} securityContext readOnlyRootFilesystem`,
    to: false,
    expected: /sync: its root is not read-only/,
  },
  {
    name: 'a capability',
    of: BASE,
    at: `${SYNC} securityContext capabilities`,
    to: { drop: ['ALL'], add: ['NET_RAW'] },
    expected: /sync: capabilities are added/,
  },
  {
    name: 'capabilities that are kept',
    of: BASE,
    at: `${SYNC} securityContext capabilities`,
    to: {},
    expected: /sync: capabilities are not all dropped/,
  },
  {
    name: 'a directory of the host',
    of: BASE,
    at: `${POD} volumes 0`,
    to: { name: 'data', hostPath: { path: '/tmp' } },
    expected: /a hostPath volume/,
  },
  {
    name: 'the network of the host',
    of: BASE,
    at: `${POD} hostNetwork`,
    to: true,
    expected: /a namespace of the host/,
  },
  {
    name: 'a token of the service account',
    of: BASE,
    at: `${POD} automountServiceAccountToken`,
    expected: /a token of the service account/,
  },
  {
    name: 'a policy that selects nothing of ours',
    of: BASE,
    at: 'NetworkPolicy spec podSelector matchLabels',
    to: { app: 'registry-sync' },
    expected: /selects no pod of ours/,
  },
  {
    name: 'a Pushgateway at a port that is closed',
    of: 'metrics-push',
    at: 'NetworkPolicy spec egress 2 ports 0 port',
    to: 9092,
    expected: /pushes to port 9091, which is closed/,
  },
  {
    name: "metrics of a sync as skopeo's",
    of: 'air-gap',
    at: `${CRAWL} env 0`,
    to: { name: 'REGISTRY_SYNC_METRICS_PUSH', value: 'https://pushgateway.example.com' },
    expected: /sync has no metrics/,
  },
];

/** Manifests with that one change; those that are given stay as they are. */
export function broken(manifests: readonly Manifest[], { at, to }: Broken): Manifest[] {
  const copies = structuredClone(manifests) as Manifest[];
  const [kind, ...path] = at.split(' ');
  const last = path.pop() ?? '';
  let parent = copies.find((one) => one.kind === kind) as unknown as Record<string, unknown>;
  for (const name of path) parent = parent[name] as Record<string, unknown>;
  if (to === undefined) delete parent[last];
  else parent[last] = to;
  return copies;
}
