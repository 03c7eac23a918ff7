/** Where large temporary files go. */
import { tmpdir } from 'node:os';

import type { Io } from './command.ts';

/** `--tmpdir`, TMPDIR, or what the system has. */
export function temporaryDirectory(given: string | undefined, env: Io['env']): string {
  return given ?? (env['TMPDIR'] || tmpdir());
}
