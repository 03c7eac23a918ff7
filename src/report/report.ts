/** The report of a workdir: everything that its text and its page show. */
import { isError } from '../base/errors.ts';
import { onOneLine } from '../base/shown.ts';
import { agesOf, type Ages } from './ages.ts';
import { notesOf } from './notes.ts';
import { findPrevious, markChanges, type ChangeCounts } from './previous.ts';
import { ReportStrings } from './report-rows.ts';
import { isUnlisted } from './row-state.ts';
import { settle, type ReportTotals, type Settled } from './settle.ts';
import { type Records } from './records.ts';
import { readWorkdir, type ReadSettings, type Workdir } from './workdir.ts';

export interface Previous {
  readonly path: string;
  readonly totals: ReportTotals;
  readonly records: Records;
  readonly changes: ChangeCounts;
}

export interface Report extends Settled {
  readonly workdir: Workdir;
  /** Of this program. */
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly madeAt: number;
  readonly ages: Ages;
  readonly previous: Previous | undefined;
  /** What who reads it should know: what is missing, old, damaged. */
  readonly notes: readonly string[];
}

export interface ReportSettings {
  readonly workdir: string;
  /** The directory of an earlier run, or one that has a directory per run. */
  readonly previous?: string | undefined;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Keeps secrets out of what is shown. */
  readonly hide: (text: string) => string;
  readonly signal: AbortSignal;
}

/** @throws {RegistrySyncError} `USAGE` when a directory is none, or a file in it can't be understood. */
export async function makeReport(settings: ReportSettings): Promise<Report> {
  const { hide, signal, now } = settings;
  const reading = { strings: new ReportStrings(), hide, signal };
  const workdir = await readWorkdir(settings.workdir, reading);
  const settled = settle(workdir);
  const ages = agesOf(updatesIn(workdir), now);
  const remarks: string[] = [];
  const before = await readPrevious(settings, reading, (text) => remarks.push(text));
  const previous: Previous | undefined = before && {
    path: before.path,
    totals: settle(before).totals,
    records: before.records,
    changes: markChanges(workdir, before), // last: it adds rows, which are none of the totals
  };
  const asked = remarks.length === 0 ? settings.previous : undefined;
  const notes = [...remarks, ...notesOf(workdir, settled.totals, { asked, found: before })];
  return { ...settled, workdir, version: settings.version, madeAt: now, ages, previous, notes };
}

function* updatesIn(workdir: Workdir): Generator<number, void, void> {
  const { count, columns } = workdir.rows;
  for (let row = 0; row < count; row += 1) {
    if (!isUnlisted(workdir, row)) yield columns.updated[row] ?? 0;
  }
}

/** A damaged run of earlier days is no reason for today's report to fail, unless it was asked for. */
async function readPrevious(
  { previous, workdir }: ReportSettings,
  reading: ReadSettings,
  remark: (text: string) => void,
): Promise<Workdir | undefined> {
  const found = previous === undefined ? undefined : await findPrevious(previous, workdir);
  if (found === undefined) return undefined;
  try {
    return await readWorkdir(found.path, reading);
  } catch (error) {
    if (found.isGiven || !isError(error, 'USAGE')) throw error;
    remark(`the earlier run can't be compared: ${onOneLine(error.message)}`);
    return undefined;
  }
}
