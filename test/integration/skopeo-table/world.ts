/**
 * What all lines of the table share: a registry with images, the same registry over TLS for those who
 * log in, and directories and archives that skopeo has written.
 *
 * Names in braces, in lines, files and variables of the environment:
 * `{reg}` registry · `{auth}` the same content over TLS with a login · `{seed}` `{reg}/seed` ·
 * `{ns}` `{reg}/{path}` · `{path}` repositories that only this side of this line uses · `{s}` directory with what was
 * prepared · `{certs}` `--cert-dir` for `{auth}` · `{login}` `user:password` · `{D:NAME}` digest of
 * the seed NAME · `{work}` the directory the line runs in · `{free}` a port nobody listens on.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import {
  REGISTRY_LOGIN,
  startDockerRegistry,
  type DockerRegistry,
} from '../../support/docker-registry.ts';
import { push } from '../../support/push.ts';
import { skopeo } from '../../support/skopeo.ts';
import { tempDir, type TempDir } from '../../support/temp-dir.ts';
import { createCertificates, type Certificates } from '../../support/tls.ts';
import { seeds } from './seeds.ts';

export interface World extends AsyncDisposable {
  readonly registry: DockerRegistry;
  /** Directory for the runs. */
  readonly runs: string;
  /** Replaces names in braces; `more` are those of one run. */
  fill(text: string, more?: Readonly<Record<string, string>>): string;
}

export async function startWorld(): Promise<World> {
  const home = await tempDir();
  const [prepared, runs, pki] = ['s', 'runs', 'pki'].map((name) => join(home.path, name));
  for (const path of [prepared, runs, pki]) await mkdir(path!);
  const certificates = await createCertificates(pki!);
  const registry = await startDockerRegistry({ deleteEnabled: true });
  const auth = await startDockerRegistry({
    storage: registry.storage,
    htpasswd: true,
    tls: { cert: certificates.serverCert, key: certificates.serverKey },
  });
  const images = Object.entries(seeds());
  for (const [name, image] of images) {
    const [repository = '', tag = ''] = name.split(':');
    await push(registry.origin, `seed/${repository}`, tag, image);
  }
  await prepare(prepared!, registry.host);
  const names = {
    ...namesOf(registry, auth, certificates),
    ...Object.fromEntries(images.map(([name, { root }]) => [`D:${name}`, root.digest])),
    s: prepared!,
  };
  return worldOf({ home, registry, auth }, runs!, names);
}

interface Held {
  readonly home: TempDir;
  readonly registry: DockerRegistry;
  readonly auth: DockerRegistry;
}

function worldOf(held: Held, runs: string, names: Readonly<Record<string, string>>): World {
  return {
    registry: held.registry,
    runs,
    fill: (text, more = {}) =>
      text.replace(/\{([A-Za-z]+(?::[^}]+)?)\}/g, (all, name: string) => {
        return more[name] ?? names[name] ?? all;
      }),
    async [Symbol.asyncDispose]() {
      await Promise.all([held.registry.stop(), held.auth.stop()]);
      await held.home[Symbol.asyncDispose]();
    },
  };
}

function namesOf(
  registry: DockerRegistry,
  auth: DockerRegistry,
  certificates: Certificates,
): Record<string, string> {
  return {
    reg: registry.host,
    seed: `${registry.host}/seed`,
    auth: auth.host,
    certs: certificates.certDir,
    user: REGISTRY_LOGIN.user,
    password: REGISTRY_LOGIN.password,
    login: `${REGISTRY_LOGIN.user}:${REGISTRY_LOGIN.password}`,
    free: '127.0.0.1:1',
  };
}

/** [destination, source, options] of what skopeo prepares. */
const PREPARED: readonly (readonly [string, string, ...string[]])[] = [
  ['dir:docker', 'docker:latest'],
  ['dir:rich', 'rich:latest', '--override-arch=arm64'],
  ['dir:oci-image', 'oci:latest'],
  ['dir:multi', 'multi:latest', '--all'],
  ['dir:index', 'index:latest', '--all'],
  ['dir:schema1', 'docker:latest', '--format=v2s1'],
  ['oci:layout:one', 'oci:latest'],
  ['oci:layout:two', 'docker:latest'],
  ['oci:layout:multi', 'index:latest', '--all'],
  ['oci:single', 'oci:latest'],
  ['oci-archive:oci.tar:named', 'oci:latest'],
  ['oci-archive:oci-all.tar:named', 'index:latest', '--all'],
  ['docker-archive:one.tar:example.test/one:v1', 'docker:latest'],
  ['docker-archive:more.tar:one:v1', 'docker:latest', '--additional-tag=example.test/more:v2'],
  ['docker-archive:unnamed.tar', 'docker:latest'],
  ['docker-archive:second.tar:second:v1', 'docker:v2'],
];

async function prepare(directory: string, host: string): Promise<void> {
  for (const [to, from, ...options] of PREPARED) {
    const [transport, path] = [to.slice(0, to.indexOf(':')), to.slice(to.indexOf(':') + 1)];
    const globals = options.filter((option) => option.startsWith('--override'));
    const others = options.filter((option) => !option.startsWith('--override'));
    const source = `docker://${host}/seed/${from}`;
    const words = [
      ...others,
      '--src-tls-verify=false',
      source,
      `${transport}:${directory}/${path}`,
    ];
    await skopeo([...globals, 'copy', ...words]);
  }
  await joinArchives(directory);
  await writeFile(
    join(directory, 'policy.json'),
    '{"default":[{"type":"insecureAcceptAnything"}]}',
  );
  await writeFile(join(directory, 'reject.json'), '{"default":[{"type":"reject"}]}');
  await writeFile(join(directory, 'bad.json'), '{"default":[{"type":"nonsense"}]}');
  await writeFile(join(directory, 'not.tar'), 'this is no archive\n');
  await mkdir(join(directory, 'nothing'));
}

/** `both.tar`: a docker-archive with two images, as `docker save` writes them. */
async function joinArchives(directory: string): Promise<void> {
  const path = join(directory, 'both');
  const manifests: unknown[] = [];
  await mkdir(path);
  for (const name of ['one', 'second']) {
    await promisify(execFile)('tar', ['-xf', join(directory, `${name}.tar`), '-C', path]);
    const manifest = await readFile(join(path, 'manifest.json'), 'utf8');
    manifests.push(...(JSON.parse(manifest) as unknown[]));
  }
  await writeFile(join(path, 'manifest.json'), JSON.stringify(manifests));
  await promisify(execFile)('tar', ['-cf', join(directory, 'both.tar'), '-C', path, '.']);
}
