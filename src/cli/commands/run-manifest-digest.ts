/** Runs `manifest-digest`. */
import { readFile } from 'node:fs/promises';

import { RegistrySyncError } from '../../base/errors.ts';
import { digestOf } from '../../image/digest.ts';
import { signedPayload } from '../../image/signed-payload.ts';
import type { RunIo } from '../command.ts';
import { EXIT } from '../exit-code.ts';

/** Resolves to the exit code. */
export async function runManifestDigest(
  _values: unknown,
  io: RunIo,
  [path = '']: readonly string[],
): Promise<number> {
  const bytes = await read(path);
  io.stdout.write(`${digestOf(signedPayload(bytes) ?? bytes)}\n`);
  return EXIT.ok;
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new RegistrySyncError('USAGE', `can't read the manifest ${path}: ${code}`, { cause });
  }
}
