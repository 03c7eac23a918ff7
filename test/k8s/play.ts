/** Plays pods with podman: real containers, on the network of this machine. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { podman } from '../support/containers/engine.ts';
import { makePod, type PodOptions } from './kubelet.ts';
import { containersOf, podSpecOf, type ICronJob } from './manifests.ts';

export interface PlayedContainer {
  /** `undefined`: its turn did not come. */
  readonly code: number | undefined;
  /** What it wrote, to both streams. */
  readonly log: string;
  /** What `kubectl describe pod` would show. */
  readonly lastWords: string;
}

export interface Played {
  /** By name. */
  readonly containers: Readonly<Record<string, PlayedContainer>>;
  /** A file that is in the container at this place, as `sync:/data`. */
  file(mount: string, name: string): Promise<string>;
}

/** Runs the CronJob's pod to its end. `directory` gets a new directory for it. */
export async function play(cronJob: ICronJob, options: PodOptions): Promise<Played> {
  const directory = join(options.directory, options.name);
  await mkdir(directory, { recursive: true });
  const knownAs = `${options.name}-${randomUUID().slice(0, 8)}`;
  const pod = await makePod(cronJob, { ...options, directory, knownAs });
  const file = join(directory, 'pod.yaml');
  await writeFile(file, pod.text);
  try {
    const started = await podman(['kube', 'play', '--network', 'host', file]);
    // An init container that fails is a failure of the command; others are waited for.
    const last = podSpecOf(cronJob).containers.map(({ name }) => `${knownAs}-${name}`);
    if (started.code === 0) await podman(['wait', ...last]);
    const containers: Record<string, PlayedContainer> = {};
    for (const { name } of containersOf(podSpecOf(cronJob))) {
      containers[name] = {
        ...(await endOf(`${knownAs}-${name}`, started.stderr)),
        lastWords: await readFile(pod.terminationLogs.get(name) ?? '', 'utf8'),
      };
    }
    return {
      containers,
      file: (mount, name) => readFile(join(pod.mounts.get(mount) ?? '', name), 'utf8'),
    };
  } finally {
    await podman(['pod', 'rm', '--force', '--time', '0', knownAs]);
  }
}

async function endOf(
  container: string,
  otherwise: string,
): Promise<Pick<PlayedContainer, 'code' | 'log'>> {
  const { stdout } = await podman(['inspect', container, '--format', '{{json .State}}']);
  if (stdout === '') throw new Error(`${container} was not made: ${otherwise}`);
  const { Status, ExitCode } = JSON.parse(stdout) as { Status: string; ExitCode: number };
  const logs = await podman(['logs', container]);
  return {
    code: Status === 'exited' ? ExitCode : undefined,
    log: `${logs.stdout}${logs.stderr}`,
  };
}
