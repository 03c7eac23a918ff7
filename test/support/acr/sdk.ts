/**
 * Runs Azure's own client against emulators under real names, over TLS.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import type { SdkFindings, SdkTask } from './sdk-main.ts';

const MAIN = fileURLToPath(new URL('sdk-main.js', import.meta.url));
const TIMEOUT_MS = 60_000;

/**
 * What the client sees. `env` says whom it trusts, `NODE_EXTRA_CA_CERTS`, which names lead where,
 * `HTTPS_PROXY`, and who it is, `AZURE_…`.
 *
 * @throws {Error} with what it wrote to stderr, when it fails.
 */
export async function exploreBySdk(
  task: SdkTask,
  env: Readonly<Record<string, string>>,
): Promise<SdkFindings> {
  const args = [MAIN, JSON.stringify(task)];
  const settings = { env: { PATH: process.env['PATH'], ...env }, timeout: TIMEOUT_MS };
  const { stdout } = await promisify(execFile)(process.execPath, args, settings);
  return JSON.parse(stdout) as SdkFindings;
}
