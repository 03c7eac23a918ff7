/**
 * Runs the built command line program as users do: as a process of its own, in an environment in
 * which nothing is set that the test did not set.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { tempDir, type TempDir } from './temp-dir.ts';

export interface CliOptions {
  /** Added to PATH and HOME; HOME is an empty directory that goes away with the run unless given. */
  readonly env?: Readonly<Record<string, string>>;
  /** That same directory unless given. */
  readonly cwd?: string;
  /** Written to stdin, which is then closed; nothing unless given. */
  readonly stdin?: string;
  /** It is killed then, and the run rejects; 60 s unless given. */
  readonly timeoutMs?: number;
  readonly signalAfter?: SignalAfter;
}

/** A signal, sent once: so long after the start, or when the output so far matches. */
export type SignalAfter = { readonly signal: NodeJS.Signals } & (
  { readonly ms: number } | { readonly stdout: RegExp } | { readonly stderr: RegExp }
);

export interface CliResult {
  /** `undefined` when a signal ended it. */
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  /** What `stdout` is the text of: for answers that are compared byte by byte. */
  readonly stdoutBytes: Buffer;
  readonly stderr: string;
}

export interface RunningCli {
  readonly child: ChildProcessWithoutNullStreams;
  /** Settles when it has ended and all its output is read. Rejects on the timeout only. */
  readonly result: Promise<CliResult>;
}

// From build/test/support/cli.js.
const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
const TIMEOUT_MS = 60_000;

/** Runs it to its end, whatever its exit code. */
export async function runCli(
  args: readonly string[],
  options: CliOptions = {},
): Promise<CliResult> {
  return await (
    await startCli(args, options)
  ).result;
}

/** Starts it and returns at once, for tests that watch or kill it. */
export async function startCli(
  args: readonly string[],
  options: CliOptions = {},
): Promise<RunningCli> {
  const home = await tempDir();
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd ?? home.path,
    env: { PATH: process.env['PATH'], HOME: home.path, ...options.env },
  });
  killOnExit(child);
  child.stdin.on('error', () => {}); // it may end without reading
  child.stdin.end(options.stdin ?? '');
  return { child, result: watch(child, options, home) };
}

async function watch(
  child: ChildProcessWithoutNullStreams,
  { timeoutMs = TIMEOUT_MS, signalAfter }: CliOptions,
  home: TempDir,
): Promise<CliResult> {
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const textOf = (name: 'stdout' | 'stderr'): string =>
    Buffer.concat(output[name]).toString('utf8');
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => output[name].push(chunk));
  }
  const stopSignalling = signalAfter && sendSignal(child, signalAfter, textOf);

  let timedOut = false;
  const timeout = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    const stdoutBytes = Buffer.concat(output.stdout);
    const [stdout, stderr] = [textOf('stdout'), textOf('stderr')];
    if (timedOut) throw new Error(`no end after ${timeoutMs} ms:\n${stdout}\n${stderr}`);
    return { code: code ?? undefined, signal: signal ?? undefined, stdout, stdoutBytes, stderr };
  } finally {
    clearTimeout(timeout);
    stopSignalling?.();
    await home[Symbol.asyncDispose]();
  }
}

/** Returns how to call it off. */
function sendSignal(
  child: ChildProcessWithoutNullStreams,
  after: SignalAfter,
  textOf: (name: 'stdout' | 'stderr') => string,
): () => void {
  if ('ms' in after) {
    const timer = setTimeout(() => child.kill(after.signal), after.ms);
    return () => clearTimeout(timer);
  }
  const [name, pattern] =
    'stdout' in after ? (['stdout', after.stdout] as const) : (['stderr', after.stderr] as const);
  const look = (): void => {
    if (!pattern.test(textOf(name))) return;
    child[name].off('data', look);
    child.kill(after.signal);
  };
  child[name].on('data', look);
  return () => child[name].off('data', look);
}

function killOnExit(child: ChildProcessWithoutNullStreams): void {
  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('close', () => process.off('exit', kill));
}
