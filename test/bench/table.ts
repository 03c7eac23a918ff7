/** Results as markdown tables, medians of the rounds. */
import { totalOf } from './floor.ts';
import type { Contender, JobResult, Run } from './runs.ts';
import type { Counts } from './tally.ts';

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** The first row is the head. */
export function tableOf(rows: readonly (readonly string[])[]): string {
  const [head = [], ...others] = rows;
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
  return [head, head.map(() => '---'), ...others].map(line).join('');
}

const COST_HEAD = [
  'work',
  'link',
  'tool',
  'wall, s',
  'wall, times ours',
  'CPU, s',
  'CPU, times ours',
  'servers, s',
  'peak, MiB',
  'requests, source + target',
  'over the floor',
  'connections',
  'requests at once',
];

/**
 * A row per job and tool: seconds, memory, requests. Where a tool did fewer tags, its multiples are
 * those of a tag.
 */
export function costTable(results: readonly JobResult[]): string {
  const rows = results.flatMap((result) =>
    result.job.contenders.map((contender, at) => costRow(result, contender, at)),
  );
  return tableOf([COST_HEAD, ...rows]);
}

function costRow(result: JobResult, { name, tags, floor }: Contender, at: number): string[] {
  const { job, runs: all } = result;
  const runs = all[at] ?? [];
  const of = (value: (run: Run) => number): number => median(runs.map(value));
  const both = (value: (stats: Run['stats']['source']) => number): string =>
    `${of(({ stats }) => value(stats.source))} + ${of(({ stats }) => value(stats.target))}`;
  const least = totalOf(floor.source) + totalOf(floor.target);
  const asked = of(({ stats }) => totalOf(stats.source.counts) + totalOf(stats.target.counts));
  const isPart = tags !== job.contenders[0]?.tags;
  return [
    job.work,
    linkOf(result),
    isPart ? `${name} (${tags} tags)` : name,
    of(({ wallS }) => wallS).toFixed(2),
    timesOurs(result, at, ({ wallS }) => wallS),
    of(({ cpuS }) => cpuS).toFixed(2),
    timesOurs(result, at, ({ cpuS }) => cpuS),
    of(({ stats }) => stats.helperCpuS).toFixed(2),
    of(({ peakMiB }) => peakMiB).toFixed(0),
    both(({ counts }) => totalOf(counts)),
    `${asked - least} (${(asked / least).toFixed(2)} ×)`,
    both(({ connections }) => connections),
    both(({ peakRequests }) => peakRequests),
  ];
}

function linkOf({ job: { shape } }: JobResult): string {
  const { rttMs, bytesPerS } = shape;
  return bytesPerS === undefined ? `${rttMs} ms` : `${rttMs} ms, ${(bytesPerS * 8) / 1e6} Mbit/s`;
}

/** Of a tag, as a multiple of the first contender's: the median of the rounds. */
function timesOurs({ job, runs }: JobResult, at: number, secondsOf: (run: Run) => number): string {
  if (at === 0) return '';
  const perTag = (contender: number, round: number): number => {
    const run = runs[contender]?.[round];
    const { tags = 1 } = job.contenders[contender] ?? {};
    return run === undefined ? Number.NaN : secondsOf(run) / tags;
  };
  const rounds = Array.from({ length: job.rounds }, (_, round) => round);
  return `${median(rounds.map((round) => perTag(at, round) / perTag(0, round))).toFixed(2)} ×`;
}

/** A row per work and tool: requests by class, in the last round. The link does not change them. */
export function classTable(results: readonly JobResult[]): string {
  const seen = new Set<string>();
  const rows = results.flatMap(({ job, runs }) => {
    if (seen.has(job.work)) return [];
    seen.add(job.work);
    const floor = job.contenders[0]?.floor;
    const known = job.contenders.map(({ name }, at) => {
      const last = runs[at]?.at(-1)?.stats;
      return { name, source: last?.source.counts, target: last?.target.counts };
    });
    return [{ name: '(floor)', ...floor }, ...known].map(({ name, source, target }) => [
      job.work,
      name,
      classesOf(source),
      classesOf(target),
    ]);
  });
  return tableOf([['work', 'tool', 'at the source', 'at the target'], ...rows]);
}

function classesOf(counts: Counts = {}): string {
  const known = Object.entries(counts).filter(([, count]) => count > 0);
  return known
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
}
