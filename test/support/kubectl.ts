/**
 * kubectl, for `kubectl kustomize`, which needs no cluster. Debian 12's is of 1.20, whose kustomize knows
 * no components and no replacements; so where none that is new enough is on the PATH, the package of
 * Debian 13 is unpacked beside the tests, not installed: it runs on Debian 12 as well.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SUITE = 'trixie';
const MIRROR = 'http://deb.debian.org/debian';
/** Of Debian's archive, on every Debian; it has the keys of the suites to come. */
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const UNPACKED = join(tmpdir(), `registry-sync-kubectl-${SUITE}-${process.arch}`);
const OLDEST_KUSTOMIZE = 5;

/** Its name or path. @throws {Error} when there is none. */
export function kubectl(): string {
  const found = findKubectl();
  if (found !== undefined) return found;
  throw new Error('kubectl is missing: «node build/test/support/oracles.js» gets it');
}

export function findKubectl(): string | undefined {
  return ['kubectl', join(UNPACKED, 'usr', 'bin', 'kubectl')].find(isNewEnough);
}

/** Gets Debian's. What apt-get wrote; it matters only if kubectl isn't there afterwards. */
export function fetchKubectl(): string {
  const work = mkdtempSync(join(tmpdir(), 'registry-sync-kubectl-'));
  try {
    const apt = aptSettings(work);
    const update = runIn(work, 'apt-get', [...apt, 'update']);
    const said = update + runIn(work, 'apt-get', [...apt, 'download', 'kubectl']);
    const archive = readdirSync(work).find((name) => name.endsWith('.deb'));
    if (archive === undefined) return said;
    const unpacking = runIn(work, 'dpkg-deb', ['--extract', archive, 'unpacked']);
    if (!existsSync(UNPACKED)) renameSync(join(work, 'unpacked'), UNPACKED);
    return said + unpacking;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A list of packages of its own: the machine's stays as it is. */
function aptSettings(work: string): string[] {
  for (const name of ['lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(work, name), { recursive: true });
  }
  writeFileSync(join(work, 'status'), ''); // as if nothing were installed
  writeFileSync(join(work, 'sources.list'), `deb [signed-by=${KEYRING}] ${MIRROR} ${SUITE} main\n`);
  const places = {
    'Dir::Etc::SourceList': join(work, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::State::Lists': join(work, 'lists'),
    'Dir::State::Status': join(work, 'status'),
    'Dir::Cache': join(work, 'cache'),
    'APT::Sandbox::User': '', // the directory is ours only
    'Acquire::Languages': 'none',
  };
  return Object.entries(places).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

function runIn(cwd: string, program: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  return `${stdout}${stderr}`;
}

function isNewEnough(path: string): boolean {
  const { stdout } = spawnSync(path, ['version', '--client', '-o', 'json'], { encoding: 'utf8' });
  const version = /"kustomizeVersion": "v(\d+)\./.exec(stdout ?? '')?.[1];
  return version !== undefined && Number(version) >= OLDEST_KUSTOMIZE;
}
