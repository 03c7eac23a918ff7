/** The records of runs, as they may be shown. */
import { onOneLine } from '../base/shown.ts';
import { readRecord, type RecordedCommand, type RunRecord } from '../sync/run-record.ts';

/** These are not in every workdir, and not missed. */
const RARE_COMMANDS: ReadonlySet<RecordedCommand> = new Set(['repair', 'prune']);

export function isMissed(command: RecordedCommand): boolean {
  return !RARE_COMMANDS.has(command);
}

export type Records = { readonly [C in RecordedCommand]?: RunRecord };

/**
 * The record of the last run of `command` in a directory, its texts as they may be shown; `undefined`: there is none.
 *
 * @throws {RegistrySyncError} `USAGE` when it can't be read, or is no such record.
 */
export async function readShownRecord(
  workdir: string,
  command: RecordedCommand,
  hide: (text: string) => string,
): Promise<RunRecord | undefined> {
  const record = await readRecord(workdir, command);
  if (record === undefined) return undefined;
  const members = Object.entries(record).map(([name, value]: [string, unknown]) => {
    return [name, typeof value === 'string' ? plain(hide(value)) : value] as const;
  });
  return Object.fromEntries(members) as unknown as RunRecord;
}

/** Milliseconds since 1970. */
export function startOf({ startedAt }: RunRecord): number {
  return Date.parse(startedAt);
}

/** On one line, without marks that turn the direction of text: they would show one name as another. */
export function plain(text: string): string {
  return onOneLine(text).replaceAll(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}
