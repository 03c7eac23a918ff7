/** What both phases of `prune` know of their run. */
import type { PruneTotals } from '../../audit/prune-results.ts';
import type { PruneTarget } from '../../audit/prune-target.ts';
import type { RunRecord } from '../../sync/run-record.ts';
import type { Shard } from '../../sync/shard.ts';
import type { RunIo, Values } from '../command.ts';
import type { RowEnds } from '../row-ends.ts';
import type { Runtime } from '../runtime.ts';
import type { PRUNE_OPTIONS } from './prune-options.ts';

export type PruneValues = Values<typeof PRUNE_OPTIONS>;

/** Repositories that are named, all of one registry: no list of rows is gone by. */
export interface Named {
  readonly registry: string;
  readonly repositories: readonly string[];
}

/** A tags.csv to go by. */
export interface ListOfRows {
  readonly path: string;
  /** Of the last crawl into the same directory. */
  readonly record: RunRecord | undefined;
}

/** Counts up while repositories are planned. */
export interface PlanCounts {
  [name: string]: number;
  /** Tags that there are. */
  seen: number;
  planned: number;
  /** Tags that nobody wants, and that stay nevertheless. */
  spared: number;
  repositories: number;
}

export interface PruneRun {
  readonly values: PruneValues;
  readonly io: RunIo;
  readonly runtime: Runtime;
  readonly named: Named | undefined;
  /** Absent: rows are not gone by. */
  readonly list: ListOfRows | undefined;
  readonly ends: RowEnds;
  readonly target: PruneTarget;
  readonly shard: Shard | undefined;
  readonly totals: PruneTotals;
  readonly planned: PlanCounts;
}
