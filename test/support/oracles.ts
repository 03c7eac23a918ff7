/**
 * Makes sure that the programs are installed which the tests measure us against, or run us in.
 *
 * Run as a script. Where it can, it installs what is missing; where it can't, it fails: a test that
 * has no oracle proves nothing, so it is never skipped.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

import { fetchKubectl, findKubectl } from './kubectl.ts';

/** Each program, and the package of Debian's that has it. */
const PACKAGE_OF: Readonly<Record<string, string>> = {
  'docker-registry': 'docker-registry',
  skopeo: 'skopeo',
  umoci: 'umoci',
  openssl: 'openssl',
  dockerd: 'docker.io',
  promtool: 'prometheus',
  'prometheus-pushgateway': 'prometheus-pushgateway',
  chromium: 'chromium', // for the page of report
  // For the tests of the image and of the manifests.
  buildah: 'buildah',
  podman: 'podman',
  runc: 'runc',
  catatonit: 'catatonit',
  mmdebstrap: 'mmdebstrap',
};
const PROGRAMS = Object.keys(PACKAGE_OF);
const PACKAGES = [...Object.values(PACKAGE_OF), 'ca-certificates', 'fonts-dejavu-core'];
const LOCK_SECONDS = 120; // another apt-get may be running; it is waited for

process.exitCode = main();

function main(): number {
  if (missing().length === 0) return 0;
  const output = [
    ...(missingPrograms().length > 0 && canInstall() ? [install()] : []),
    ...(findKubectl() === undefined && isOnPath('apt-get') ? [fetchKubectl()] : []),
  ].join('');
  const stillMissing = missing();
  if (stillMissing.length === 0) return 0;
  process.stderr.write(
    `${output}The tests need ${stillMissing.join(', ')} on the PATH: on Debian 12 or later run ` +
      `«apt-get install -y --no-install-recommends ${PACKAGES.join(' ')}» as root, and kubectl of 1.27 ` +
      `or later (kustomize 5), then start them again.\n`,
  );
  return 1;
}

function missing(): string[] {
  return [...missingPrograms(), ...(findKubectl() === undefined ? ['kubectl'] : [])];
}

function missingPrograms(): string[] {
  return PROGRAMS.filter((program) => !isOnPath(program));
}

function isOnPath(program: string): boolean {
  const path = [process.env['PATH'] ?? '', '/usr/sbin'].join(delimiter); // dockerd is for root
  return path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function canInstall(): boolean {
  return process.getuid?.() === 0 && isOnPath('apt-get');
}

/** What apt-get wrote; it matters only when a program is missing afterwards. */
function install(): string {
  const waitForLock = ['-o', `DPkg::Lock::Timeout=${LOCK_SECONDS}`];
  const update = aptGet([...waitForLock, 'update']);
  return update + aptGet([...waitForLock, 'install', '-y', '--no-install-recommends', ...PACKAGES]);
}

function aptGet(args: readonly string[]): string {
  const { stdout, stderr } = spawnSync('apt-get', args, {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return `${stdout}${stderr}`;
}
