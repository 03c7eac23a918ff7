/**
 * podman and buildah with all their files in one directory, so that neither the machine's images nor
 * its settings matter, and nothing is left behind. `with-image` makes it; tests are told by a variable
 * where it is.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { run, type ProgramOptions, type Ran } from './programs.ts';
import type { StorageDriver } from './storage-driver.ts';

/** What `with-image` built from the Dockerfile. */
export const IMAGE = 'localhost/registry-sync:test';
export const ENGINE_VARIABLE = 'REGISTRY_SYNC_TEST_CONTAINERS';

// Limits at their end, as not every root here may raise them; runc, as crun wants newer cgroups.
const CONTAINERS_CONF = `[containers]
default_ulimits = ["nofile=4096:4096", "nproc=2000:2000"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`;

/** Writes the settings into `directory`; images of `baseStore` can be used as if they were here. */
export async function makeEngine(
  directory: string,
  driver: StorageDriver,
  baseStore: string,
): Promise<void> {
  const settings = join(directory, '.config', 'containers');
  await mkdir(settings, { recursive: true });
  await mkdir(join(directory, 'tmp'));
  await writeFile(join(directory, 'containers.conf'), CONTAINERS_CONF);
  await writeFile(
    join(directory, 'storage.conf'),
    `[storage]
driver = "${driver}"
graphroot = "${join(directory, 'store')}"
runroot = "${join(directory, 'run')}"
[storage.options]
additionalimagestores = ["${baseStore}"]
`,
  );
  const policy = { default: [{ type: 'insecureAcceptAnything' }] };
  await writeFile(join(settings, 'policy.json'), JSON.stringify(policy));
}

/** Where the engine is that `with-image` made. */
export function engineDirectory(): string {
  const directory = process.env[ENGINE_VARIABLE];
  if (directory !== undefined) return directory;
  throw new Error('There is no image to test: start this by «npm run test:image».');
}

/** Runs podman to its end, whatever its exit code. */
export async function podman(args: readonly string[], options: ProgramOptions = {}): Promise<Ran> {
  return await runIn(engineDirectory(), 'podman', args, options);
}

/** The same for any program that reads the engine's settings. */
export async function runIn(
  directory: string,
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<Ran> {
  const env = {
    HOME: directory,
    TMPDIR: join(directory, 'tmp'),
    CONTAINERS_CONF: join(directory, 'containers.conf'),
    CONTAINERS_STORAGE_CONF: join(directory, 'storage.conf'),
  };
  return await run(program, args, { ...options, env: { ...env, ...options.env } });
}
