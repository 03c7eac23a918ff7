/**
 * Runs skopeo, the program whose answers ours are compared with.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';

import { tempDir, type TempDir } from './temp-dir.ts';

const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024; // more than any list of tags in a test

// One for all runs: skopeo keeps nothing there unless it is told to log in.
let home: Promise<TempDir> | undefined;

/**
 * What skopeo wrote to stdout. It sees neither the credentials nor the settings of the user who runs
 * the tests, and accepts unsigned images; `env` adds to its environment.
 *
 * @throws {Error} with the arguments and what it wrote to stderr, when it fails.
 */
export async function skopeo(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return (await run(args, env)).toString('utf8');
}

/** The digest of a manifest, index or not, taken over the bytes that skopeo read. */
export async function rawDigest(
  reference: string,
  flags: readonly string[] = [],
): Promise<`sha256:${string}`> {
  const manifest = await run(['inspect', '--raw', ...flags, reference], {});
  return `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
}

async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Buffer> {
  home ??= tempDir();
  const { path } = await home;
  try {
    const { stdout } = await promisify(execFile)('skopeo', ['--insecure-policy', ...args], {
      encoding: 'buffer',
      env: { PATH: process.env['PATH'], HOME: path, XDG_RUNTIME_DIR: path, ...env },
      maxBuffer: MAX_OUTPUT_BYTES,
      timeout: TIMEOUT_MS,
    });
    return stdout;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: Buffer };
    const said = stderr === undefined || stderr.length === 0 ? message : stderr.toString('utf8');
    throw new Error(`skopeo ${args.join(' ')}: ${said}`, { cause: error });
  }
}
