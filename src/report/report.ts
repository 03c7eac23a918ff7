/** The report of a workdir: everything that its text and its page show. */
import { agesOf, type Ages } from './ages.ts';
import { notesOf } from './notes.ts';
import { findPrevious, markChanges, type ChangeCounts } from './previous.ts';
import { ReportStrings } from './report-rows.ts';
import { settle, type ReportTotals, type Settled } from './settle.ts';
import { readWorkdir, type Records, type Workdir } from './workdir.ts';

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
  const { rows } = workdir;
  const ages = agesOf(rows.columns.updated, rows.count, now);
  const previousPath =
    settings.previous === undefined
      ? undefined
      : await findPrevious(settings.previous, settings.workdir);
  const before = previousPath === undefined ? undefined : await readWorkdir(previousPath, reading);
  const previous: Previous | undefined = before && {
    path: before.path,
    totals: settle(before).totals,
    records: before.records,
    changes: markChanges(workdir, before), // last: it adds rows, which are none of the totals
  };
  const notes = notesOf(workdir, settled.totals, { asked: settings.previous, found: before });
  return { ...settled, workdir, version: settings.version, madeAt: now, ages, previous, notes };
}
