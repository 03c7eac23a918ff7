/** Runs the built image as strictly as a cluster does. */
import { chown, mkdir } from 'node:fs/promises';

import { IMAGE, podman } from './engine.ts';
import type { Ran } from './programs.ts';

export interface ContainerOptions {
  /** Mounted at /data; nothing is unless given. */
  readonly data?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** In the place of the image's own; `UID:GID`. */
  readonly user?: string;
  /** In the place of the image's own. */
  readonly entrypoint?: string;
  /** Only what is inside unless given. */
  readonly network?: 'host' | 'none';
  /** So that it can be found while it runs. */
  readonly name?: string;
}

/** The least that a container can be given. */
export const STRICT = [
  ['--read-only', '--read-only-tmpfs=false', '--cap-drop', 'ALL'],
  ['--security-opt', 'no-new-privileges'],
].flat();

/** Runs it to its end, whatever its exit code. */
export async function container(
  args: readonly string[],
  { data, env = {}, user, entrypoint, network = 'none', name }: ContainerOptions = {},
): Promise<Ran> {
  const options = [
    ...(data === undefined ? [] : ['--volume', `${data}:/data`]),
    ...Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
    ...(user === undefined ? [] : ['--user', user]),
    ...(entrypoint === undefined ? [] : ['--entrypoint', entrypoint]),
    ...(name === undefined ? [] : ['--name', name]),
  ];
  const how = ['run', '--rm', '--pull', 'never', '--network', network, ...STRICT, ...options];
  return await podman([...how, IMAGE, ...args]);
}

/** A directory that belongs to whom the image runs as. */
export async function dataDirectory(path: string, [uid, gid] = [1000, 1000]): Promise<string> {
  await mkdir(path);
  await chown(path, uid, gid);
  return path;
}
