/** What came of the rows of a plan: prune-results.csv as they are done, and counts of them. */
import type { Secrets } from '../base/redact.ts';
import { PRUNE_RESULT_COLUMNS } from '../sync/columns.ts';
import { GrowingCsv } from '../sync/growing-csv.ts';
import { inCell } from '../sync/csv.ts';
import type { PlanRow } from './prune-plan.ts';

/**
 * `gone`: somebody else deleted it, or an earlier run; `kept`: something that stays needs the image, and the registry
 * can't take away a tag alone; `skipped`: it is not any more what was planned.
 */
export const STATUSES = [
  'deleted',
  'gone',
  'kept',
  'skipped',
  'failed',
  'would-delete',
  'would-untag',
] as const;
export type PruneStatus = (typeof STATUSES)[number];

export interface PruneOutcome {
  readonly row: PlanRow;
  readonly status: PruneStatus;
  /** Why, where it is not as planned. */
  readonly error?: string;
  readonly elapsedMs: number;
}

/** Counts outcomes. */
export class PruneTotals {
  readonly #counts = Object.fromEntries(STATUSES.map((name) => [name, 0])) as Record<
    PruneStatus,
    number
  >;

  add({ status }: PruneOutcome): void {
    this.#counts[status] += 1;
  }

  get counts(): Readonly<Record<PruneStatus, number>> {
    return this.#counts;
  }

  get done(): number {
    return Object.values(this.#counts).reduce((sum, count) => sum + count, 0);
  }
}

/**
 * prune-results.csv.
 *
 * @throws {RegistrySyncError} `USAGE` when there can be no file at `path`.
 */
export function createPruneResults(
  path: string,
  secrets: Secrets,
): Promise<GrowingCsv<PruneOutcome>> {
  const recordOf = ({ row, status, error = '' }: PruneOutcome): string[] => {
    const { repository, tag, digest } = row;
    return [repository, tag, digest, status, inCell(secrets.hide(error))];
  };
  return GrowingCsv.create(path, { columns: PRUNE_RESULT_COLUMNS, recordOf });
}
