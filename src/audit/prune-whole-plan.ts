/** The plans of all repositories together: their rows, remarks on what stays, and counts. */
import { counted } from '../base/counted.ts';
import { RegistrySyncError } from '../base/errors.ts';
import { MAX_ROWS, type PlanRow } from './prune-plan.ts';
import { isEmptied, type RepositoryPlan } from './prune-planning.ts';

/** Counts up while repositories are planned. */
export interface PlanCounts {
  [name: string]: number;
  /** Tags that there are. */
  seen: number;
  planned: number;
  /** Of the planned ones: those that go without their image, which something else needs. */
  untagged: number;
  /** Tags that nobody wants, and that stay nevertheless. */
  spared: number;
  repositories: number;
}

export function noPlanCounts(): PlanCounts {
  return { seen: 0, planned: 0, untagged: 0, spared: 0, repositories: 0 };
}

export interface WholePlan {
  readonly rows: readonly PlanRow[];
  /** Lines for people: what stays, and why. */
  readonly remarks: readonly string[];
  /** Repositories of which nothing would be left. */
  readonly emptied: readonly string[];
}

/** Of tags that stay so many are named in the plan. */
const MAX_REMARKS = 10_000;

/** @throws {RegistrySyncError} `REJECTED` when it gets too long for anybody to look through. */
export async function gatherPlan(
  plans: AsyncIterable<RepositoryPlan>,
  counts: PlanCounts,
): Promise<WholePlan> {
  const rows: PlanRow[] = [];
  const remarks: string[] = [];
  const emptied: string[] = [];
  for await (const plan of plans) {
    counts.repositories += 1;
    counts.seen += plan.seen;
    counts.planned += plan.rows.length;
    counts.untagged += plan.rows.filter(({ action }) => action === 'untag').length;
    counts.spared += plan.spared.length;
    for (const row of plan.rows) rows.push(row);
    if (rows.length > MAX_ROWS) throw tooMany();
    if (isEmptied(plan)) emptied.push(plan.repository);
    for (const { tag, reason } of plan.spared) {
      if (remarks.length < MAX_REMARKS) remarks.push(`stays: ${plan.repository}:${tag} ${reason}`);
    }
  }
  const left = counts.spared - remarks.length;
  if (left > 0) remarks.push(`and ${left} more stay`);
  return { rows, remarks, emptied };
}

function tooMany(): RegistrySyncError {
  const message = `nothing is planned: more than ${MAX_ROWS} tags would go: plan in parts, by --namespace or --shard`;
  return new RegistrySyncError('REJECTED', message);
}

/**
 * The line for people.
 *
 * @param isKnown whether it is known that the registry can take away a tag alone.
 */
export function describePlan(
  { planned, seen, untagged, spared, repositories }: PlanCounts,
  { isKnown, willGo }: { readonly isKnown: boolean; readonly willGo: boolean },
): string {
  const hint = isKnown ? '' : ", which stays where the registry can't do that";
  const alone = untagged === 0 ? '' : ` (of ${untagged} the tag alone${hint})`;
  const verb = willGo ? 'planned' : 'would go';
  return `${planned} of ${counted(seen, 'tag')} ${verb}${alone} in ${counted(repositories, 'repository')}; ${spared} others stay`;
}
