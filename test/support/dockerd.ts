/**
 * Runs Debian's Docker daemon as a child process that does not outlive the tests, without a network
 * and with all its files in a directory of its own.
 *
 * Source: docs.docker.com, «dockerd».
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { tempDir } from './temp-dir.ts';
import type { KeyPair } from './tls.ts';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 50;
const ARGUMENTS = [
  ['--storage-driver', 'vfs'],
  ['--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false'],
  ['--bridge=none', '--default-ulimit', 'nofile=1024:4096', '--oom-score-adjust', '0'],
].flat();

export interface DockerdOptions {
  /** Listens at `tlsAddress` too, and only to clients with a certificate of that CA. */
  readonly tls?: KeyPair & { readonly ca: string };
}

export interface Dockerd extends AsyncDisposable {
  /** `unix:///…` */
  readonly host: string;
  /** `127.0.0.1:PORT` */
  readonly tlsAddress: string;
  /** A request to its API: the status, and what it answers. */
  api(
    method: string,
    path: string,
    body?: Buffer,
  ): Promise<{ readonly status: number; readonly bytes: Buffer }>;
  /** `sha256:…` of an image that it holds. */
  imageId(name: string): Promise<string | undefined>;
}

/** Starts a daemon and waits until it answers; or says why none can run here. */
export async function startDockerd(
  options: DockerdOptions = {},
): Promise<{ readonly daemon: Dockerd } | { readonly reason: string }> {
  if (process.getuid?.() !== 0) return { reason: 'dockerd wants to be run by root' };
  const home = await tempDir();
  const socket = join(home.path, 'socket');
  const log = join(home.path, 'log');
  const tlsAddress = `127.0.0.1:${await freePort()}`;
  const child = await launch({ home: home.path, socket, log, tlsAddress }, options);
  const stop = async (): Promise<void> => {
    if (child !== undefined) await end(child);
    await home[Symbol.asyncDispose]();
  };
  const api: Dockerd['api'] = (method, path, body) => ask(socket, { method, path, body });
  const deadline = Date.now() + START_TIMEOUT_MS;
  const isUp = (): Promise<boolean> =>
    api('GET', '/_ping').then(
      () => true,
      () => false,
    );
  while (!(await isUp())) {
    if (child !== undefined && isRunning(child) && Date.now() < deadline) {
      await sleep(POLL_MS);
      continue;
    }
    const said = readFileSync(log, 'utf8').trim().split('\n').at(-1) ?? '';
    await stop();
    return { reason: `dockerd can't run here: ${said === '' ? 'it is not installed' : said}` };
  }
  child?.unref(); // a test that forgets to stop it ends nevertheless
  const daemon: Dockerd = {
    host: `unix://${socket}`,
    tlsAddress,
    api,
    async imageId(name) {
      const { status, bytes } = await api('GET', `/images/${name}/json`);
      return status === 200 ? (JSON.parse(bytes.toString('utf8')) as { Id: string }).Id : undefined;
    },
    [Symbol.asyncDispose]: stop,
  };
  return { daemon };
}

async function launch(
  { home, socket, log, tlsAddress }: Record<'home' | 'socket' | 'log' | 'tlsAddress', string>,
  { tls }: DockerdOptions,
): Promise<ChildProcess | undefined> {
  await mkdir(join(home, 'exec'));
  const places = ['--data-root', join(home, 'data'), '--exec-root', join(home, 'exec')];
  const secured =
    tls === undefined
      ? []
      : [
          ['-H', `tcp://${tlsAddress}`, '--tlsverify', '--tlscacert', tls.ca],
          ['--tlscert', tls.cert, '--tlskey', tls.key],
        ].flat();
  const own = [...places, '-p', join(home, 'pid'), '-H', `unix://${socket}`, ...secured];
  const output = openSync(log, 'a');
  // The kernel kills it when this process ends, however it ends.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'dockerd', ...own, ...ARGUMENTS], {
    stdio: ['ignore', output, output],
    env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin`, HOME: home },
  });
  closeSync(output);
  return await once(child, 'spawn').then(
    () => child,
    () => undefined,
  );
}

/** One that was free just now. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

async function ask(
  socketPath: string,
  { method, path, body }: { method: string; path: string; body: Buffer | undefined },
): Promise<{ status: number; bytes: Buffer }> {
  const headers = body === undefined ? {} : { 'content-type': 'application/x-tar' };
  const outgoing = request({ socketPath, method, path, headers, agent: false });
  outgoing.end(body);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, bytes: await buffer(answer) };
}

async function end(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return;
  child.ref();
  const exited = once(child, 'exit');
  child.kill('SIGTERM'); // it takes its mounts away
  const killing = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(killing);
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
