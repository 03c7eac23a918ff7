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

/** prune-results.csv. */
export class PruneResults {
  readonly #file: GrowingCsv;
  readonly #secrets: Secrets;

  private constructor(file: GrowingCsv, secrets: Secrets) {
    this.#file = file;
    this.#secrets = secrets;
  }

  /** @throws {RegistrySyncError} `USAGE` when there can be no file at `path`. */
  static async create(path: string, secrets: Secrets): Promise<PruneResults> {
    return new PruneResults(await GrowingCsv.create(path, PRUNE_RESULT_COLUMNS), secrets);
  }

  /** Waits when rows finish faster than the disk takes them. */
  async write(outcomes: readonly PruneOutcome[]): Promise<void> {
    for (const { row, status, error = '' } of outcomes) {
      const { repository, tag, digest } = row;
      await this.#file.write([repository, tag, digest, status, inCell(this.#secrets.hide(error))]);
    }
  }

  /** @throws {RegistrySyncError} when any of it could not be written. */
  close(): Promise<void> {
    return this.#file.close();
  }
}
