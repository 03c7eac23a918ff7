/** What came of a verification: verify.csv as rows are done, totals, a line for people. */
import type { Secrets } from '../base/redact.ts';
import type { PullLimit } from '../http/traffic.ts';
import { formatReference } from '../image/reference.ts';
import { VERIFY_COLUMNS } from '../sync/columns.ts';
import { GrowingCsv } from '../sync/growing-csv.ts';
import { inCell } from '../sync/csv.ts';
import { describePulls, isRefusal } from '../sync/results.ts';
import { versionOf } from '../sync/tag-row.ts';
import { STATUSES, type Status, type Verdict } from './verify.ts';

export interface VerifySummary {
  readonly rows: number;
  readonly counts: Readonly<Record<Status, number>>;
  /** Rows that a signal or an outage left alone. */
  readonly notStarted: number;
  /** Of both sides. */
  readonly requests: number;
  readonly elapsedMs: number;
  /** Of the target, where it counts pulls. */
  readonly pullLimit?: PullLimit | undefined;
}

/** Counts verdicts; memory does not grow with them. */
export class VerifyTotals {
  #refused = 0;
  readonly counts: Record<Status, number> = {
    ok: 0,
    missing: 0,
    differs: 0,
    damaged: 0,
    failed: 0,
  };

  add({ status, error }: Verdict): void {
    this.counts[status] += 1;
    if (isRefusal(error)) this.#refused += 1;
  }

  get done(): number {
    return STATUSES.reduce((sum, status) => sum + this.counts[status], 0);
  }

  get notOk(): number {
    return this.done - this.counts.ok;
  }

  /** Every row was denied: the credentials or options are wrong, not the rows. */
  get isAllRefused(): boolean {
    return this.#refused > 0 && this.#refused === this.done;
  }
}

/** Numbers by name. */
export function countsOf({
  rows,
  counts,
  notStarted,
  requests,
  elapsedMs,
}: VerifySummary): Readonly<Record<string, number>> {
  return { rows, ...counts, notStarted, requests, elapsedMs };
}

/** The last line for people. */
export function describeSummary(summary: VerifySummary): string {
  const { rows, counts, notStarted, requests, elapsedMs, pullLimit } = summary;
  const parts = STATUSES.map((status) => `${counts[status]} ${status}`);
  if (notStarted > 0) parts.push(`${notStarted} not started`);
  const pulls = pullLimit === undefined ? [] : [describePulls(pullLimit)];
  const seconds = `${(elapsedMs / 1000).toFixed(1)} s`;
  return `${rows} rows: ${[parts.join(', '), `${requests} requests`, ...pulls, seconds].join('; ')}`;
}

/**
 * verify.csv.
 *
 * @throws {RegistrySyncError} `USAGE` when there can be no file at `path`.
 */
export function createVerifyFile(path: string, secrets: Secrets): Promise<GrowingCsv<Verdict>> {
  const recordOf = ({ row, target, status, found, size, detail }: Verdict): string[] => [
    row.namespace,
    row.repository,
    versionOf(row),
    row.digest ?? '',
    formatReference(target),
    status,
    found ?? '',
    size === undefined ? '' : String(size),
    inCell(secrets.hide(detail)),
  ];
  return GrowingCsv.create(path, { columns: VERIFY_COLUMNS, recordOf });
}
