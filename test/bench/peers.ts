/** How each tool is told to do the same work: all tags of a model, from one registry to another. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { CACHE } from './cache.ts';
import type { Model } from './model.ts';

export type PeerName = 'ours' | 'skopeo' | 'crane' | 'regsync';

export interface Ends {
  /** `127.0.0.1:PORT`, over plain HTTP unless `isTls`. */
  readonly source: string;
  readonly target: string;
  /** With certificates that are not looked at. */
  readonly isTls: boolean;
}

/** What to run, in which environment. */
export interface Command {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Writes what the tool reads into `dir`, which is its own, and tells how it is run. */
export type Peer = (model: Model, ends: Ends, dir: string) => Promise<Command>;

export const PEERS: Readonly<Record<PeerName, Peer>> = { ours, skopeo, crane, regsync };

/** From build/test/bench. */
export const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
const GO_TOOLS = {
  crane: 'github.com/google/go-containerregistry/cmd/crane',
  regsync: 'github.com/regclient/regclient/cmd/regsync',
} as const;
const GO_BIN = join(dirname(CACHE), 'go', 'bin');
/** Images at a time: as many as ours does by itself. */
const JOBS = '16';

const looked = new Map<PeerName, boolean>();

/** Those of the tools that can be run here; what Go can install is installed. */
export function availableOf(names: readonly PeerName[]): PeerName[] {
  return names.filter((name) => {
    const isThere = looked.get(name) ?? isAtHand(name);
    if (!looked.has(name) && !isThere) process.stderr.write(`${name} is not at hand\n`);
    looked.set(name, isThere);
    return isThere;
  });
}

function isAtHand(name: PeerName): boolean {
  if (name === 'ours') return true;
  if (name === 'skopeo') return succeeds('skopeo', ['--version']);
  const bin = join(GO_BIN, name);
  if (existsSync(bin)) return true;
  return succeeds('go', ['install', `${GO_TOOLS[name]}@latest`], { GOBIN: GO_BIN });
}

function succeeds(
  file: string,
  args: readonly string[],
  env: Record<string, string> = {},
): boolean {
  try {
    execFileSync(file, args, {
      env: { ...process.env, ...env },
      stdio: 'ignore',
      timeout: 300_000,
    });
    return true;
  } catch {
    return false;
  }
}

async function ours(model: Model, { source, target, isTls }: Ends, dir: string): Promise<Command> {
  await writeFile(join(dir, 'tags.csv'), csvOf(model));
  const ends = ['--source-registry', source, '--target-registry', target];
  const tls = isTls ? ['--src-tls-verify=false', '--dest-tls-verify=false'] : [];
  const args = ['sync', ...ends, ...tls, '--workdir', dir, '--quiet'];
  return { command: [process.execPath, MAIN, ...args], env: await homeIn(dir) };
}

/** As crawl writes it. */
export function csvOf(model: Model): string {
  const rows = model.repositories.flatMap(({ name, tags }) => {
    const [namespace = '', repository = ''] = name.split('/');
    return [...tags].map(([tag, digest]) => `${namespace},${repository},${tag},,,${digest}\r\n`);
  });
  return `namespace,repo_name,name,created_on,last_updated_on,digest\r\n${rows.join('')}`;
}

/** It keeps the last part of a name, so it is told the first. */
async function skopeo(model: Model, { source, target }: Ends, dir: string): Promise<Command> {
  const path = join(dir, 'skopeo.yaml');
  const images = model.repositories.map(
    ({ name, tags }) => `    ${name}: [${[...tags.keys()].join(', ')}]\n`,
  );
  await writeFile(path, `"${source}":\n  tls-verify: false\n  images:\n${images.join('')}`);
  const flags = ['--all', '--src', 'yaml', '--dest', 'docker', '--dest-tls-verify=false'];
  const command = ['skopeo', '--insecure-policy', 'sync', ...flags, path, `${target}/acme`];
  // As to a user without rights: else it keeps what it knows of registries in /var/lib/containers.
  return { command, env: { ...(await homeIn(dir)), _CONTAINERS_ROOTLESS_UID: '1000' } };
}

/** One process after another for each repository, in a shell. */
async function crane(model: Model, { source, target }: Ends, dir: string): Promise<Command> {
  const names = model.repositories.map(({ name }) => name);
  const copy = `"$crane" cp -a -j ${JOBS} --insecure "${source}/$name" "${target}/$name"`;
  const script = `crane=$1; shift; for name; do ${copy} || exit 1; done`;
  const command = ['bash', '-c', script, 'bash', join(GO_BIN, 'crane'), ...names];
  return { command, env: await homeIn(dir) };
}

async function regsync(
  model: Model,
  { source, target, isTls }: Ends,
  dir: string,
): Promise<Command> {
  const path = join(dir, 'regsync.json');
  const creds = [source, target].map((registry) => ({
    registry,
    tls: isTls ? 'insecure' : 'disabled',
    reqConcurrent: Number(JOBS),
  }));
  const sync = model.repositories.map(({ name }) => ({
    source: `${source}/${name}`,
    target: `${target}/${name}`,
    type: 'repository',
  }));
  const defaults = { parallel: Number(JOBS) };
  await writeFile(path, JSON.stringify({ version: 1, creds, defaults, sync })); // is YAML
  return { command: [join(GO_BIN, 'regsync'), 'once', '-c', path], env: await homeIn(dir) };
}

/** It sees neither settings nor credentials of who runs it. */
export async function homeIn(dir: string): Promise<Record<string, string>> {
  const home = join(dir, 'home');
  await mkdir(home, { recursive: true });
  return { HOME: home, XDG_RUNTIME_DIR: home };
}
