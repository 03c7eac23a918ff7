/** The report as text: what the last container of a pod prints. */
import { formatBytes } from '../sync/report.ts';
import { STATES, STATE_WORDS, type State } from './payload.ts';
import type { Report } from './report.ts';
import { hasFailed } from './settle.ts';
import { REPORTED_COMMANDS, type ReportedCommand } from './records.ts';
import { counted, durationOf, formatCount, formatTime } from './words.ts';

/** Of rows that are named: the rest is counted. */
const MAX_ROWS = 20;

export function textReport(report: Report): string {
  const { workdir, version } = report;
  return [
    `Report of ${workdir.path} (registry-sync ${version}, ${formatTime(report.madeAt)})`,
    '',
    ...REPORTED_COMMANDS.map((command) => runLine(report, command)),
    '',
    ...totalLines(report),
    ...reasonLines(report),
    ...failureLines(report),
    ...stateLines(report, ['missing', 'differs', 'damaged'], 'Missing or different at the target'),
    ...(report.workdir.files.has('results.csv')
      ? stateLines(report, ['no-result'], 'Not started, or left out')
      : []),
    ...changeLines(report),
    ...noteLines(report),
    '',
  ].join('\n');
}

function runLine({ workdir }: Report, command: ReportedCommand): string {
  const record = workdir.records[command];
  const name = `  ${command.padEnd(7)}`;
  if (record === undefined) return `${name} no record`;
  const { state, startedAt, shard, source, target, run } = record;
  const duration = durationOf(record);
  return [
    `${name} ${state.padEnd(8)} ${formatTime(startedAt)}`,
    ...(duration === undefined ? [] : [duration]),
    ...(shard === undefined ? [] : [`shard ${shard}`]),
    ...(source === undefined ? [] : [`source ${source}`]),
    ...(target === undefined ? [] : [`target ${target}`]),
    `run ${run}`,
  ].join(', ');
}

function totalLines({ totals }: Report): string[] {
  const lines: readonly (readonly [string, number, string])[] = [
    [
      'at the target',
      totals.there,
      `${formatCount(totals.copied)} copied, ${formatCount(totals.unchanged)} unchanged`,
    ],
    ['failed', totals.failed, ''],
    ['missing', totals.missing, 'by verify.csv'],
    ['different', totals.differs, 'by verify.csv'],
    ['damaged', totals.damaged, 'by verify.csv'],
    ['would be copied', totals.wouldCopy, 'dry run'],
    ['no result', totals.noResult, 'not started, or left out'],
  ];
  const width = Math.max(...lines.map(([, count]) => formatCount(count).length));
  const shown = lines.filter(
    ([name, count]) => count > 0 || ['at the target', 'failed'].includes(name),
  );
  const sizes =
    totals.images > 0
      ? `, ${counted(totals.images, 'image')} of ${formatBytes(totals.imageBytes)}`
      : '';
  return [
    `${counted(totals.tags, 'tag')} in ${counted(totals.repositories, 'repository')}; ${formatBytes(totals.bytesMoved)} moved${sizes}`,
    ...shown.map(
      ([name, count, more]) =>
        `  ${formatCount(count).padStart(width)}  ${name}${more === '' || count === 0 ? '' : ` (${more})`}`,
    ),
  ];
}

/** Only where it says more than the rows themselves. */
function reasonLines({ reasons, totals }: Report): string[] {
  if (totals.failures <= MAX_ROWS || reasons.length === 0) return [];
  const shown = reasons.slice(0, MAX_ROWS);
  const rest = reasons.length - shown.length;
  return [
    '',
    'Why images failed:',
    ...shown.map(({ count, text }) => `  ${formatCount(count)} × ${text}`),
    ...(rest > 0 ? [`  and ${counted(rest, 'other reason')}`] : []),
  ];
}

function failureLines(report: Report): string[] {
  const { rows } = report.workdir;
  const text = (row: number): string => {
    const error = rows.outcomeOf(row) === 'failed' ? rows.errorOf(row) : rows.detailOf(row);
    return `${rows.imageOf(row)}${error === '' ? '' : `: ${error}`}`;
  };
  return rowLines(report, 'Failed', { isWanted: (row) => hasFailed(report.workdir, row), text });
}

function stateLines(report: Report, states: readonly State[], title: string): string[] {
  const wanted = new Set(states.map((state) => STATES.indexOf(state)));
  return rowLines(report, title, {
    isWanted: (row) => wanted.has(report.states[row] ?? 0),
    text: (row) => stateLine(report, row),
  });
}

interface Lines {
  readonly isWanted: (row: number) => boolean;
  readonly text: (row: number) => string;
}

function rowLines({ states }: Report, title: string, { isWanted, text }: Lines): string[] {
  const lines: string[] = [];
  let count = 0;
  for (let row = 0; row < states.length; row += 1) {
    if (!isWanted(row)) continue;
    count += 1;
    if (lines.length < MAX_ROWS) lines.push(`  ${text(row)}`);
  }
  if (count === 0) return [];
  const more = count > lines.length ? [`  and ${formatCount(count - lines.length)} more`] : [];
  return ['', `${title} (${formatCount(count)}):`, ...lines, ...more];
}

function stateLine({ workdir: { rows }, states }: Report, row: number): string {
  const state = STATES[states[row] ?? 0] ?? 'there';
  if (state === 'no-result') return rows.imageOf(row);
  const detail = rows.detailOf(row);
  return `${rows.imageOf(row)}: ${STATE_WORDS[state]}${detail === '' ? '' : `: ${detail}`}`;
}

function changeLines({ previous }: Report): string[] {
  if (previous === undefined) return [];
  const { changes, totals, path } = previous;
  return [
    '',
    `Since the previous run (${path}): ${counted(changes.new, 'tag')} came, ${formatCount(changes.gone)} went, ${formatCount(changes.moved)} moved to another digest`,
    `  then: ${counted(totals.tags, 'tag')}, ${formatCount(totals.failed)} failed, ${formatBytes(totals.bytesMoved)} moved`,
  ];
}

function noteLines({ notes }: Report): string[] {
  return notes.length === 0 ? [] : ['', 'To know:', ...notes.map((note) => `  - ${note}`)];
}
