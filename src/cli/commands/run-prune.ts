/** Runs `prune`: what is asked for, of which registry, and in which phases. */
import { resolve } from 'node:path';

import { RegistrySyncError } from '../../base/errors.ts';
import { PLAN_OPTIONS, readPlan, type PlanFacts, type PlanOption } from '../../audit/prune-plan.ts';
import { PruneTotals } from '../../audit/prune-results.ts';
import { checkDeletes, PruneTarget } from '../../audit/prune-target.ts';
import { DOCKER_HUB } from '../../image/reference.ts';
import type { RegistryClient } from '../../registry/client.ts';
import { parseLocation } from '../../store/location.ts';
import type { RunIo } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { readRegistry } from '../options/registry-name.ts';
import { readShard } from '../options/shard.ts';
import { runPipeline, type PipelineEnd } from '../pipeline-run.ts';
import { connectTarget, readEnds, type RowEnds } from '../row-ends.ts';
import { createRuntime } from '../runtime.ts';
import { applyThePlan } from './prune-apply-phase.ts';
import { readList } from './prune-list.ts';
import { makePlan } from './prune-plan-phase.ts';
import type { Named, PlanCounts, PruneRun, PruneValues } from './prune-run.ts';

/** Resolves to the exit code. */
export async function runPrune(
  given: PruneValues,
  io: RunIo,
  words: readonly string[],
): Promise<number> {
  checkPhases(given);
  const named = readNamed(words, given);
  const facts = given.plan === undefined ? (await readPlan(given.apply ?? '')).facts : undefined;
  const values = facts === undefined ? given : withOptionsOf(facts, given);
  const shard = readShard(values.shard, io.env);
  const list =
    named === undefined && (facts === undefined || facts.source !== undefined)
      ? await readList(values)
      : undefined;
  const ends = readTarget(values, named, facts?.source ?? list?.record?.source);
  const runtime = await createRuntime(values, io);
  const client = connectTarget(runtime, values, ends);
  const target = await targetOf(client);
  checkDeletes(target);
  io.shutdown.graceMs = 0;
  const totals = new PruneTotals();
  const planned: PlanCounts = { seen: 0, planned: 0, spared: 0, repositories: 0 };
  const run: PruneRun = { values, io, runtime, named, list, ends, target, shard, totals, planned };
  const isOfPlan = values.apply === undefined;
  const measured = () => ({
    rows: isOfPlan ? { planned: planned.planned, spared: planned.spared } : totals.counts,
    ...(isOfPlan && { repositories: { read: planned.repositories } }),
    traffic: { target: client.traffic },
  });
  const { workdir } = values;
  const about = { command: 'prune', workdir, options: values, io, runtime, measured } as const;
  const { target: to, source } = ends;
  const sides = { target: to, ...(source !== '' && { source }) };
  return runPipeline({ ...about, ...sides, shard, dryRun: values['dry-run'] }, (watched) =>
    runPhases(run, watched.noteRow),
  );
}

async function runPhases(
  run: PruneRun,
  noteRow: (elapsedMs: number) => void,
): Promise<PipelineEnd> {
  const { values, io, planned } = run;
  const lines: string[] = [];
  if (values.plan !== undefined) lines.push(await makePlan(run, values.plan));
  let exitCode: number = EXIT.ok;
  if (values.apply !== undefined) {
    const applied = await applyThePlan(run, values.apply, noteRow);
    lines.push(applied.line);
    exitCode = applied.exitCode;
  }
  const requests = run.target.client.traffic.requests;
  const line = [...lines, `${requests} requests`].join('; ');
  io.stdout.write(`${line}\n`);
  const counts = {
    ...(values.plan !== undefined && planned),
    ...(values.apply !== undefined && run.totals.counts),
    requests,
  };
  return { exitCode, line, counts };
}

function checkPhases({ plan, apply, 'dry-run': dryRun }: PruneValues): void {
  const message =
    plan === undefined && apply === undefined
      ? 'give --plan FILE to see what would go, or --apply FILE to delete what a plan says'
      : plan !== undefined && apply !== undefined && resolve(plan) !== resolve(apply)
        ? `--plan ${plan} and --apply ${apply} are two files: give the same twice to plan and delete at once, else one of them`
        : dryRun && apply === undefined
          ? '--dry-run is for --apply: a plan deletes nothing'
          : undefined;
  if (message !== undefined) throw new RegistrySyncError('USAGE', message);
}

/** What only rows have. */
const OF_ROWS = [
  'source-registry',
  'source-registry-name',
  'namespace',
  'tags-file',
  'target-namespace',
  'target-path',
  'append-suffix',
  'trust-tags-file',
] as const;

function readNamed(words: readonly string[], values: PruneValues): Named | undefined {
  if (words.length === 0) return undefined;
  const wrong = (message: string): never => {
    throw new RegistrySyncError('USAGE', message);
  };
  const found = words.map((word) => {
    const location = parseLocation(word);
    if (location.transport !== 'docker') {
      return wrong(`${word}: only docker:// has repositories to be pruned`);
    }
    const { registry, path, tag, digest } = location.reference;
    if (tag === undefined && digest === undefined) return { registry, path };
    return wrong(`${word}: name the repository without a tag or digest; delete is for images`);
  });
  const [{ registry } = { registry: '' }] = found;
  const other = found.find((one) => one.registry !== registry);
  if (other !== undefined) {
    wrong(`repositories of one registry at a time: ${registry} or ${other.registry}`);
  }
  const rows = OF_ROWS.find((name) => values[name] !== undefined && values[name] !== false);
  if (rows !== undefined || values.scope !== 'repositories') {
    wrong(
      `--${rows ?? 'scope'} is for rows of tags.csv, which are not looked at where repositories are named`,
    );
  }
  if (
    values.plan !== undefined &&
    values['keep-newest'] === undefined &&
    values['min-age'] === undefined
  ) {
    wrong('say what is to stay of the repositories: give --keep-newest N or --min-age DAYS');
  }
  return { registry, repositories: [...new Set(found.map(({ path }) => path))] };
}

/** What decides the meaning of rows is the same as when they were planned. */
function withOptionsOf(facts: PlanFacts, values: PruneValues): PruneValues {
  const other = (name: PlanOption): boolean =>
    values[name] !== undefined && values[name] !== facts.options[name];
  const wrong = PLAN_OPTIONS.find(other);
  if (wrong === undefined) return { ...values, ...facts.options };
  const was = facts.options[wrong];
  const planned = was === undefined ? `without --${wrong}` : `with --${wrong} ${was}`;
  const message = `--${wrong} ${values[wrong]}: ${values.apply} was planned ${planned}: leave it out, or plan again`;
  throw new RegistrySyncError('USAGE', message);
}

/** Without rows there is no source, and nothing is mapped. */
function readTarget(
  values: PruneValues,
  named: Named | undefined,
  source: string | undefined,
): RowEnds {
  const isOfRows = named === undefined && (values.plan !== undefined || source !== undefined);
  if (isOfRows) return readEnds(values, source);
  const [host, name] = [values['target-registry'], values['target-registry-name']];
  const isGiven = host !== undefined || name !== undefined || named === undefined;
  const cloud = values['azure-cloud'];
  const target = isGiven ? readRegistry('target-registry', { host, name, cloud }) : named.registry;
  if (named !== undefined && named.registry !== target) {
    const message = `the repositories are of ${named.registry}, and --target-registry is ${target}: leave that out`;
    throw new RegistrySyncError('USAGE', message);
  }
  const map = (): never => {
    throw new Error('there are no rows to be mapped');
  };
  return { source: '', target, map };
}

async function targetOf(client: RegistryClient): Promise<PruneTarget> {
  const isHub = client.profile.deletion.tags === 'docker-hub' && client.registry === DOCKER_HUB;
  if (!isHub) return new PruneTarget(client, undefined);
  const { dockerHubUntag } = await import('../../registry/docker-hub.ts');
  return new PruneTarget(client, dockerHubUntag(client));
}
