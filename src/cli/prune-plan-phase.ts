/** The first phase of `prune`: writes what would go. */
import { choiceRules, type ChoiceRules } from '../audit/prune-choice.ts';
import { checkAmount, MAX_PERCENT } from '../audit/prune-checks.ts';
import { addNamespaces, readWanted, type ListSettings, type Wanted } from '../audit/prune-list.ts';
import { PLAN_OPTIONS, writePlan, type PlanFacts } from '../audit/prune-plan.ts';
import { planRepositories } from '../audit/prune-planning.ts';
import { describePlan, gatherPlan } from '../audit/prune-whole-plan.ts';
import { systemClock } from '../base/clock.ts';
import { formatShard } from '../sync/shard.ts';
import { catalogOf } from './catalog-of.ts';
import { readAge, readDays } from './options/age.ts';
import { listSettings, type PruneRun } from './prune-request.ts';

/** Repositories that are planned at the same time; each asks for several things at once. */
const REPOSITORIES_AT_ONCE = 8;

/** Resolves to a line for people. */
export async function makePlan(run: PruneRun, path: string): Promise<string> {
  const { values, named, target, io, runtime, planned: counts } = run;
  const catalog = await catalogOf(target.client);
  const wanted = await readTheList(run);
  if (wanted !== undefined && values.scope === 'namespace') {
    const { signal } = io.shutdown;
    await addNamespaces(wanted.settings, wanted.scope, { catalog, signal });
  }
  const scope = wanted?.scope;
  const repositories = [...(scope?.repositories ?? named?.repositories ?? [])];
  for (const one of repositories) runtime.registries.isInsecure(`${target.registry}/${one}`); // blocked?
  const plans = planRepositories(repositories, {
    target,
    catalog,
    rules: rulesOf(run, wanted),
    isPromised: (repository, digest) => scope?.isPromised(repository, digest) ?? false,
    areNamed: named !== undefined,
    jobs: REPOSITORIES_AT_ONCE,
    signal: io.shutdown.signal,
  });
  const { rows, remarks, emptied } = await gatherPlan(plans, counts);
  if (counts.repositories === 0) {
    runtime.log.warn({ registry: target.registry }, 'the target has none of the repositories');
  }
  const mayEmpty = values['allow-empty-repositories'];
  const found = { seen: counts.seen, rows: rows.length, emptied };
  checkAmount(found, { maxPercent: maxPercentOf(run), mayEmpty }, 'planned');
  await writePlan(path, { facts: factsOf(run, wanted), rows }, remarks);
  runtime.log.info({ ...counts, path }, 'plan is written');
  const isKnown = target.rules.tags !== 'protocol';
  return describePlan(counts, { isKnown, willGo: values.apply !== undefined });
}

interface Listed extends Wanted {
  readonly settings: ListSettings;
}

async function readTheList(run: PruneRun): Promise<Listed | undefined> {
  const { values, list } = run;
  if (list === undefined) return undefined;
  const settings = listSettings(run, list);
  const wanted = await readWanted(settings, {
    isTrusted: values['trust-tags-file'],
    maxAgeMs: readAge('max-crawl-age', values['max-crawl-age'] ?? '24h'),
    now: systemClock.now(),
  });
  return { ...wanted, settings };
}

function rulesOf({ values }: PruneRun, wanted: Wanted | undefined): ChoiceRules {
  const { protect, 'min-age': age, 'keep-newest': keepNewest } = values;
  const minAge = age === undefined ? undefined : readDays('min-age', age);
  return choiceRules({ protect, minAge, keepNewest }, wanted?.scope, systemClock.now());
}

/** Who names repositories and says how many tags stay, has said enough. */
function maxPercentOf({ values, named }: PruneRun): number {
  const isSaid = named !== undefined && values['keep-newest'] !== undefined;
  return values['max-percent'] ?? (isSaid ? 100 : MAX_PERCENT);
}

function factsOf(
  { values, ends, shard, planned }: PruneRun,
  wanted: Wanted | undefined,
): PlanFacts {
  const all = { ...values, shard: shard && formatShard(shard) };
  const options = PLAN_OPTIONS.flatMap((name) =>
    all[name] === undefined ? [] : [[name, all[name]] as const],
  );
  const { scope = 'repositories' } = values;
  return {
    target: ends.target,
    made: new Date(systemClock.now()).toISOString(),
    ...(wanted !== undefined && { list: { source: ends.source, digest: wanted.digest, scope } }),
    options: Object.fromEntries(options),
    mayEmpty: values['allow-empty-repositories'],
    planned: planned.planned,
    seen: planned.seen,
  };
}
