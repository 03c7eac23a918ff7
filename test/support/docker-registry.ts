/**
 * Runs Debian's docker-registry, the reference implementation of the distribution protocol, as a
 * child process that does not outlive the tests.
 *
 * Source: https://distribution.github.io/distribution/about/configuration/ (as of 2.8).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePort } from './free-port.ts';
import { tempDir } from './temp-dir.ts';
import type { KeyPair } from './tls.ts';

/** Whose tokens the registry takes, in the words of its configuration. */
export interface TokenAuth {
  /** URL of the token server. */
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** PEM file of the certificates that tokens may be signed with. */
  readonly rootcertbundle: string;
}

export interface DockerRegistryOptions {
  /** Where it keeps its images; a directory of its own unless given, which outlives it. */
  readonly storage?: string;
  /** Ask for `REGISTRY_LOGIN`. */
  readonly htpasswd?: boolean;
  readonly token?: TokenAuth;
  readonly tls?: KeyPair;
  /** PEM file: ask for a client certificate that this CA signed. */
  readonly clientCa?: string;
  /** Off unless given, as in the registry itself. */
  readonly deleteEnabled?: boolean;
  /** Take Docker's schema 1: off unless given, as in the registry itself. */
  readonly schema1?: boolean;
  /** Send `Location` without scheme and host. */
  readonly relativeUrls?: boolean;
}

export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`: what an image reference begins with. */
  readonly host: string;
  readonly port: number;
  /** `http://` or `https://` and the host. */
  readonly origin: string;
  readonly storage: string;
  /** What it has written so far, its access log included; until it is stopped. */
  log(): string;
  /** Kills it and starts it again on the same port and storage. */
  restart(): Promise<void>;
  /** Kills it and removes its files. Can be called twice. */
  stop(): Promise<void>;
}

/** The only user of a registry with `htpasswd`: a password that is hard to quote. */
export const REGISTRY_LOGIN = { user: 'sync', password: 'p@ss:w/ö"rd' } as const;

// `htpasswd -nbB -C 4`: made once, since neither Node nor openssl knows bcrypt.
const HTPASSWD = 'sync:$2y$04$E0craE4.Ws6ebDQkEk.vs.JIj5AqaWo/MjFAjMZCMD4lIJpqNgzjK\n';

const START_TIMEOUT_MS = 15_000;
const POLL_MS = 15;
/** Starts a registry and waits until it answers. */
export async function startDockerRegistry(
  options: DockerRegistryOptions = {},
): Promise<DockerRegistry> {
  const home = await tempDir();
  const storage = options.storage ?? join(home.path, 'storage');
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const origin = `${options.tls === undefined ? 'http' : 'https'}://${host}`;
  const htpasswd = join(home.path, 'htpasswd');
  const config = join(home.path, 'config.yml');
  const log = join(home.path, 'log');
  await writeFile(htpasswd, HTPASSWD);
  await writeFile(config, JSON.stringify(configuration(host, storage, htpasswd, options))); // is YAML

  let server = await launch(config, log, origin);
  async function stop(): Promise<void> {
    await kill(server);
    await home[Symbol.asyncDispose]();
  }
  return {
    host,
    port,
    origin,
    storage,
    log: () => readFileSync(log, 'utf8'),
    async restart() {
      await kill(server);
      server = await launch(config, log, origin);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function configuration(
  host: string,
  storage: string,
  htpasswd: string,
  options: DockerRegistryOptions,
): object {
  const { tls, clientCa } = options;
  return {
    version: 0.1,
    log: { level: 'info' },
    storage: {
      filesystem: { rootdirectory: storage },
      delete: { enabled: options.deleteEnabled ?? false },
    },
    http: {
      addr: host,
      secret: 'the same after a restart', // an upload's state is signed with it
      relativeurls: options.relativeUrls ?? false,
      ...(tls && {
        tls: { certificate: tls.cert, key: tls.key, ...(clientCa && { clientcas: [clientCa] }) },
      }),
    },
    ...(options.htpasswd && { auth: { htpasswd: { realm: 'test', path: htpasswd } } }),
    ...(options.token && { auth: { token: options.token } }),
    ...(options.schema1 && { compatibility: { schema1: { enabled: true } } }),
    validation: { manifests: { urls: { allow: ['.*'] } } }, // foreign layers can be pushed
  };
}

async function launch(config: string, log: string, origin: string): Promise<ChildProcess> {
  const output = openSync(log, 'a');
  // The kernel kills it when this process ends, however it ends.
  const command = ['--pdeathsig', 'KILL', 'docker-registry', 'serve', config];
  const child = spawn('setpriv', command, {
    stdio: ['ignore', output, output],
    env: { PATH: process.env['PATH'] }, // REGISTRY_… would change its configuration
  });
  closeSync(output);
  await once(child, 'spawn');
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(new URL('/v2/', origin)))) {
    if (!isRunning(child) || Date.now() > deadline) {
      await kill(child);
      throw new Error(`docker-registry did not start: ${readFileSync(log, 'utf8')}`);
    }
    await sleep(POLL_MS);
  }
  child.unref(); // a test that forgets to stop it ends nevertheless
  return child;
}

/** Whether anything answers, with whatever status; 401 is an answer. */
async function answers(url: URL): Promise<boolean> {
  const send = url.protocol === 'https:' ? tlsRequest : request;
  const probe = send(url, { agent: false, rejectUnauthorized: false });
  return await new Promise((resolve) => {
    probe.once('response', (response) => {
      response.resume();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(isRefusedHandshake(error)));
    probe.end();
  });
}

/** A server that wants a client certificate is up when it says so. */
function isRefusedHandshake({ code = '' }: NodeJS.ErrnoException): boolean {
  return code.startsWith('ERR_SSL_');
}

async function kill(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return;
  child.ref();
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
