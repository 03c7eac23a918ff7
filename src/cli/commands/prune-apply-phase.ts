/** The second phase of `prune`: deletes what a plan says, if it is a plan for here and now. */
import { join } from 'node:path';

import { applyPlan } from '../../audit/prune-apply.ts';
import { checkAmount } from '../../audit/prune-checks.ts';
import { readPlan, type Plan } from '../../audit/prune-plan.ts';
import { PruneResults, type PruneOutcome, type PruneTotals } from '../../audit/prune-results.ts';
import { systemClock } from '../../base/clock.ts';
import { RegistrySyncError } from '../../base/errors.ts';
import { EXIT } from '../exit-code.ts';
import { readDuration } from '../options/duration.ts';
import { readRowsAgain } from './prune-list.ts';
import type { PruneRun } from './prune-run.ts';

/** That running deletions are given after SIGTERM. Milliseconds. */
const GRACE_MS = 20_000;
const MAX_PERCENT = 10;

export interface Applied {
  readonly exitCode: number;
  /** For people. */
  readonly line: string;
}

export async function applyThePlan(
  run: PruneRun,
  path: string,
  noteRow: (elapsedMs: number) => void,
): Promise<Applied> {
  const { values, io, runtime, target, totals } = run;
  const plan = await readPlan(path);
  checkPlan(path, plan, run);
  const scope = plan.facts.source === undefined ? undefined : await readRowsAgain(run);
  const { rows } = plan;
  await using results = values['dry-run']
    ? undefined
    : await PruneResults.create(join(values.workdir, 'prune-results.csv'), runtime.secrets);
  io.shutdown.graceMs = GRACE_MS;
  const isBar = runtime.screen.isTerminal && !values.quiet && values['log-format'] === 'text';
  if (isBar) await runtime.screen.showProgress(rows.length);
  const note = async (outcomes: readonly PruneOutcome[]): Promise<void> => {
    for (const outcome of outcomes) {
      totals.add(outcome);
      noteRow(outcome.elapsedMs);
      logOutcome(run, outcome, isBar);
    }
    runtime.screen.update({ done: totals.done, text: `${totals.counts.failed} failed` });
    await results?.write(outcomes);
  };
  try {
    await applyPlan(rows, {
      target,
      isWanted: (repository, tag) => scope?.isWanted(repository, tag) ?? false,
      isPromised: (repository, digest) => scope?.isPromised(repository, digest) ?? false,
      mayEmpty: plan.facts.mayEmpty || values['allow-empty-repositories'],
      dryRun: values['dry-run'],
      jobs: values.jobs,
      note,
      clock: systemClock,
      stopping: io.shutdown.stopping,
      signal: io.shutdown.signal,
    });
  } finally {
    runtime.screen.close();
  }
  return summed(rows.length, totals);
}

/** @throws {RegistrySyncError} `USAGE` when the plan is for another registry, too old, or longer than it was. */
function checkPlan(path: string, { facts, rows }: Plan, { values, ends, named }: PruneRun): void {
  const wrong = (what: string): never => {
    throw new RegistrySyncError('USAGE', `nothing is deleted: ${path} ${what}`);
  };
  if (facts.target !== ends.target) wrong(`was made for ${facts.target}, not for ${ends.target}`);
  if (facts.source !== undefined && facts.source !== ends.source) {
    const given = named === undefined ? ends.source : 'repositories that are named';
    wrong(`was made for images of ${facts.source}, not for ${given}`);
  }
  const other = rows.find(({ repository }) => named?.repositories.includes(repository) === false);
  if (other !== undefined) wrong(`has rows of ${other.repository}, which is not named`);
  const ageMs = Math.abs(systemClock.now() - Date.parse(facts.made));
  if (ageMs > readDuration('max-plan-age', values['max-plan-age'])) {
    wrong(`was made at ${facts.made}, longer ago than --max-plan-age: plan again`);
  }
  if (rows.length <= facts.planned) return;
  const { seen, mayEmpty } = facts;
  const maxPercent = values['max-percent'] ?? MAX_PERCENT;
  checkAmount({ seen, rows: rows.length, emptied: [] }, { maxPercent, mayEmpty });
}

function logOutcome(
  { runtime: { log }, target }: PruneRun,
  { row, status, error }: PruneOutcome,
  isBar: boolean,
): void {
  const { repository, tag, digest } = row;
  const about = { image: `${target.registry}/${repository}:${tag}`, digest };
  if (status === 'failed') log.error({ ...about, error }, 'image could not be deleted');
  else if (status === 'skipped') log.warn({ ...about, reason: error }, 'image is skipped');
  else if (!isBar)
    log.info({ ...about, ...(error !== undefined && { reason: error }) }, WORDS[status]);
}

const WORDS = {
  deleted: 'image deleted',
  gone: 'image was gone',
  kept: 'image is kept',
  'would-delete': 'image would be deleted',
} as const;

function summed(rows: number, totals: PruneTotals): Applied {
  const { deleted, gone, kept, skipped, failed } = totals.counts;
  const would = totals.counts['would-delete'];
  const left = rows - totals.done;
  const parts = [
    ...(would > 0 ? [`${would} would be deleted`] : [`${deleted} deleted`]),
    ...(gone > 0 ? [`${gone} were gone`] : []),
    ...(kept > 0 ? [`${kept} kept, as other tags need their images`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    `${failed} failed`,
    ...(left > 0 ? [`${left} not started`] : []),
  ];
  const isWhole = failed + skipped + left === 0;
  const line = `${rows} rows: ${parts.join(', ')}`;
  return { exitCode: isWhole ? EXIT.ok : EXIT.partial, line };
}
