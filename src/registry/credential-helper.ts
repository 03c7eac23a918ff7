/**
 * Asks a `docker-credential-NAME` program, or has it keep or forget something. Source:
 * https://github.com/docker/docker-credential-helpers (one argument, stdin and stdout).
 */
import { spawn } from 'node:child_process';

import { RegistrySyncError } from '../base/errors.ts';

export interface HelperAnswer {
  readonly username: string;
  readonly secret: string;
}

/** Asks the helper `name` for `server`; `undefined` when it has nothing for it. */
export type AskHelper = (name: string, server: string) => Promise<HelperAnswer | undefined>;

const TIMEOUT_MS = 30_000;
const MAX_ANSWER = 1024 * 1024;
const NOTHING = 'credentials not found in native keychain';

/**
 * @throws {RegistrySyncError} `UNAUTHORIZED` when the helper is missing, hangs or fails. A failure is
 * never taken for «no credentials»: another entry's would be sent instead (CVE-2021-41092).
 */
export async function askHelper(
  name: string,
  server: string,
  timeoutMs = TIMEOUT_MS,
): Promise<HelperAnswer | undefined> {
  const program = programOf(name);
  const { code, stdout } = await run(program, { action: 'get', server, input: server, timeoutMs });
  if (code !== 0) {
    // Helpers report on stdout.
    if (stdout.trim() === NOTHING) return undefined;
    throw failed(program, `failed for ${server} with exit code ${code}`);
  }
  try {
    const { Username, Secret } = JSON.parse(stdout) as Record<string, unknown>;
    if (typeof Secret === 'string' && Secret !== '') {
      return { username: typeof Username === 'string' ? Username : '', secret: Secret };
    }
  } catch {
    // Not quoted: it may hold the secret.
  }
  throw failed(program, `gave no credentials for ${server} in an answer that can be read`);
}

/**
 * Gives the helper `name` something to keep for `server`, instead of what it had.
 *
 * @throws {RegistrySyncError} `UNAUTHORIZED` when the helper is missing, hangs or fails.
 */
export async function storeInHelper(
  name: string,
  server: string,
  { username, secret }: HelperAnswer,
  timeoutMs = TIMEOUT_MS,
): Promise<void> {
  const program = programOf(name);
  const input = JSON.stringify({ ServerURL: server, Username: username, Secret: secret });
  const { code } = await run(program, { action: 'store', server, input, timeoutMs });
  if (code !== 0) throw failed(program, `can't keep what is for ${server} (exit code ${code})`);
}

/**
 * Has the helper `name` forget what it keeps for `server`; `false` when that was nothing.
 *
 * @throws {RegistrySyncError} `UNAUTHORIZED` when the helper is missing, hangs or fails.
 */
export async function eraseFromHelper(
  name: string,
  server: string,
  timeoutMs = TIMEOUT_MS,
): Promise<boolean> {
  const program = programOf(name);
  const { code, stdout } = await run(program, {
    action: 'erase',
    server,
    input: server,
    timeoutMs,
  });
  if (code === 0) return true;
  if (stdout.trim() === NOTHING) return false;
  throw failed(program, `can't forget what is for ${server} (exit code ${code})`);
}

function programOf(name: string): string {
  const program = `docker-credential-${name}`;
  if (/^[\w.-]+$/.test(name)) return program;
  throw failed(program, 'is no name of a credential helper');
}

interface Question {
  /** The only argument. */
  readonly action: 'get' | 'store' | 'erase';
  /** For messages. */
  readonly server: string;
  /** May be secret, and goes to stdin only. */
  readonly input: string;
  readonly timeoutMs: number;
}

function run(
  program: string,
  { action, server, input, timeoutMs }: Question,
): Promise<{ code: number | null; stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [action], { stdio: ['pipe', 'pipe', 'ignore'] });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      child.stdout.destroy(); // a child of its own could keep it open
      reject(failed(program, `gave no answer for ${server} in ${timeoutMs / 1000} seconds`));
    }, timeoutMs);
    let stdout = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      if (stdout.length < MAX_ANSWER) stdout += text;
    });
    child.stdin.on('error', () => {}); // a helper that doesn't read is judged by its exit code
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(failed(program, "can't be run", cause));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout });
    });
    child.stdin.end(`${input}\n`);
  });
}

function failed(program: string, what: string, cause?: unknown): RegistrySyncError {
  return new RegistrySyncError('UNAUTHORIZED', `credential helper ${program} ${what}`, { cause });
}
