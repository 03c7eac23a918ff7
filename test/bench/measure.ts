/** What a command costs: seconds, seconds of CPU, and the most memory it held, with all its processes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';

export interface Cost {
  readonly wallS: number;
  /** User and system, of all processes that it waited for. */
  readonly cpuS: number;
  /** Of the processes that were there at one time, together. */
  readonly peakMiB: number;
}

export interface Measured extends Cost {
  readonly code: number;
  readonly stdout: string;
  /** The end of it. */
  readonly stderr: string;
}

export interface MeasureOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** All of it is killed then. */
  readonly timeoutMs?: number;
}

/** Runs it, tells the CPU time of what it ran on file descriptor 3, and ends as it did. */
const SHELL = '"$@" 3>&-; code=$?; times >&3; exit $code';
const POLL_MS = 20;
const TAIL = 4000;
const TIMEOUT_MS = 10 * 60_000;

/** Runs a command to its end, whatever its exit code; PATH and HOME are all it has of ours. */
export async function measure(
  command: readonly string[],
  { env = {}, timeoutMs = TIMEOUT_MS }: MeasureOptions = {},
): Promise<Measured> {
  const { PATH, HOME } = process.env;
  const started = performance.now();
  const child = spawn('bash', ['-c', SHELL, 'bash', ...command], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { PATH, HOME, ...env },
    detached: true, // a process group, to be killed as one
  });
  const { pid = 0 } = child;
  const kill = (): void => killGroup(pid);
  process.once('exit', kill);
  const timeout = setTimeout(kill, timeoutMs);
  let peakKiB = 0;
  const poll = setInterval(() => (peakKiB = Math.max(peakKiB, residentKiB(pid))), POLL_MS);
  const texts = [child.stdout, child.stderr, child.stdio[3] as Readable].map(textOf);
  const [code] = (await once(child, 'exit')) as [number | null];
  const wallS = (performance.now() - started) / 1000;
  clearTimeout(timeout);
  clearInterval(poll);
  process.off('exit', kill);
  const [stdout = '', stderr = '', times = ''] = await Promise.all(texts);
  return { wallS, cpuS: cpuOf(times), peakMiB: peakKiB / 1024, code: code ?? -1, stdout, stderr };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it has ended
  }
}

async function textOf(stream: Readable | null): Promise<string> {
  let text = '';
  if (stream === null) return text;
  for await (const piece of stream) text = (text + String(piece)).slice(-TAIL);
  return text;
}

/** Of bash's `times`: `0m1.250s 0m0.120s`, of itself and then of its children. */
function cpuOf(times: string): number {
  const [, children = ''] = times.trim().split('\n');
  const parts = [...children.matchAll(/(\d+)m([\d.]+)s/g)];
  return parts.reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  );
}

/** The high-water marks of all descendants of a process, without itself. */
function residentKiB(pid: number): number {
  let sum = 0;
  for (const child of childrenOf(pid)) {
    const [, kib = 0] = /VmHWM:\s+(\d+)/.exec(read(`/proc/${child}/status`)) ?? [];
    sum += Number(kib) + residentKiB(child);
  }
  return sum;
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

/** Empty when the process has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
