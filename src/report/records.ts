/** The records of runs, as far as they are what they should be: who edits one by hand breaks no report. */
import { onOneLine } from '../base/shown.ts';
import { readRecord, type RecordedCommand, type RunRecord } from '../sync/run-record.ts';

export const REPORTED_COMMANDS = ['crawl', 'sync', 'verify'] as const satisfies RecordedCommand[];
export type ReportedCommand = (typeof REPORTED_COMMANDS)[number];
export type Records = { readonly [C in ReportedCommand]?: RunRecord };

/**
 * The record of the last run of `command` in a directory; `undefined`: there is none. Members of it that are of
 * another kind than they should be are left out.
 *
 * @throws {RegistrySyncError} `USAGE` when it can't be read, or is no such record.
 */
export async function readPlainRecord(
  workdir: string,
  command: ReportedCommand,
  hide: (text: string) => string,
): Promise<RunRecord | undefined> {
  const record = await readRecord(workdir, command);
  if (record === undefined) return undefined;
  const members = Object.entries(record).flatMap(
    ([name, value]: [string, unknown]): [string, unknown][] => {
      if (name === 'counts') return [[name, countsIn(value)]];
      if (name === 'dryRun') return typeof value === 'boolean' ? [[name, value]] : [];
      return typeof value === 'string' ? [[name, plain(hide(value))]] : [];
    },
  );
  const defaults = { run: 'unknown', version: 'unknown' };
  return { ...defaults, ...Object.fromEntries(members) } as RunRecord;
}

function countsIn(value: unknown): Record<string, number> {
  if (typeof value !== 'object' || value === null) return {};
  const counts = Object.entries(value).filter(([, count]) => Number.isFinite(count));
  return Object.fromEntries(counts) as Record<string, number>;
}

/** On one line, without marks that turn the direction of text: they would show one name as another. */
export function plain(text: string): string {
  return onOneLine(text).replaceAll(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}
