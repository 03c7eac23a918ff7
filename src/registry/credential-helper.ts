/**
 * Asks a `docker-credential-NAME` program. Source:
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
  const program = `docker-credential-${name}`;
  if (!/^[\w.-]+$/.test(name)) throw failed(program, 'is no name of a credential helper');
  const { code, stdout } = await run(program, server, timeoutMs);
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

function run(
  program: string,
  input: string,
  timeoutMs: number,
): Promise<{ code: number | null; stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], { stdio: ['pipe', 'pipe', 'ignore'] });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      child.stdout.destroy(); // a child of its own could keep it open
      reject(failed(program, `gave no answer for ${input} in ${timeoutMs / 1000} seconds`));
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
