/** Runs `report`. */
import { systemClock } from '../../base/clock.ts';
import { createLog, type Log, type LogFormat } from '../../base/log.ts';
import { RegistrySyncError } from '../../base/errors.ts';
import { mergeWorkdirs } from '../../report/merge.ts';
import { makeReport } from '../../report/report.ts';
import { textReport } from '../../report/text-report.ts';
import { inOneSentence } from '../../report/words.ts';
import type { RunIo, Values } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { readRunId } from '../options/observe.ts';
import { writePage } from '../report-page.ts';
import { Screen } from '../screen.ts';
import type { REPORT_OPTIONS } from './report-options.ts';

/** Resolves to the exit code. */
export async function runReport(values: Values<typeof REPORT_OPTIONS>, io: RunIo): Promise<number> {
  const { workdir = '.', out, merge, previous } = values;
  if (merge.length > 0 && values.workdir === undefined) {
    const message = '--merge: give --workdir, the directory that gets the joined files';
    throw new RegistrySyncError('USAGE', message);
  }
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
  if (out !== undefined) await writePage(report, { out, log });
  return gaps.length > 0 ? EXIT.partial : EXIT.ok;
}

/** Not that of a runtime, which brings HTTP, registries and credentials with it: nothing is asked of anybody here. */
function logOf(values: Values<typeof REPORT_OPTIONS>, io: RunIo): Promise<Log> {
  const screen = new Screen(io.stderr);
  return createLog({
    level: values.debug ? 'debug' : values.quiet ? 'warn' : 'info',
    format: values['log-format'] as LogFormat,
    secrets: io.secrets,
    runId: readRunId(values['run-id'], systemClock.now()),
    write: (text) => screen.write(text),
  });
}
