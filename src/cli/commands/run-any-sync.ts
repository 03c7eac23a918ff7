/** Runs `sync`: with `--src` as skopeo's, else of the rows of a CSV. */
import { RegistrySyncError } from '../../base/errors.ts';
import type { OptionSpec, RunIo } from '../command.ts';
import type { SyncValues } from './run-sync.ts';
import { SKOPEO_SYNC_OPTIONS } from './skopeo-sync-options.ts';
import { ROW_GROUPS, SYNC_OPTIONS } from './sync-options.ts';

/** Resolves to the exit code. */
export async function runAnySync(
  values: SyncValues,
  io: RunIo,
  words: readonly string[],
): Promise<number> {
  const isRows = values.src === undefined && values.dest === undefined && words.length === 0;
  refuseOthers(values, isRows);
  if (values['report-previous'] !== undefined && values.report === undefined) {
    const message = '--report-previous is for --report FILE: give that too';
    throw new RegistrySyncError('USAGE', message);
  }
  if (isRows) return (await import('./run-sync.ts')).runSync(values, io);
  return (await import('./run-skopeo-sync.ts')).runSkopeoSync(values, io, words);
}

/** Rows are copied from one registry to another, whole unless `--platform` is given. */
const NOT_OF_ROWS: ReadonlySet<string> = new Set([
  ...Object.keys(SKOPEO_SYNC_OPTIONS),
  'override-os',
  'override-arch',
  'override-variant',
]);

/** Of those that stand in no group of rows alone. */
const ONLY_OF_ROWS = /^(?:shard|metrics-.+|report|report-previous)$/;

/** An option of the other way to sync would be obeyed by nobody. */
function refuseOthers(values: SyncValues, isRows: boolean): void {
  const isOther = (name: string, { group = '' }: OptionSpec): boolean =>
    isRows ? NOT_OF_ROWS.has(name) : ROW_GROUPS.includes(group) || ONLY_OF_ROWS.test(name);
  const names = Object.entries(SYNC_OPTIONS);
  const [name] = names.find(([one, spec]) => isOther(one, spec) && isGiven(values, one)) ?? [];
  if (name === undefined) return;
  const message = isRows
    ? `--${name} is for sync as skopeo's: give --src, --dest, SOURCE and DESTINATION too`
    : `--${name} is for rows of tags.csv: it does not go with --src and --dest`;
  throw new RegistrySyncError('USAGE', message);
}

function isGiven(values: Readonly<Record<string, unknown>>, name: string): boolean {
  const value = values[name];
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
}
