/** The first phase of `prune`: writes what would go. */
import type { ChoiceRules } from '../../audit/prune-choice.ts';
import { checkAmount } from '../../audit/prune-checks.ts';
import {
  MAX_ROWS,
  PLAN_OPTIONS,
  writePlan,
  type PlanFacts,
  type PlanRow,
} from '../../audit/prune-plan.ts';
import { isEmptied, planRepositories, type RepositoryPlan } from '../../audit/prune-planning.ts';
import { systemClock } from '../../base/clock.ts';
import { RegistrySyncError } from '../../base/errors.ts';
import { matcher } from '../../sync/tag-filter.ts';
import { catalogOf } from '../catalog-of.ts';
import { addNamespaces, readWanted, type Wanted } from './prune-list.ts';
import type { PruneRun, PruneValues } from './prune-run.ts';

/** Of tags that stay so many are named in the plan. */
const MAX_REMARKS = 10_000;
/** Repositories that are planned at the same time; each asks for several things at once. */
const REPOSITORIES_AT_ONCE = 8;
const MAX_PERCENT = 10;

/** Resolves to a line for people. */
export async function makePlan(run: PruneRun, path: string): Promise<string> {
  const { values, named, list, target, io, runtime } = run;
  const catalog = await catalogOf(target.client);
  const wanted = list === undefined ? undefined : await readWanted(run, list);
  if (wanted !== undefined && values.scope === 'namespace') {
    await addNamespaces(run, wanted.scope, catalog);
  }
  const repositories = wanted?.scope.repositories ?? named?.repositories ?? [];
  const plans = planRepositories(each(repositories), {
    target,
    catalog,
    rules: rulesOf(values, wanted),
    isPromised: (repository, digest) => wanted?.scope.isPromised(repository, digest) ?? false,
    areNamed: named !== undefined,
    jobs: REPOSITORIES_AT_ONCE,
    signal: io.shutdown.signal,
  });
  const { rows, remarks, emptied } = await gather(run, plans);
  const { planned: counts } = run;
  if (counts.repositories === 0) {
    runtime.log.warn({ registry: target.registry }, 'the target has none of the repositories');
  }
  const mayEmpty = values['allow-empty-repositories'];
  const { seen } = counts;
  checkAmount(
    { seen, rows: rows.length, emptied },
    { maxPercent: maxPercentOf(values, named), mayEmpty },
  );
  await writePlan(path, { facts: factsOf(run, wanted, mayEmpty), rows }, remarks);
  runtime.log.info({ ...counts, path }, 'plan is written');
  const what = named === undefined ? 'tags that tags.csv has not' : 'tags';
  const verb = values.apply === undefined ? 'would go' : 'planned';
  return `${rows.length} of ${seen} tags ${verb} in ${counts.repositories} repositories; ${counts.spared} ${what} stay`;
}

interface Gathered {
  readonly rows: readonly PlanRow[];
  readonly remarks: readonly string[];
  readonly emptied: readonly string[];
}

async function gather(
  { planned: counts }: PruneRun,
  plans: AsyncIterable<RepositoryPlan>,
): Promise<Gathered> {
  const rows: PlanRow[] = [];
  const remarks: string[] = [];
  const emptied: string[] = [];
  for await (const plan of plans) {
    counts.repositories += 1;
    counts.seen += plan.seen;
    counts.planned += plan.rows.length;
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

function rulesOf(values: PruneValues, wanted: Wanted | undefined): ChoiceRules {
  const { 'min-age': minAge, 'keep-newest': keepNewest } = values;
  const protects = values.protect.map((source) => matcher('--protect', source));
  const age = minAge === undefined ? [] : [`is ${minAge} days old or older`];
  const newest = keepNewest === undefined ? [] : [`is not among the newest ${keepNewest}`];
  const list = wanted === undefined ? [] : ['is not in tags.csv'];
  return {
    isListed: (repository, tag) => wanted?.scope.isWanted(repository, tag) ?? false,
    isOurs: (repository, tag) => wanted?.scope.isOurs(repository, tag) ?? true,
    isProtected: (repository, tag) =>
      protects.some((matches) => matches?.(tag) === true || matches?.(`${repository}:${tag}`)),
    minAge,
    keepNewest,
    now: systemClock.now(),
    reason: [...list, ...age, ...newest].join(', '),
  };
}

/** Who names repositories and says how many tags stay, has said enough. */
function maxPercentOf(values: PruneValues, named: PruneRun['named']): number {
  const isSaid = named !== undefined && values['keep-newest'] !== undefined;
  return values['max-percent'] ?? (isSaid ? 100 : MAX_PERCENT);
}

function factsOf(
  { values, ends, planned }: PruneRun,
  wanted: Wanted | undefined,
  mayEmpty: boolean,
): PlanFacts {
  const options = PLAN_OPTIONS.flatMap((name) =>
    values[name] === undefined ? [] : [[name, values[name]] as const],
  );
  return {
    target: ends.target,
    made: new Date(systemClock.now()).toISOString(),
    ...(wanted !== undefined && { source: ends.source, list: wanted.digest }),
    options: Object.fromEntries(options),
    mayEmpty,
    planned: planned.planned,
    seen: planned.seen,
  };
}

async function* each<T>(items: Iterable<T>): AsyncGenerator<T, void, void> {
  yield* items;
}
