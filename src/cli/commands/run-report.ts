/** Runs `report`. */
import { readFile } from 'node:fs/promises';

import { systemClock } from '../../base/clock.ts';
import { createLog, type Log, type LogFormat } from '../../base/log.ts';
import { WholeFile } from '../../files/whole-file.ts';
import { mergeWorkdirs } from '../../report/merge.ts';
import { reportPage, type PageAssets } from '../../report/page.ts';
import { makeReport, type Report } from '../../report/report.ts';
import { textReport } from '../../report/text-report.ts';
import { inOneSentence } from '../../report/words.ts';
import type { RunIo, Values } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { Screen } from '../screen.ts';
import type { REPORT_OPTIONS } from './report-options.ts';

/** Resolves to the exit code. */
export async function runReport(values: Values<typeof REPORT_OPTIONS>, io: RunIo): Promise<number> {
  const { workdir, out, merge, previous } = values;
  const { signal } = io.shutdown;
  const log = await logOf(values, io);
  const gaps = merge.length === 0 ? [] : await mergeWorkdirs(merge, workdir, signal);
  if (merge.length > 0) log.info({ from: merge.length, workdir }, 'shards merged');
  const report = await makeReport({
    workdir,
    previous,
    version: io.version,
    now: systemClock.now(),
    hide: (text) => io.secrets.hide(text),
    signal,
  });
  if (gaps.length > 0) {
    const lines = gaps.map((gap) => `  ! ${gap}\n`).join('');
    io.stdout.write(`NOT WHOLE: what was merged has gaps.\n${lines}\n`);
  }
  io.stdout.write(textReport(report));
  const gapsToo = gaps.length === 0 ? '' : ` NOT WHOLE: ${gaps.join('; ')}`;
  io.conclude(inOneSentence(report.totals) + gapsToo);
  if (out !== undefined) await writePage(report, out, log);
  return gaps.length > 0 ? EXIT.partial : EXIT.ok;
}

function logOf(values: Values<typeof REPORT_OPTIONS>, io: RunIo): Promise<Log> {
  const screen = new Screen(io.stderr);
  return createLog({
    level: values.debug ? 'debug' : values.quiet ? 'warn' : 'info',
    format: values['log-format'] as LogFormat,
    secrets: io.secrets,
    write: (text) => screen.write(text),
  });
}

async function writePage(report: Report, out: string, log: Log): Promise<void> {
  const { text, rowsLeftOut } = await reportPage(report, await readAssets());
  await using file = await WholeFile.create(out);
  await file.append(text);
  await file.finish();
  await file.commit();
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
