/** The page of a report as a file: of `report --out`, and of `sync --report` when the sync has ended. */
import { readFile } from 'node:fs/promises';

import { systemClock } from '../base/clock.ts';
import { RegistrySyncError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { writeWhole } from '../files/whole-file.ts';
import { reportPage, type PageAssets } from '../report/page.ts';
import { makeReport, type Report } from '../report/report.ts';
import type { RunIo } from './command.ts';

export interface PageFile {
  readonly out: string;
  readonly log: Log;
}

/** @throws {RegistrySyncError} `USAGE` when it can't be written; then the old file is as it was. */
export async function writePage(report: Report, { out, log }: PageFile): Promise<void> {
  const { text, rowsLeftOut } = await reportPage(report, await readAssets());
  await writeWhole(out, text);
  log.info({ out, bytes: Buffer.byteLength(text), rowsLeftOut }, 'page written');
}

/** Beside the program: `npm run build` bundles them. */
async function readAssets(): Promise<PageAssets> {
  const [script, style] = await Promise.all(
    ['report-page.js', 'report-page.css'].map((name) =>
      readFile(new URL(name, import.meta.url), 'utf8'),
    ),
  );
  return { script: script ?? '', style: style ?? '' };
}

export interface EndedRun {
  readonly workdir: string;
  readonly previous: string | undefined;
  readonly io: RunIo;
}

/** For a run that was stopped, too: what is left of its time before it is killed is for the page. Milliseconds. */
const PAGE_MS = 20_000;

/** Writes the page of a run that has ended. That it can't be made is a warning: what was done is done. */
export async function writePageAfter(
  { workdir, previous, io }: EndedRun,
  { out, log }: PageFile,
): Promise<void> {
  const { version, secrets, shutdown } = io;
  const signal = shutdown.stopping.aborted ? AbortSignal.timeout(PAGE_MS) : shutdown.signal;
  const hide = (text: string): string => secrets.hide(text);
  try {
    const now = systemClock.now();
    await writePage(await makeReport({ workdir, previous, version, now, hide, signal }), {
      out,
      log,
    });
  } catch (error) {
    const reason = error instanceof RegistrySyncError ? error.message : String(error);
    log.warn({ out, reason }, 'the page of this run could not be written');
  }
}
