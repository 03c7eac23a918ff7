/** Runs `prune`. */
import { PruneTotals } from '../../audit/prune-results.ts';
import { checkDeletes, PruneTarget } from '../../audit/prune-target.ts';
import { noPlanCounts } from '../../audit/prune-whole-plan.ts';
import { DOCKER_HUB } from '../../image/reference.ts';
import type { Measured } from '../../observe/measured.ts';
import type { RegistryClient } from '../../registry/client.ts';
import type { RunIo } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { runPipeline, type PipelineEnd, type Watched } from '../pipeline-run.ts';
import { applyThePlan } from '../prune-apply-phase.ts';
import { makePlan } from '../prune-plan-phase.ts';
import { readRequest, type PruneRun, type PruneValues } from '../prune-request.ts';
import { connectTarget } from '../row-ends.ts';
import { createRuntime } from '../runtime.ts';

/** Resolves to the exit code. */
export async function runPrune(
  given: PruneValues,
  io: RunIo,
  words: readonly string[],
): Promise<number> {
  const request = await readRequest(given, words, io.env);
  const { values, ends, shard } = request;
  const runtime = await createRuntime(values, io);
  const target = await targetOf(connectTarget(runtime, values, ends));
  checkDeletes(target);
  io.shutdown.graceMs = 0; // a plan that is not whole is none
  const counts = { totals: new PruneTotals(), planned: noPlanCounts() };
  const run: PruneRun = { ...request, ...counts, io, runtime, target };
  const { source, target: to } = ends;
  const facts = { target: to, ...(source !== '' && { source }), shard, dryRun: values['dry-run'] };
  const { workdir } = values;
  const about = { command: 'prune', workdir, options: values, io, runtime } as const;
  const measured = (): Measured => measuredOf(run);
  return runPipeline({ ...about, ...facts, measured }, (watched) => runPhases(run, watched));
}

function measuredOf({ values, planned, totals, target }: PruneRun): Measured {
  const traffic = { target: target.client.traffic };
  if (values.apply !== undefined) return { rows: totals.counts, traffic };
  const rows = { planned: planned.planned, spared: planned.spared };
  return { rows, repositories: { read: planned.repositories }, traffic };
}

async function runPhases(run: PruneRun, { noteRow }: Watched): Promise<PipelineEnd> {
  const { values, io, planned, totals, target } = run;
  const { plan, apply } = values;
  const { traffic } = target.client;
  let line = '';
  const tell = (text: string): void => {
    line = [...(line === '' ? [] : [line]), text, `${traffic.requests} requests`].join('; ');
    io.stdout.write(`${line}\n`);
  };
  let exitCode: number = EXIT.ok;
  if (plan !== undefined) {
    const made = await makePlan(run, plan);
    if (apply === undefined) tell(made);
    else line = made;
  }
  if (apply !== undefined) exitCode = await applyThePlan(run, apply, { noteRow, tell });
  const counts = {
    ...(plan !== undefined && planned),
    ...(apply !== undefined && totals.counts),
    requests: traffic.requests,
  };
  return { exitCode, line, counts };
}

async function targetOf(client: RegistryClient): Promise<PruneTarget> {
  const isHub = client.profile.deletion.tags === 'docker-hub' && client.registry === DOCKER_HUB;
  if (!isHub) return new PruneTarget(client, undefined);
  const { dockerHubUntag } = await import('../../registry/docker-hub.ts');
  return new PruneTarget(client, dockerHubUntag(client));
}
