/** Deletes what a plan says, after another look at each row: what is not any more as it was planned stays. */
import { mapAsDone } from '../base/concurrent.ts';
import { LinkedAbort } from '../base/linked-abort.ts';
import type { PlanRow } from './prune-plan.ts';
import { Remover } from './prune-removal.ts';
import { BATCH, RepositoryPrune, type ApplySettings } from './prune-repository.ts';

/**
 * Applies a plan. What of it was not begun, for want of time or after a failure that is everybody's, is not noted.
 *
 * @throws {RegistrySyncError} what would happen to every row: the registry deletes nothing, the credentials may not.
 */
export async function applyPlan(rows: readonly PlanRow[], settings: ApplySettings): Promise<void> {
  using stopping = new LinkedAbort(settings.stopping);
  const remover = new Remover(settings.target, settings.dryRun);
  const own = { ...settings, remover, stopping: stopping.signal };
  let fatal: unknown;
  const work = async (group: readonly PlanRow[]): Promise<void> => {
    if (stopping.signal.aborted) return;
    try {
      await new RepositoryPrune(group, own).run();
    } catch (error) {
      fatal ??= error;
      stopping.abort(error);
    }
  };
  const limit = Math.max(1, Math.floor(settings.jobs / BATCH));
  for await (const _ of mapAsDone(byRepository(rows), limit, work));
  if (fatal !== undefined) throw fatal;
}

function byRepository(rows: readonly PlanRow[]): Iterable<readonly PlanRow[]> {
  const groups = new Map<string, PlanRow[]>();
  for (const row of rows) {
    const group = groups.get(row.repository);
    if (group === undefined) groups.set(row.repository, [row]);
    else group.push(row);
  }
  return groups.values();
}
