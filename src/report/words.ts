/** Times, runs and totals, as the text and the page write them. */
import { counted, formatCount } from '../base/counted.ts';
import { formatBytes } from '../base/format-bytes.ts';
import type { RunRecord } from '../sync/run-record.ts';
import type { ReportTotals } from './settle.ts';

/** `2026-11-21 03:48:00 UTC`; what is no time is shown as it is. */
export function formatTime(time: string | number): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return String(time);
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** `1 h 02 min`, `3 min 20 s`, `12.3 s` */
export function formatDuration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** How long a run took; `undefined`: it has not ended. */
export function durationOf({ startedAt, endedAt }: RunRecord): string | undefined {
  if (endedAt === undefined) return undefined;
  const ms = Date.parse(endedAt) - Date.parse(startedAt);
  return Number.isFinite(ms) ? formatDuration(Math.max(ms, 0)) : undefined;
}

/** `bytesCopied 12` as `bytes copied`, `12`; bytes and milliseconds with their units. */
export function formatCounted(name: string, value: number): { name: string; value: string } {
  const words = name.replaceAll(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
  if (/^bytes|bytes$/i.test(name)) return { name: words, value: formatBytes(value) };
  if (name.endsWith('Ms')) return { name: words.replace(/ ms$/, ''), value: formatDuration(value) };
  return { name: words, value: formatCount(value) };
}

/** What it all comes to. */
export function inOneSentence(totals: ReportTotals): string {
  if (totals.tags === 0) return 'There are no tags.';
  const rest = (
    [
      [totals.failed, 'failed'],
      [totals.missing, 'missing'],
      [totals.differs, 'different'],
      [totals.damaged, 'damaged'],
      [totals.wouldCopy, 'would be copied'],
      [totals.noResult, 'without a result'],
    ] as const
  )
    .filter(([count]) => count > 0)
    .map(([count, words]) => `${formatCount(count)} ${words}`);
  if (rest.length === 0) return `All ${counted(totals.tags, 'tag')} are at the target.`;
  return `${formatCount(totals.there)} of ${counted(totals.tags, 'tag')} are at the target; ${rest.join(', ')}.`;
}

/** How those that are at the target came there: `3 copied, 40 unchanged, 2 repaired`. */
export function arrivalsIn({ thereBy }: ReportTotals): string {
  const { copied, unchanged, repaired, verified } = thereBy;
  return [
    `${formatCount(copied)} copied`,
    `${formatCount(unchanged)} unchanged`,
    ...(repaired > 0 ? [`${formatCount(repaired)} repaired`] : []),
    ...(verified > 0 ? [`${formatCount(verified)} by verify.csv alone`] : []),
  ].join(', ');
}

/** What is to be known of tags that went from the source. */
export function fateOfGone(pruned: number): string {
  const isPruned = pruned > 0 ? `, and has deleted ${counted(pruned, 'tag')}` : '';
  return `sync leaves them at the target, prune deletes them there${isPruned}`;
}

export interface TotalLine {
  readonly name: string;
  readonly value: (totals: ReportTotals) => string;
  /** Whether it is worth a line. */
  readonly isShown: (totals: ReportTotals) => boolean;
  /** Something to look at, if it is not zero. */
  readonly isWrong?: boolean;
}

const always = (): boolean => true;
const bytes = (value: number): string => formatBytes(value);

/** Totals, in the order in which they are shown. */
export const TOTAL_LINES: readonly TotalLine[] = [
  { name: 'Repositories', value: (t) => formatCount(t.repositories), isShown: always },
  { name: 'Tags', value: (t) => formatCount(t.tags), isShown: always },
  { name: 'At the target', value: (t) => formatCount(t.there), isShown: always },
  { name: 'Failed', value: (t) => formatCount(t.failed), isShown: always, isWrong: true },
  ...(
    [
      ['Missing', 'missing', true],
      ['Different', 'differs', true],
      ['Damaged', 'damaged', true],
      ['Would be copied', 'wouldCopy', false],
      ['No result', 'noResult', true],
    ] as const
  ).map(([name, key, isWrong]) => ({
    name,
    value: (t: ReportTotals) => formatCount(t[key]),
    isShown: (t: ReportTotals) => t[key] > 0,
    isWrong,
  })),
  { name: 'Copied', value: (t) => formatCount(t.copied), isShown: always },
  { name: 'Unchanged', value: (t) => formatCount(t.unchanged), isShown: always },
  {
    name: 'Repaired',
    value: (t) => formatCount(t.thereBy.repaired),
    isShown: (t) => t.thereBy.repaired > 0,
  },
  { name: 'Verified', value: (t) => formatCount(t.verified), isShown: (t) => t.verified > 0 },
  {
    name: 'Not in tags.csv',
    value: (t) => formatCount(t.notInTags),
    isShown: (t) => t.notInTags > 0,
  },
  { name: 'Moved', value: (t) => bytes(t.bytesMoved), isShown: always },
  { name: 'Size of images', value: (t) => bytes(t.imageBytes), isShown: (t) => t.images > 0 },
];
