/** What came of a sync: results.csv as rows finish, totals, a summary for machines and one for people. */
import { isError } from '../base/errors.ts';
import { formatBytes } from '../base/format-bytes.ts';
import type { Secrets } from '../base/redact.ts';
import { writeWhole } from '../files/whole-file.ts';
import type { PullLimit } from '../http/traffic.ts';
import { formatReference } from '../image/reference.ts';
import { RESULT_COLUMNS } from './columns.ts';
import { inCell } from './csv.ts';
import { GrowingCsv } from './growing-csv.ts';
import type { TagOutcome } from './sync.ts';
import { versionOf } from './tag-row.ts';

/** The requests of one side. */
export interface SideTraffic {
  readonly requests: number;
  readonly received: number;
  readonly sent: number;
  /** Pulls that are left, where the registry counts them and says so. */
  readonly pullLimit?: PullLimit;
}

export interface Summary {
  readonly rows: number;
  readonly copied: number;
  readonly unchanged: number;
  /** With `--dry-run`. */
  readonly wouldCopy: number;
  readonly failed: number;
  /** Rows that a signal or `--fail-fast` left alone. */
  readonly notStarted: number;
  /** Rows whose tag had moved since the crawl, and was followed. */
  readonly moved: number;
  readonly bytesCopied: number;
  readonly bytesMounted: number;
  readonly elapsedMs: number;
  readonly requests: { readonly source: SideTraffic; readonly target: SideTraffic };
}

/** Whether the same would be said of any other row. */
export function isRefusal(error: unknown): boolean {
  return isError(error, 'UNAUTHORIZED', 'USAGE');
}

/** Counts outcomes; memory does not grow with them. */
export class Totals {
  readonly #counts = { copied: 0, unchanged: 0, 'would-copy': 0, failed: 0 };
  #moved = 0;
  #bytesCopied = 0;
  #bytesMounted = 0;
  #refused = 0;

  add(outcome: TagOutcome): void {
    this.#counts[outcome.result] += 1;
    if (outcome.result === 'failed') {
      if (isRefusal(outcome.error)) this.#refused += 1;
      return;
    }
    if (outcome.moved) this.#moved += 1;
    this.#bytesCopied += outcome.bytes;
    this.#bytesMounted += outcome.mountedBytes;
  }

  get done(): number {
    return Object.values(this.#counts).reduce((sum, count) => sum + count, 0);
  }

  get failed(): number {
    return this.#counts.failed;
  }

  /** Rows by their result. */
  get counts(): Readonly<Record<TagOutcome['result'], number>> {
    return this.#counts;
  }

  get bytesCopied(): number {
    return this.#bytesCopied;
  }

  get bytesMounted(): number {
    return this.#bytesMounted;
  }

  /** Every row that was tried was denied: the credentials or options are wrong, not the rows. */
  get isAllRefused(): boolean {
    return this.#refused > 0 && this.#refused === this.done;
  }

  summary(rest: Pick<Summary, 'rows' | 'elapsedMs' | 'requests'>): Summary {
    const { copied, unchanged, failed } = this.#counts;
    return {
      rows: rest.rows,
      copied,
      unchanged,
      wouldCopy: this.#counts['would-copy'],
      failed,
      notStarted: rest.rows - this.done,
      moved: this.#moved,
      bytesCopied: this.#bytesCopied,
      bytesMounted: this.#bytesMounted,
      elapsedMs: rest.elapsedMs,
      requests: rest.requests,
    };
  }
}

/** The same as numbers by name. */
export function countsOf({ requests, ...counts }: Summary): Readonly<Record<string, number>> {
  const { source, target } = requests;
  return { ...counts, requestsSource: source.requests, requestsTarget: target.requests };
}

/** The last line for people. */
export function describeSummary(summary: Summary): string {
  const { source, target } = summary.requests;
  const counts = [
    `${summary.copied} copied`,
    `${summary.unchanged} unchanged`,
    ...(summary.wouldCopy > 0 ? [`${summary.wouldCopy} would be copied`] : []),
    `${summary.failed} failed`,
    ...(summary.notStarted > 0 ? [`${summary.notStarted} not started`] : []),
    ...(summary.moved > 0 ? [`${summary.moved} moved since the crawl`] : []),
  ].join(', ');
  const bytes = `${formatBytes(summary.bytesCopied)} moved, ${formatBytes(summary.bytesMounted)} saved by mounts`;
  const requests = `${source.requests + target.requests} requests (${source.requests} source, ${target.requests} target)`;
  const limits = Object.entries(summary.requests).flatMap(([side, { pullLimit }]) =>
    pullLimit === undefined ? [] : [`${describePulls(pullLimit)} at the ${side}`],
  );
  const elapsed = `${(summary.elapsedMs / 1000).toFixed(1)} s`;
  return `${summary.rows} rows: ${[counts, bytes, requests, ...limits, elapsed].join('; ')}`;
}

/** As `95 of 100 pulls per 6 h left`. */
export function describePulls({ limit, remaining, windowSeconds }: PullLimit): string {
  const hours = windowSeconds / 3600;
  return `${remaining} of ${limit} pulls${hours > 0 ? ` per ${Number(hours.toFixed(1))} h` : ''} left`;
}

/**
 * results.csv.
 *
 * @throws {RegistrySyncError} `USAGE` when there can be no file at `path`.
 */
export function createResults(path: string, secrets: Secrets): Promise<GrowingCsv<TagOutcome>> {
  const recordOf = (outcome: TagOutcome): string[] => {
    const { row, target, digest, result, elapsedMs } = outcome;
    const error = outcome.result === 'failed' ? secrets.hide(outcome.error.message) : '';
    return [
      row.namespace,
      row.repository,
      versionOf(row),
      digest ?? row.digest ?? '',
      formatReference(target),
      result,
      outcome.result === 'failed' ? '0' : String(outcome.bytes),
      String(Math.round(elapsedMs)),
      inCell(error),
    ];
  };
  return GrowingCsv.create(path, { columns: RESULT_COLUMNS, recordOf });
}

/** @throws {RegistrySyncError} `USAGE` when it can't be written. */
export function writeSummary(path: string, summary: Summary): Promise<void> {
  return writeWhole(path, `${JSON.stringify(summary, undefined, 2)}\n`);
}
