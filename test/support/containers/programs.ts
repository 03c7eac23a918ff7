/** Runs programs of the system to their end, and says what they wrote where they fail. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter } from 'node:path';
import { text } from 'node:stream/consumers';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** It is killed then, which is a failure; 120 s unless given. */
  readonly timeoutMs?: number;
}

/** PATH with what is for root. */
export const SYSTEM_PATH = [process.env['PATH'] ?? '', '/usr/sbin', '/sbin'].join(delimiter);

const TIMEOUT_MS = 120_000;

/** Runs it, whatever its exit code; its environment is this process's and `env`. */
export async function run(
  program: string,
  args: readonly string[],
  { cwd, env, timeoutMs = TIMEOUT_MS }: ProgramOptions = {},
): Promise<Ran> {
  const child = spawn(program, args, {
    ...(cwd !== undefined && { cwd }),
    env: { ...process.env, PATH: SYSTEM_PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const written = Promise.all([text(child.stdout), text(child.stderr)]);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  const [stdout, stderr] = await written;
  if (code === null) throw new Error(`${program} ${args.join(' ')}: ${signal}\n${stdout}${stderr}`);
  return { code, stdout, stderr };
}

/** Runs it; its stdout. Anything but exit code 0 is thrown. */
export async function output(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, options);
  if (code === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')}: exit code ${code}\n${stdout}${stderr}`);
}
