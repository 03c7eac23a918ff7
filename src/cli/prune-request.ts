/** What a command line of `prune` asks for, and what its phases know: repositories, list, plan, registries. */
import { dirname, resolve } from 'node:path';

import type { ListSettings } from '../audit/prune-list.ts';
import {
  PLAN_OPTIONS,
  readPlan,
  type Plan,
  type PlanFacts,
  type PlanOption,
} from '../audit/prune-plan.ts';
import type { PruneTotals } from '../audit/prune-results.ts';
import type { PruneTarget } from '../audit/prune-target.ts';
import type { PlanCounts } from '../audit/prune-whole-plan.ts';
import { RegistrySyncError } from '../base/errors.ts';
import { parseLocation } from '../store/location.ts';
import { readRecord, type RunRecord } from '../sync/run-record.ts';
import type { Shard } from '../sync/shard.ts';
import type { RunIo, Values } from './command.ts';
import type { PRUNE_OPTIONS } from './commands/prune-options.ts';
import { readRegistry } from './options/registry-name.ts';
import { readShard } from './options/shard.ts';
import { knownSource, readEnds, tagsFileOf, type RowEnds } from './row-ends.ts';
import type { Runtime } from './runtime.ts';

export type PruneValues = Values<typeof PRUNE_OPTIONS>;

export interface PruneRequest {
  readonly values: PruneValues;
  readonly named: Named | undefined;
  /** A tags.csv to go by; absent: rows are not gone by. */
  readonly list: ListOfRows | undefined;
  /** What is to be applied, unless it is still to be made. */
  readonly plan: Plan | undefined;
  readonly ends: RowEnds;
  readonly shard: Shard | undefined;
}

/** Repositories that are named, all of one registry. */
export interface Named {
  readonly registry: string;
  readonly repositories: readonly string[];
}

/** A request that runs. */
export interface PruneRun extends PruneRequest {
  readonly io: RunIo;
  readonly runtime: Runtime;
  readonly target: PruneTarget;
  /** Count up while the phases run. */
  readonly totals: PruneTotals;
  readonly planned: PlanCounts;
}

export interface ListOfRows {
  readonly path: string;
  /** Of the last crawl into the same directory. */
  readonly record: RunRecord | undefined;
}

/** @throws {RegistrySyncError} `USAGE` */
export async function readRequest(
  given: PruneValues,
  words: readonly string[],
  env: RunIo['env'],
): Promise<PruneRequest> {
  checkPhases(given);
  const named = readNamed(words, given);
  const plan = given.plan === undefined ? await readPlan(given.apply ?? '') : undefined;
  const values = plan === undefined ? given : withOptionsOf(plan.facts, given);
  // Whose share a plan is was decided when it was made.
  const isDecided = plan !== undefined && values.shard === undefined;
  const shard = isDecided ? undefined : readShard(values.shard, env);
  const isByRows = named === undefined && (plan === undefined || plan.facts.list !== undefined);
  const list = isByRows ? await readList(values) : undefined;
  const ends =
    list === undefined
      ? endsWithoutRows(values, named)
      : readEnds(values, await sourceOf(plan, list, values));
  return { values, named, list, plan, ends, shard };
}

/** Of a plan that is made it is known. */
function sourceOf(
  plan: Plan | undefined,
  { path }: ListOfRows,
  values: PruneValues,
): Promise<string | undefined> | string {
  return plan?.facts.list?.source ?? knownSource(values, dirname(path));
}

/** Options that decide what is planned: a plan that is made already is not changed by them. */
const OF_PLAN = ['scope', 'min-age', 'keep-newest', 'max-crawl-age', 'trust-tags-file'] as const;
const OF_APPLY = ['dry-run', 'max-plan-age', 'trust-plan'] as const;

function checkPhases(values: PruneValues): void {
  const { plan, apply } = values;
  if (plan === undefined && apply === undefined) {
    throw usage(
      'give --plan FILE to see what would go, or --apply FILE to delete what a plan says',
    );
  }
  if (plan !== undefined && apply !== undefined) {
    if (resolve(plan) === resolve(apply)) return;
    throw usage(
      `--plan ${plan} and --apply ${apply} are two files: give the same twice to plan and delete at once, else one of them`,
    );
  }
  const other = (plan === undefined ? OF_PLAN : OF_APPLY).find(
    (name) => values[name] !== undefined && values[name] !== false,
  );
  if (other === undefined) return;
  throw usage(
    plan === undefined
      ? `--${other} is for --plan: what goes is said by ${apply}. Leave it out, or plan again`
      : `--${other} is for --apply: a plan deletes nothing`,
  );
}

/** What only rows have. */
const OF_ROWS = [
  'source-registry',
  'source-registry-name',
  'source-registry-kind',
  'namespace',
  'tags-file',
  'target-namespace',
  'target-path',
  'append-suffix',
  'shard',
  'scope',
  'max-crawl-age',
  'trust-tags-file',
] as const;

function readNamed(words: readonly string[], values: PruneValues): Named | undefined {
  if (words.length === 0) return undefined;
  const found = words.map(readRepository);
  const [{ registry } = { registry: '' }] = found;
  const other = found.find((one) => one.registry !== registry);
  if (other !== undefined) {
    throw usage(`repositories of one registry at a time: ${registry} or ${other.registry}`);
  }
  const rows = OF_ROWS.find((name) => values[name] !== undefined && values[name] !== false);
  if (rows !== undefined) {
    throw usage(
      `--${rows} is for rows of tags.csv, which are not looked at where repositories are named`,
    );
  }
  const { plan, 'keep-newest': keepNewest, 'min-age': minAge } = values;
  if (plan !== undefined && keepNewest === undefined && minAge === undefined) {
    throw usage('say what is to stay of the repositories: give --keep-newest N or --min-age DAYS');
  }
  return { registry, repositories: [...new Set(found.map(({ path }) => path))] };
}

function readRepository(word: string): { readonly registry: string; readonly path: string } {
  const location = parseLocation(word);
  if (location.transport !== 'docker') {
    throw usage(`${word}: only docker:// has repositories to be pruned`);
  }
  const { registry, path, tag, digest } = location.reference;
  if (tag === undefined && digest === undefined) return { registry, path };
  throw usage(`${word}: name the repository without a tag or digest; delete is for images`);
}

/** What decides the meaning of rows is the same as when they were planned. */
function withOptionsOf({ options }: PlanFacts, values: PruneValues): PruneValues {
  const other = (name: PlanOption): boolean =>
    values[name] !== undefined && values[name] !== options[name];
  const wrong = PLAN_OPTIONS.find(other);
  if (wrong === undefined) return { ...values, ...options };
  const was = options[wrong];
  const planned = was === undefined ? `without --${wrong}` : `with --${wrong} ${was}`;
  throw usage(
    `--${wrong} ${values[wrong]}: ${values.apply} was planned ${planned}: leave it out, or plan again`,
  );
}

async function readList(values: PruneValues): Promise<ListOfRows> {
  const path = tagsFileOf(values);
  return { path, record: await readRecord(dirname(path), 'crawl') };
}

/** Without rows there is no source, and nothing is mapped. */
function endsWithoutRows(values: PruneValues, named: Named | undefined): RowEnds {
  const [host, name] = [values['target-registry'], values['target-registry-name']];
  const isGiven = host !== undefined || name !== undefined || named === undefined;
  const cloud = values['azure-cloud'];
  const target = isGiven ? readRegistry('target-registry', { host, name, cloud }) : named.registry;
  if (named !== undefined && named.registry !== target) {
    throw usage(
      `the repositories are of ${named.registry}, and --target-registry is ${target}: leave that out`,
    );
  }
  const map = (): never => {
    throw new Error('there are no rows to be mapped');
  };
  return { source: '', target, map };
}

/** How the list is read, for either phase. */
export function listSettings(
  { values, ends, shard, runtime: { log } }: PruneRun,
  { path, record }: ListOfRows,
): ListSettings {
  const { namespace, 'target-namespace': targetNamespace, 'target-path': targetPath } = values;
  return { path, record, ...ends, namespace, targetNamespace, targetPath, shard, log };
}

function usage(message: string): RegistrySyncError {
  return new RegistrySyncError('USAGE', message);
}
