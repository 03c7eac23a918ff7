/**
 * What came of a run, in a file beside its CSVs: `crawl.json`, `sync.json`, `repair.json` (a sync that mends),
 * `verify.json`, `prune.json`. A dry run leaves none.
 *
 * It is there from the beginning of the run on, so that a run that was killed is not taken for one that
 * ended well. Who needs to know whether a tags.csv is whole (prune), or what a run was (report), reads it.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { isError, RegistrySyncError } from '../base/errors.ts';
import { reading } from '../files/file-failure.ts';
import { writeWhole } from '../files/whole-file.ts';

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
  /** Options that left repositories out of a crawl, by their names. */
  readonly filters?: readonly string[];
  /** Registries, `host[:port]`. */
  readonly source?: string;
  readonly target?: string;
  /** How deep a verification looked into images; absent: not into them. */
  readonly deep?: 'manifests' | 'bytes';
  /** Of so many parts `report --merge` has made it; absent: it is of a run. */
  readonly joinedFrom?: number;
  /** One line for people: what came of it, or why it failed. */
  readonly message?: string;
  /** What was counted, by name: rows, tags, copied, failed, bytesCopied … */
  readonly counts?: Readonly<Record<string, number>>;
}

export function recordPath(workdir: string, command: RecordedCommand): string {
  return join(workdir, `${command}.json`);
}

/** @throws {RegistrySyncError} `USAGE` when it can't be written. */
export function writeRecord(workdir: string, record: RunRecord): Promise<void> {
  const text = `${JSON.stringify(record, undefined, 2)}\n`;
  return writeWhole(recordPath(workdir, record.command), text);
}

/**
 * The record of the last run of `command` in a directory; `undefined`: there is none. Members of it that are of
 * another kind than they should be are left out: who edits one by hand breaks nothing.
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
    text = await reading(path, () => readFile(path, 'utf8'));
  } catch (error) {
    if (isError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
  const record = parsed(text);
  if (record?.command === command) return record;
  const message = `${path}: is no record of a ${command}: remove it, and run ${command} again`;
  throw new RegistrySyncError('USAGE', message);
}

const STATES: ReadonlySet<unknown> = new Set(['running', 'complete', 'partial', 'failed']);

function parsed(text: string): RunRecord | undefined {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(found) || !STATES.has(found['state']) || !isTime(found['startedAt'])) {
    return undefined;
  }
  const members = Object.entries(found).flatMap(([name, value]) => {
    const kept = READERS[name as keyof RunRecord]?.(value);
    return kept === undefined ? [] : [[name, kept] as const];
  });
  const defaults = { run: 'unknown', version: 'unknown' };
  return { ...defaults, ...Object.fromEntries(members) } as RunRecord;
}

type Reader = (value: unknown) => unknown;

const asText: Reader = (value) => (typeof value === 'string' ? value : undefined);
const asTime: Reader = (value) => (isTime(value) ? value : undefined);
const asCount: Reader = (value) => (Number.isFinite(value) ? value : undefined);

/** What each member may be: others are `undefined`. */
const READERS: Readonly<Record<keyof RunRecord, Reader>> = {
  command: asText,
  run: asText,
  version: asText,
  state: asText,
  startedAt: asTime,
  endedAt: asTime,
  shard: asText,
  filters: (value) => (Array.isArray(value) ? value.filter(asText) : undefined),
  source: asText,
  target: asText,
  deep: (value) => (value === 'manifests' || value === 'bytes' ? value : undefined),
  joinedFrom: asCount,
  message: asText,
  counts: (value) =>
    isObject(value)
      ? Object.fromEntries(Object.entries(value).filter(([, count]) => Number.isFinite(count)))
      : {},
};

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value));
}
