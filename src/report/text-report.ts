/** The report as text: what the last container of a pod prints. */
import { counted, formatCount } from '../base/counted.ts';
import { formatBytes } from '../base/format-bytes.ts';
import { STATES, STATE_WORDS, type State } from './payload.ts';
import { isMissed } from './records.ts';
import type { Report } from './report.ts';
import { RECORDED_COMMANDS, type RecordedCommand } from '../sync/run-record.ts';
import { PRUNING_WORDS, PRUNINGS, type Pruned, type Pruning } from './pruned.ts';
import { isUnlisted } from './row-state.ts';
import { failureOf, hasFailed } from './settle.ts';
import { arrivalsIn, durationOf, fateOfGone, formatTime } from './words.ts';

/** Of rows that are named: the rest is counted. */
const MAX_ROWS = 20;

export function textReport(report: Report): string {
  const { workdir, version } = report;
  return [
    `Report of ${workdir.path} (registry-sync ${version}, ${formatTime(report.madeAt)})`,
    '',
    ...RECORDED_COMMANDS.flatMap((command) => runLine(report, command)),
    '',
    ...totalLines(report),
    ...reasonLines(report),
    ...failureLines(report),
    ...stateLines(report, ['missing', 'differs', 'damaged'], 'Missing or different at the target'),
    ...(report.workdir.files.has('results.csv')
      ? stateLines(report, ['no-result'], 'Not started, or left out')
      : []),
    ...unlistedLines(report),
    ...changeLines(report),
    ...pruneLines(report),
    ...noteLines(report),
    '',
  ].join('\n');
}

function runLine({ workdir }: Report, command: RecordedCommand): string[] {
  const record = workdir.records[command];
  const name = `  ${command.padEnd(7)}`;
  if (record === undefined) return isMissed(command) ? [`${name} no record`] : [];
  const { state, startedAt, shard, source, target, run } = record;
  const duration = durationOf(record);
  const facts = [
    `${name} ${state.padEnd(8)} ${formatTime(startedAt)}`,
    ...(duration === undefined ? [] : [duration]),
    ...(shard === undefined ? [] : [`shard ${shard}`]),
    ...(source === undefined ? [] : [`source ${source}`]),
    ...(target === undefined ? [] : [`target ${target}`]),
    `run ${run}`,
  ];
  return [facts.join(', ')];
}

function totalLines({ totals }: Report): string[] {
  const lines: readonly (readonly [string, number, string])[] = [
    ['at the target', totals.there, arrivalsIn(totals)],
    ['failed', totals.failed, ''],
    ['missing', totals.missing, 'by verify.csv'],
    ['different', totals.differs, 'by verify.csv'],
    ['damaged', totals.damaged, 'by verify.csv'],
    ['would be copied', totals.wouldCopy, 'dry run'],
    ['no result', totals.noResult, 'not started, or left out'],
    ['not in tags.csv', totals.notInTags, 'besides those above'],
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
  const { workdir } = report;
  const text = (row: number): string =>
    withReason(workdir.rows.imageOf(row), failureOf(workdir, row));
  const isWanted = (row: number): boolean => hasFailed(workdir, row) && !isUnlisted(workdir, row);
  return rowLines(report, 'Failed', { isWanted, text });
}

function withReason(image: string, reason: string): string {
  return `${image}${reason === '' ? '' : `: ${reason}`}`;
}

/** What other files say of images that tags.csv has not. */
function unlistedLines(report: Report): string[] {
  const { workdir } = report;
  const { rows } = workdir;
  const text = (row: number): string => {
    const said = [rows.outcomeOf(row), rows.checkOf(row)].filter((word) => word !== 'none');
    const reason = hasFailed(workdir, row) ? failureOf(workdir, row) : '';
    return withReason(`${rows.imageOf(row)}: ${said.join(', ')}`, reason);
  };
  return rowLines(report, 'Not in tags.csv', { isWanted: (row) => isUnlisted(workdir, row), text });
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

function changeLines(report: Report): string[] {
  const { previous } = report;
  if (previous === undefined) return [];
  const { changes, totals, path } = previous;
  return [
    '',
    `Since the previous run (${path}): ${counted(changes.new, 'tag')} came, ${formatCount(changes.gone)} went, ${formatCount(changes.moved)} moved to another digest`,
    ...(changes.gone > 0
      ? [`  went from the source: ${fateOfGone(report.workdir.pruned.count('deleted'))}`]
      : []),
    `  then: ${inShort(totals)}`,
    `  now:  ${inShort(report.totals)}`,
  ];
}

function inShort({ tags, failed, bytesMoved }: Report['totals']): string {
  return `${counted(tags, 'tag')}, ${formatCount(failed)} failed, ${formatBytes(bytesMoved)} moved`;
}

/** What prune did at the target; first what it could not do. */
function pruneLines({ workdir: { pruned } }: Report): string[] {
  if (pruned.isEmpty) return [];
  const shown = PRUNINGS.filter((status) => pruned.count(status) > 0);
  const counts = shown.map((one) => `${formatCount(pruned.count(one))} ${PRUNING_WORDS[one]}`);
  const named: readonly Pruning[] = ['failed', 'skipped', 'deleted'];
  return [
    '',
    `Pruned at the target: ${counts.join(', ')}`,
    ...named.flatMap((status) => prunedLines(pruned, status)),
  ];
}

function prunedLines(pruned: Pruned, status: Pruning): string[] {
  const images = pruned.named(status).slice(0, MAX_ROWS);
  const lines = images.map(({ image, error }) => withReason(`  ${status} ${image}`, error));
  const rest = pruned.count(status) - lines.length;
  return rest > 0 ? lines.concat(`  and ${formatCount(rest)} more`) : lines;
}

function noteLines({ notes }: Report): string[] {
  return notes.length === 0 ? [] : ['', 'To know:', ...notes.map((note) => `  - ${note}`)];
}
