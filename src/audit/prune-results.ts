/** What came of the rows of a plan: prune-results.csv as they are done, and counts of them. */
import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { InTurn } from '../base/in-turn.ts';
import type { Secrets } from '../base/redact.ts';
import { onOneLine } from '../base/shown.ts';
import { makeDirectory } from '../files/directory.ts';
import { writing } from '../files/file-failure.ts';
import { formatCsv } from '../sync/csv.ts';
import type { PlanRow } from './prune-plan.ts';

/**
 * `gone`: somebody else deleted it, or an earlier run; `kept`: something that stays needs the image, and the registry
 * can't take away a tag alone; `skipped`: it is not any more what was planned.
 */
export const STATUSES = ['deleted', 'gone', 'kept', 'skipped', 'failed', 'would-delete'] as const;
export type PruneStatus = (typeof STATUSES)[number];

export interface PruneOutcome {
  readonly row: PlanRow;
  readonly status: PruneStatus;
  /** Why, where it is not as planned. */
  readonly error?: string;
  readonly elapsedMs: number;
}

export const RESULT_COLUMNS = ['repository', 'tag', 'digest', 'status', 'error'] as const;

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

/** The file, which says after each batch what is done, in case the run is killed. */
export class PruneResults implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #secrets: Secrets;
  readonly #writing = new InTurn<'write'>();

  private constructor(path: string, file: FileHandle, secrets: Secrets) {
    this.#path = path;
    this.#file = file;
    this.#secrets = secrets;
  }

  /** @throws {RegistrySyncError} `USAGE` when there can be no file at `path`. */
  static async create(path: string, secrets: Secrets): Promise<PruneResults> {
    return writing(path, async () => {
      await makeDirectory(dirname(path));
      const file = await open(path, 'w');
      await file.appendFile(formatCsv([RESULT_COLUMNS]));
      return new PruneResults(path, file, secrets);
    });
  }

  write(outcomes: readonly PruneOutcome[]): Promise<void> {
    const rows = outcomes.map(({ row: { repository, tag, digest }, status, error = '' }) => {
      return [repository, tag, digest, status, onOneLine(this.#secrets.hide(error))];
    });
    return this.#writing.run('write', () =>
      writing(this.#path, () => this.#file.appendFile(formatCsv(rows))),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
