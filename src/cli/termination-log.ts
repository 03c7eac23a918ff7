/**
 * What a run ends with, for Kubernetes: `kubectl describe pod` shows it.
 *
 * Source: https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

import { onOneLine } from '../base/shown.ts';

const DEFAULT_PATH = '/dev/termination-log';
/** More of it Kubernetes does not show. */
const MAX_BYTES = 4096;

/**
 * Writes `text`. The default file is written only where Kubernetes has made it. That it can't be written is no
 * reason to fail: what it would say was said elsewhere.
 */
export async function writeTerminationLog(path: string | undefined, text: string): Promise<void> {
  const { O_WRONLY, O_TRUNC, O_CREAT, O_NONBLOCK } = constants;
  // A pipe that nobody reads must not hold up the end of the run.
  const flags = O_WRONLY | O_TRUNC | O_NONBLOCK | (path === undefined ? 0 : O_CREAT);
  try {
    await using file = await open(path ?? DEFAULT_PATH, flags);
    await file.writeFile(cut(text));
  } catch {
    // there is none
  }
}

/** Whole lines and characters, as far as there is room. */
function cut(text: string): Buffer {
  const bytes = Buffer.from(text.split('\n').map(onOneLine).join('\n'));
  if (bytes.length <= MAX_BYTES) return bytes;
  let end = MAX_BYTES - 3;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1; // inside a character
  return Buffer.concat([bytes.subarray(0, end), Buffer.from('…')]);
}
