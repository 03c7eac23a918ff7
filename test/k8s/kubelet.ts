/**
 * What a Job's controller and the kubelet make of a CronJob's pod before a runtime gets it, in the form
 * that `podman kube play` understands: variables with their values, `$(NAME)` replaced, and every volume
 * a directory of this machine with the owner and the mode that it has on a node.
 *
 * Source: kubernetes/kubernetes, pkg/kubelet; a cluster of 1.32 as observed.
 */
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { IMAGE } from '../support/containers/engine.ts';
import {
  containersOf,
  podSpecOf,
  type Container,
  type ICronJob,
  type PodSpec,
} from './manifests.ts';

export interface PodOptions {
  /** The pod's and the Job's. */
  readonly name: string;
  readonly job: string;
  /** Which of an Indexed Job's pods it is. */
  readonly index?: number;
  /** By secret and key, and by config map and key. */
  readonly objects?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Directories, by the name of the claim. */
  readonly claims?: Readonly<Record<string, string>>;
  /** What webhooks add to all containers: variables, and files of this machine by where they are there. */
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  /** Words of commands and values of variables: other registries in the place of the real ones. */
  readonly rewrite?: (word: string) => string;
  /** For the volumes of this pod alone. */
  readonly directory: string;
}

export interface MadeOptions extends PodOptions {
  /** What podman knows it by: tests run at the same time, and may give a pod the same name. */
  readonly knownAs: string;
}

export interface MadePod {
  /** JSON, which is YAML. */
  readonly text: string;
  /** Where what is mounted there is on this machine, as `sync:/data`. */
  readonly mounts: ReadonlyMap<string, string>;
  /** What containers leave as their last words, by their names. */
  readonly terminationLogs: ReadonlyMap<string, string>;
}

const GROUP = 1000;

/** The pod that the CronJob's Job has, ready to be played. */
export async function makePod(cronJob: ICronJob, options: MadeOptions): Promise<MadePod> {
  const spec = podSpecOf(cronJob);
  const isIndexed = cronJob.spec?.jobTemplate.spec?.completionMode === 'Indexed';
  const added = {
    ...options.env,
    ...(isIndexed && { JOB_COMPLETION_INDEX: String(options.index) }),
  };
  const volumes = new Volumes(spec, options);
  const terminationLogs = new Map<string, string>();
  const made = new Map<string, object>();
  for (const container of containersOf(spec)) {
    const log = join(options.directory, `termination-log-${container.name}`);
    await writeFile(log, '');
    await chmod(log, 0o666);
    terminationLogs.set(container.name, log);
    made.set(container.name, await containerOf(container, { added, log, volumes, options }));
  }
  const pick = ({ name }: Container): object => made.get(name) ?? {};
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: options.knownAs,
      labels: cronJob.spec?.jobTemplate.spec?.template.metadata?.labels,
      // Without it what init containers have written is gone with them.
      annotations: { 'io.podman.annotations.init.container.type': 'always' },
    },
    spec: {
      restartPolicy: spec.restartPolicy,
      terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds,
      securityContext: spec.securityContext,
      initContainers: spec.initContainers?.map(pick),
      containers: spec.containers.map(pick),
      volumes: volumes.made,
    },
  };
  return { text: JSON.stringify(pod), mounts: volumes.mounts, terminationLogs };
}

interface Context {
  readonly added: Readonly<Record<string, string>>;
  readonly log: string;
  readonly volumes: Volumes;
  readonly options: PodOptions;
}

async function containerOf(
  container: Container,
  { added, log, volumes, options }: Context,
): Promise<object> {
  const rewrite = options.rewrite ?? ((word: string) => word);
  const env = { ...environmentOf(container, options), ...added };
  const expand = (word: string): string =>
    word.replaceAll(/\$\((\w+)\)/g, (all, name: string) => env[name] ?? all);
  const files = { '/dev/termination-log': log, ...options.files };
  const volumeMounts: object[] = Object.entries(files).map(([mountPath, path]) =>
    volumes.file(path, mountPath),
  );
  for (const mount of container.volumeMounts ?? []) {
    const subPath = expand(mount.subPathExpr ?? '');
    const { name, mountPath, readOnly = false } = mount;
    const source = await volumes.directory({ name, subPath });
    volumes.mounts.set(`${container.name}:${mountPath}`, source.path);
    volumeMounts.push({ name: source.name, mountPath, readOnly });
  }
  const { name, securityContext, resources, command = [] } = container;
  return {
    name,
    image: IMAGE,
    imagePullPolicy: 'Never',
    command: command.map(expand).map((word) => rewrite(word)),
    env: Object.entries(env).map(([variable, value]) => ({
      name: variable,
      value: rewrite(value),
    })),
    securityContext,
    resources,
    volumeMounts,
  };
}

function environmentOf({ env = [] }: Container, options: PodOptions): Record<string, string> {
  const { objects = {}, name: pod, job } = options;
  const fields: Record<string, string> = {
    'metadata.name': pod,
    "metadata.labels['batch.kubernetes.io/job-name']": job,
  };
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }) => {
      const key = valueFrom?.secretKeyRef;
      const field = fields[valueFrom?.fieldRef?.fieldPath ?? ''];
      const known = value ?? field ?? (key && objects[key.name ?? '']?.[key.key]);
      if (known === undefined) throw new Error(`${name} has no value: CreateContainerConfigError`);
      return [name, known];
    }),
  );
}

/** Directories of this machine in the place of a pod's volumes. */
class Volumes {
  readonly made: object[] = [];
  readonly mounts = new Map<string, string>();
  readonly #spec: PodSpec;
  readonly #options: PodOptions;

  constructor(spec: PodSpec, options: PodOptions) {
    this.#spec = spec;
    this.#options = options;
  }

  file(path: string, mountPath: string): object {
    return { name: this.#add(path, 'File'), mountPath };
  }

  async directory({ name, subPath }: { readonly name: string; readonly subPath: string }) {
    const root = await this.#rootOf(name);
    const path = join(root, subPath);
    // As the kubelet does it: mode and group are those of the volume.
    let level = root;
    for (const part of subPath.split('/').filter((one) => one !== '')) {
      level = join(level, part);
      await shared(level, 0o2775);
    }
    return { name: this.#add(path, 'Directory'), path };
  }

  #add(path: string, type: 'File' | 'Directory'): string {
    const name = `volume-${this.made.length}`;
    this.made.push({ name, hostPath: { path, type } });
    return name;
  }

  async #rootOf(name: string): Promise<string> {
    const { persistentVolumeClaim, secret, configMap } =
      this.#spec.volumes?.find((one) => one.name === name) ?? {};
    if (persistentVolumeClaim !== undefined) return this.#claim(persistentVolumeClaim.claimName);
    const path = join(this.#options.directory, name);
    const object = secret?.secretName ?? configMap?.name;
    await shared(path, object === undefined ? 0o2777 : 0o2755);
    if (object !== undefined) await this.#fill(path, object, secret?.defaultMode);
    return path;
  }

  async #fill(path: string, object: string, mode = 0o644): Promise<void> {
    const files = this.#options.objects?.[object];
    if (files === undefined) throw new Error(`there is no ${object}: the pod stays pending`);
    for (const [key, text] of Object.entries(files)) {
      await writeFile(join(path, key), text);
      await chown(join(path, key), 0, GROUP);
      await chmod(join(path, key), mode);
    }
  }

  async #claim(name: string): Promise<string> {
    const path = this.#options.claims?.[name];
    if (path === undefined) throw new Error(`there is no claim ${name}: the pod stays pending`);
    await shared(path, 0o2775);
    return path;
  }
}

/** A directory of root's that the pod's group can write. */
async function shared(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true });
  await chown(path, 0, GROUP);
  await chmod(path, mode);
}
