/**
 * What came of a run, in a file beside its CSVs: `crawl.json`, `sync.json`, `repair.json` (a sync that mends),
 * `verify.json`, `prune.json`. A dry run leaves none.
 *
 * It is there from the beginning of the run on, so that a run that was killed is not taken for one that
 * ended well. Who needs to know whether a tags.csv is whole (prune), or what a run was (report), reads it.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { RegistrySyncError } from '../base/errors.ts';
import { WholeFile } from '../files/whole-file.ts';

export const RECORDED_COMMANDS = ['crawl', 'sync', 'repair', 'verify', 'prune'] as const;
export type RecordedCommand = (typeof RECORDED_COMMANDS)[number];

export interface RunRecord {
  readonly command: RecordedCommand;
  /** The run's id, as in its log. */
  readonly run: string;
  /** Of the program. */
  readonly version: string;
  /** `partial`: something failed or was left out (exit code 3). `running`, when nothing runs: it was killed. */
  readonly state: 'running' | 'complete' | 'partial' | 'failed';
  /** RFC 3339. */
  readonly startedAt: string;
  /** RFC 3339. */
  readonly endedAt?: string;
  /** Which share of the work it was, as `0/4`; absent: all of it. */
  readonly shard?: string;
  /** Registries, `host[:port]`. */
  readonly source?: string;
  readonly target?: string;
  /** How deep a verification looked into images; absent: not into them. */
  readonly deep?: 'manifests' | 'bytes';
  /** Nothing was changed. */
  readonly dryRun?: boolean;
  /** One line for people: what came of it, or why it failed. */
  readonly message?: string;
  /** What was counted, by name: rows, tags, copied, failed, bytesCopied … */
  readonly counts?: Readonly<Record<string, number>>;
}

export function recordPath(workdir: string, command: RecordedCommand): string {
  return join(workdir, `${command}.json`);
}

/** @throws {RegistrySyncError} `USAGE` when it can't be written. */
export async function writeRecord(workdir: string, record: RunRecord): Promise<void> {
  await using file = await WholeFile.create(recordPath(workdir, record.command));
  await file.append(`${JSON.stringify(record, undefined, 2)}\n`);
  await file.finish();
  await file.commit();
}

/**
 * The record of the last run of `command` in a directory; `undefined`: there is none.
 *
 * @throws {RegistrySyncError} `USAGE` when it can't be read, or is no such record.
 */
export async function readRecord(
  workdir: string,
  command: RecordedCommand,
): Promise<RunRecord | undefined> {
  const path = recordPath(workdir, command);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new RegistrySyncError('USAGE', `can't read ${path}: ${code}`, { cause });
  }
  const record = parsed(text);
  if (record === undefined || record.command !== command) {
    const message = `${path}: is no record of a ${command}: remove it, and run ${command} again`;
    throw new RegistrySyncError('USAGE', message);
  }
  return record;
}

const STATES: ReadonlySet<unknown> = new Set(['running', 'complete', 'partial', 'failed']);

function parsed(text: string): RunRecord | undefined {
  try {
    const record = JSON.parse(text) as RunRecord;
    const isOne = STATES.has(record.state) && !Number.isNaN(Date.parse(record.startedAt));
    return isOne ? record : undefined;
  } catch {
    return undefined;
  }
}
