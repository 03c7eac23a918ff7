/** Runs `verify`. */
import { join } from 'node:path';

import { BlobChecks } from '../../audit/verify-blobs.ts';
import {
  countsOf,
  createVerifyFile,
  describeSummary,
  VerifyTotals,
  type VerifySummary,
} from '../../audit/verify-report.ts';
import { verifyRows, type Verdict, type VerifySettings } from '../../audit/verify.ts';
import { systemClock } from '../../base/clock.ts';
import { createTransfers } from '../../copy/run.ts';
import { parseSelection } from '../../copy/select.ts';
import { formatReference } from '../../image/reference.ts';
import type { Measured } from '../../observe/measured.ts';
import type { RegistryClient } from '../../registry/client.ts';
import type { GrowingCsv } from '../../sync/growing-csv.ts';
import type { RowFile } from '../../sync/rows.ts';
import type { RunIo, Values } from '../command.ts';
import { exitCodeOfRows } from '../exit-code.ts';
import { readRate } from '../options/rate.ts';
import { readShard } from '../options/shard.ts';
import { runPipeline, type PipelineEnd, type Watched } from '../pipeline-run.ts';
import { roomFor } from '../room.ts';
import { eachRow } from '../row-loop.ts';
import { connectSource, connectTarget, knownSource, openRowsOf, readEnds } from '../row-ends.ts';
import { createRuntime, repositoriesOf, type Runtime } from '../runtime.ts';
import type { VERIFY_OPTIONS } from './verify-options.ts';

export type VerifyValues = Values<typeof VERIFY_OPTIONS>;

/** Resolves to the exit code. */
export async function runVerify(values: VerifyValues, io: RunIo): Promise<number> {
  const { workdir, deep } = values;
  const ends = readEnds(values, await knownSource(values, workdir));
  const runtime = await createRuntime(values, io);
  const shard = readShard(values.shard, io.env);
  const bandwidth = readRate('bandwidth-limit', values['bandwidth-limit']);
  const target = connectTarget(runtime, values, ends, bandwidth);
  const clients = { target, source: connectSource(runtime, values, ends, { target }) };
  const { source, target: to } = ends;
  const totals = new VerifyTotals();
  let expected: number | undefined;
  const measured = (): Measured => ({
    rows: totals.counts,
    expected,
    traffic: { source: clients.source.traffic, target: target.traffic },
  });
  const facts = { source, target: to, shard, ...(deep !== undefined && { deep }) };
  const run = { command: 'verify', workdir, options: values, io, runtime } as const;
  return runPipeline({ ...run, ...facts, measured }, async (watched) => {
    await using rows = await openRowsOf(values, ends, shard);
    expected = rows.count;
    io.shutdown.graceMs = values['grace-period'] * 1000;
    runtime.log.info({ rows: rows.count, duplicates: rows.duplicates, deep }, 'rows are read');
    // Not before the record says that it is being written.
    const file = await createVerifyFile(join(workdir, 'verify.csv'), runtime.secrets);
    return await verifyAll({ values, io, runtime, rows, clients, file, totals, watched });
  });
}

interface VerifyRun {
  readonly values: VerifyValues;
  readonly io: RunIo;
  readonly runtime: Runtime;
  readonly rows: RowFile;
  readonly clients: { readonly source: RegistryClient; readonly target: RegistryClient };
  readonly file: GrowingCsv<Verdict>;
  readonly totals: VerifyTotals;
  readonly watched: Watched;
}

async function verifyAll(run: VerifyRun): Promise<PipelineEnd> {
  const { values, io, rows, clients, totals } = run;
  const started = systemClock.now();
  await verifyEach(run);
  const { source, target } = clients;
  const summary: VerifySummary = {
    rows: rows.count,
    counts: totals.counts,
    notStarted: rows.count - totals.done,
    requests: source.traffic.requests + target.traffic.requests,
    elapsedMs: systemClock.now() - started,
    pullLimit: values.deep === undefined ? undefined : target.traffic.pullLimit,
  };
  const line = describeSummary(summary);
  io.stdout.write(`${line}\n`); // whatever the disk says
  await run.file.close();
  return {
    exitCode: exitCodeOfRows(totals.isAllRefused, totals.notOk + summary.notStarted),
    line,
    counts: countsOf(summary),
  };
}

async function verifyEach(run: VerifyRun): Promise<void> {
  const { io, runtime, rows, file, totals, watched } = run;
  await eachRow<Verdict>({
    runtime,
    io,
    watched,
    total: rows.count,
    outcomes: (stopping) => verifyRows(rows.rows(), settingsOf(run, stopping)),
    file,
    note: (verdict) => {
      totals.add(verdict);
      logVerdict(runtime, verdict);
      return { done: totals.done, text: `${totals.notOk} not ok` };
    },
    errorOf: ({ error }) => error,
  });
}

function settingsOf(
  { values, io, runtime, clients }: VerifyRun,
  stopping: AbortSignal,
): VerifySettings {
  const sources = repositoriesOf(clients.source);
  const targets = repositoriesOf(clients.target);
  const depth = values.deep ?? 'digests';
  return {
    open: ({ source, target }) => {
      runtime.registries.isInsecure(formatReference(target)); // blocked?
      return {
        source: sources(source.path).source(source.digest ?? source.tag ?? ''),
        target: targets(target.path).source(target.tag ?? target.digest ?? ''),
      };
    },
    selection: parseSelection(values.platform),
    depthOf: () => depth,
    checks: new BlobChecks(createTransfers()),
    jobs: values.jobs,
    hasRoom: roomFor(clients.source.traffic, clients.target.traffic),
    clock: systemClock,
    stopping,
    signal: io.shutdown.signal,
  };
}

/** Those that are well are many, and help nobody. */
function logVerdict({ log }: Runtime, verdict: Verdict): void {
  const { status, found, detail, error, elapsedMs } = verdict;
  const source = formatReference(verdict.source);
  const target = formatReference(verdict.target);
  if (status === 'ok') log.debug({ source, target, digest: found, elapsedMs }, 'image ok');
  else if (error === undefined)
    log.warn({ source, target, status, detail }, `image ${TOLD[status]}`);
  else log.error({ source, target, code: error.code, error: detail }, 'image could not be checked');
}

const TOLD = {
  missing: 'is missing',
  differs: 'differs',
  damaged: 'is damaged',
  failed: 'could not be checked',
} as const;
