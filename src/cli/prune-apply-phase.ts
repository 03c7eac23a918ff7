/** The second phase of `prune`: deletes what a plan says, if it is a plan for here and now. */
import { join } from 'node:path';

import { applyPlan } from '../audit/prune-apply.ts';
import { protection } from '../audit/prune-choice.ts';
import { checkPlan, checkSync, MAX_PERCENT } from '../audit/prune-checks.ts';
import { readListAgain, reasonToStay, type ListAgain } from '../audit/prune-list.ts';
import { readPlan, type Plan } from '../audit/prune-plan.ts';
import { createPruneResults, type PruneOutcome, type PruneStatus } from '../audit/prune-results.ts';
import { systemClock } from '../base/clock.ts';
import { counted } from '../base/counted.ts';
import { readRecord, recordPath } from '../sync/run-record.ts';
import { EXIT } from './exit-code.ts';
import { readAge } from './options/age.ts';
import { listSettings, type PruneRun } from './prune-request.ts';

export interface Listeners {
  /** A row is done. */
  readonly noteRow: (elapsedMs: number) => void;
  /** Is told the line for people, also when the rest of the plan is given up. */
  readonly tell: (line: string) => void;
}

/** Resolves to the exit code. */
export async function applyThePlan(
  run: PruneRun,
  path: string,
  { noteRow, tell }: Listeners,
): Promise<number> {
  const { values, io, runtime, totals } = run;
  const plan = run.plan ?? (await readPlan(path));
  await check(run, path, plan);
  const again = await readAgain(run, plan);
  const results = values['dry-run']
    ? undefined
    : await createPruneResults(join(values.workdir, 'prune-results.csv'), runtime.secrets);
  io.shutdown.graceMs = values['grace-period'] * 1000;
  const { rows } = plan;
  if (runtime.showsProgress) await runtime.screen.showProgress(rows.length);
  const note = async (outcomes: readonly PruneOutcome[]): Promise<void> => {
    for (const outcome of outcomes) {
      totals.add(outcome);
      noteRow(outcome.elapsedMs);
      logOutcome(run, outcome);
      await results?.write(outcome);
    }
    runtime.screen.update({ done: totals.done, text: `${totals.counts.failed} failed` });
  };
  try {
    await applyPlan(rows, {
      target: run.target,
      reasonToStay: reasonToStay(again, protection(values.protect)),
      wantedIn: (repository) => again?.scope.rowsOf(repository) ?? [],
      mayEmpty: plan.facts.mayEmpty || values['allow-empty-repositories'],
      dryRun: values['dry-run'],
      jobs: values.jobs,
      note,
      clock: systemClock,
      stopping: io.shutdown.stopping,
      signal: io.shutdown.signal,
    });
  } catch (error) {
    tell(describe(run, rows.length));
    await results?.close().catch(() => {}); // what is done is told, whatever else went wrong
    throw error;
  } finally {
    runtime.screen.close();
  }
  tell(describe(run, rows.length));
  await results?.close();
  return exitCodeFor(run, rows.length);
}

/** @throws {RegistrySyncError} when the plan is not for here and now. */
async function check(run: PruneRun, path: string, plan: Plan): Promise<void> {
  const { values, ends, named, runtime } = run;
  const { source, target } = ends;
  checkPlan(plan, {
    path,
    target,
    source,
    named: named?.repositories,
    maxAgeMs: readAge('max-plan-age', values['max-plan-age'] ?? '24h'),
    maxPercent: values['max-percent'] ?? MAX_PERCENT,
    now: systemClock.now(),
  });
  checkSync(await readRecord(values.workdir, 'sync'), target, recordPath(values.workdir, 'sync'));
  for (const { repository, tag } of plan.rows) {
    runtime.registries.isInsecure(`${target}/${repository}:${tag}`); // blocked?
  }
}

async function readAgain(run: PruneRun, { facts, rows }: Plan): Promise<ListAgain | undefined> {
  const { list, values, runtime } = run;
  if (list === undefined || facts.list === undefined) return undefined;
  if (!values['trust-plan']) {
    const keptFor = new Set(rows.map(({ repository }) => repository));
    return readListAgain(listSettings(run, list), { planned: facts.list, keptFor });
  }
  runtime.log.warn('tags.csv is not looked at again: tags that are back at the source go too');
  return undefined;
}

function logOutcome({ runtime, target }: PruneRun, { row, status, error }: PruneOutcome): void {
  const { log, showsProgress } = runtime;
  const { repository, tag, digest } = row;
  const about = { image: `${target.registry}/${repository}:${tag}`, digest };
  if (status === 'failed') log.error({ ...about, error }, 'image could not be deleted');
  else if (status === 'skipped') log.warn({ ...about, reason: error }, 'image is skipped');
  else if (!showsProgress)
    log.info({ ...about, ...(error !== undefined && { reason: error }) }, WORDS[status]);
}

const WORDS = {
  deleted: 'image deleted',
  gone: 'image was gone',
  kept: 'image is kept',
  'would-delete': 'image would be deleted',
  'would-untag': 'tag alone would be taken away',
} as const satisfies Partial<Record<PruneStatus, string>>;

function describe({ values, target, totals }: PruneRun, rows: number): string {
  const { deleted, gone, kept, skipped, failed } = totals.counts;
  const { 'would-delete': would, 'would-untag': untag } = totals.counts;
  const left = rows - totals.done;
  const hint = target.rules.tags === 'protocol' ? ', if the registry can do that' : '';
  const parts = [
    `${values['dry-run'] ? would : deleted} ${values['dry-run'] ? 'would be deleted' : 'deleted'}`,
    ...(untag > 0 ? [`${untag} would lose the tag alone${hint}`] : []),
    ...(gone > 0 ? [`${gone} were gone`] : []),
    ...(kept > 0 ? [`${kept} kept, as something else needs their images`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    `${failed} failed`,
    ...(left > 0 ? [`${left} not started`] : []),
  ];
  return `${counted(rows, 'row')}: ${parts.join(', ')}`;
}

function exitCodeFor({ totals }: PruneRun, rows: number): number {
  const { skipped, failed } = totals.counts;
  return failed + skipped + rows - totals.done === 0 ? EXIT.ok : EXIT.partial;
}
