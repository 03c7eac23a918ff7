/** Runs `sync`. */
import { join } from 'node:path';

import { systemClock } from '../../base/clock.ts';
import { formatBytes } from '../../base/format-bytes.ts';
import { createCopier, type Referrers } from '../../copy/copier.ts';
import { createTransfers } from '../../copy/run.ts';
import { parseSelection, type Selection } from '../../copy/select.ts';
import { applyPolicy, type Policy } from '../../image/policy.ts';
import { formatReference } from '../../image/reference.ts';
import type { Measured } from '../../observe/measured.ts';
import type { RegistryClient } from '../../registry/client.ts';
import type { Inventory } from '../../registry/inventory.ts';
import type { RowTargets } from '../../sync/mapping.ts';
import {
  countsOf,
  createResults,
  describeSummary,
  Totals,
  writeSummary,
  type Summary,
} from '../../sync/results.ts';
import type { GrowingCsv } from '../../sync/growing-csv.ts';
import type { RowFile } from '../../sync/rows.ts';
import { syncTags, type SyncSettings, type TagOutcome } from '../../sync/sync.ts';
import { inventoryOf } from '../catalog-of.ts';
import type { RunIo, Values } from '../command.ts';
import { exitCodeOfRows } from '../exit-code.ts';
import { readRate } from '../options/rate.ts';
import { readShard } from '../options/shard.ts';
import { openRepairRows, repairing, type RepairRows } from '../repair.ts';
import { runPipeline, type PipelineEnd, type Watched } from '../pipeline-run.ts';
import { dockerSubject, readPolicy } from '../policy.ts';
import { connectSource, connectTarget, openRowsOf, readEnds, type RowEnds } from '../row-ends.ts';
import { roomFor } from '../room.ts';
import { eachRow } from '../row-loop.ts';
import { createRuntime, repositoriesOf, type Runtime } from '../runtime.ts';
import type { SYNC_OPTIONS } from './sync-options.ts';

export type SyncValues = Values<typeof SYNC_OPTIONS>;

const JOBS = 256;
const RETRY_TIMES = 5;

/** Resolves to the exit code. */
export async function runSync(values: SyncValues, io: RunIo): Promise<number> {
  const ends = readEnds(values);
  const selection = parseSelection(values.platform);
  const runtime = await createRuntime(
    { ...values, 'retry-times': values['retry-times'] ?? RETRY_TIMES },
    io,
  );
  const policy = await readPolicy(values, io.env);
  const shard = readShard(values.shard, io.env);
  const clients = connectBoth(runtime, values, ends);
  const totals = new Totals();
  let expected: number | undefined;
  const measured = (): Measured => measuredOf(totals, clients, expected);
  const command = values.repair ? 'repair' : 'sync';
  const run = { command, workdir: values.workdir, options: values, io, runtime } as const;
  const facts = { source: ends.source, target: ends.target, shard, dryRun: values['dry-run'] };
  const ended = runPipeline({ ...run, ...facts, measured }, async (watched) => {
    const opening = values.repair ? await openRepairRows(values, ends, shard) : undefined;
    await using rows = opening?.rows ?? (await openRowsOf(values, ends, shard));
    expected = rows.count;
    io.shutdown.graceMs = values['grace-period'] * 1000;
    runtime.log.info({ rows: rows.count, duplicates: rows.duplicates }, 'rows are read');
    const lists = values.repair ? undefined : await inventoryOf(clients.target, rows.countAt);
    const path = join(values.workdir, resultsName(values));
    const results = await createResults(path, runtime.secrets); // last: closed by the loop alone
    const opened = { rows, depthOf: opening?.depthOf, results, clients, inventory: lists };
    return await syncRows({ values, io, runtime, policy, ...opened, selection, totals, watched });
  });
  return withPage(ended, { values, io, runtime });
}

/** In Kubernetes no container comes after one that failed: what is to be seen of such a run it writes itself. */
async function withPage(
  ended: Promise<number>,
  { values, io, runtime: { log } }: Pick<SyncRun, 'values' | 'io' | 'runtime'>,
): Promise<number> {
  const { workdir, report: out, 'report-previous': previous } = values;
  try {
    return await ended;
  } finally {
    if (out !== undefined && !values['dry-run']) {
      const { writePageAfter } = await import('../report-page.ts');
      await writePageAfter({ workdir, previous, io }, { out, log });
    }
  }
}

/** Of a run that copies nothing, or mends some rows, no other command takes the rows for those of the last sync. */
function resultsName(values: SyncValues): string {
  if (values['dry-run']) return 'dry-run.csv';
  return values.repair ? 'repair-results.csv' : 'results.csv';
}

interface SyncRun {
  readonly values: SyncValues;
  readonly io: RunIo;
  readonly runtime: Runtime;
  readonly policy: Policy | undefined;
  readonly rows: RowFile;
  readonly results: GrowingCsv<TagOutcome>;
  readonly clients: { readonly source: RegistryClient; readonly target: RegistryClient };
  /** What the target's lists say of its tags, where it has such. */
  readonly inventory: Inventory | undefined;
  readonly selection: Selection;
  /** Of repairs: how deep a look is taken at what came of a row. */
  readonly depthOf: RepairRows['depthOf'] | undefined;
  readonly totals: Totals;
  readonly watched: Watched;
}

async function syncRows(run: SyncRun): Promise<PipelineEnd> {
  const { values, io, runtime, rows, results, totals, watched } = run;
  const started = systemClock.now();
  await eachRow<TagOutcome>({
    runtime,
    io,
    watched,
    total: rows.count,
    outcomes: (stopping) => syncTags(rows.rows(), settingsOf(run, stopping)),
    file: results,
    note: (outcome) => {
      totals.add(outcome);
      logOutcome(runtime, outcome);
      const text = `${totals.failed} failed, ${formatBytes(totals.bytesCopied)} moved`;
      return { done: totals.done, text };
    },
    errorOf: (outcome) => (outcome.result === 'failed' ? outcome.error : undefined),
    isLast: (outcome) => isLast(outcome, values['fail-fast']),
  });
  const summary = totals.summary({
    rows: rows.count,
    elapsedMs: systemClock.now() - started,
    requests: trafficOf(run.clients),
  });
  await finish(run, summary);
  return {
    exitCode: exitCodeOfRows(totals.isAllRefused, summary.failed + summary.notStarted),
    line: describeSummary(summary),
    counts: countsOf(summary),
  };
}

function measuredOf(
  totals: Totals,
  { source, target }: SyncRun['clients'],
  expected: number | undefined,
): Measured {
  return {
    rows: totals.counts,
    expected,
    bytes: { copied: totals.bytesCopied, mounted: totals.bytesMounted },
    traffic: { source: source.traffic, target: target.traffic },
  };
}

/** What is wrong with the command line or the environment is wrong for every row. */
function isLast(outcome: TagOutcome, failFast: boolean): boolean {
  return outcome.result === 'failed' && (failFast || outcome.error.code === 'USAGE');
}

function settingsOf(run: SyncRun, stopping: AbortSignal): SyncSettings {
  const { values, io, clients, selection, depthOf } = run;
  const open = opener(run);
  const transfers = createTransfers();
  const referrers = (values.referrers ?? 'copied') as Referrers;
  const copy = createCopier({ transfers, selection, referrers, repairs: values.repair });
  const { signal } = io.shutdown;
  const repair = { copy, transfers, target: clients.target, open, selection, signal };
  return {
    open,
    copy: depthOf === undefined ? copy : repairing({ ...repair, depthOf, clock: systemClock }),
    jobs: values.jobs ?? JOBS,
    hasRoom: roomFor(clients.source.traffic, clients.target.traffic),
    selection,
    followMoved: values['follow-moved'],
    dryRun: values['dry-run'],
    copiesAll: values.repair,
    clock: systemClock,
    stopping,
    signal,
  };
}

function opener({ runtime, policy, clients, inventory }: SyncRun): SyncSettings['open'] {
  const sources = repositoriesOf(clients.source);
  const targets = repositoriesOf(clients.target, inventory);
  return ({ source, target }: RowTargets) => {
    for (const one of [source, target]) runtime.registries.isInsecure(formatReference(one)); // blocked?
    if (policy !== undefined) applyPolicy(policy, dockerSubject(source), formatReference(source));
    return {
      source: sources(source.path).source(source.digest ?? source.tag ?? ''),
      sink: targets(target.path).sink(target.tag ?? target.digest ?? ''),
    };
  };
}

function connectBoth(runtime: Runtime, values: SyncValues, ends: RowEnds): SyncRun['clients'] {
  const bandwidth = readRate('bandwidth-limit', values['bandwidth-limit']);
  const target = connectTarget(runtime, values, ends);
  return { target, source: connectSource(runtime, values, ends, { target, bandwidth }) };
}

/** Images that were there already are many, and help nobody. */
function logOutcome({ log, showsProgress }: Runtime, outcome: TagOutcome): void {
  const source = formatReference(outcome.source);
  const target = formatReference(outcome.target);
  const { elapsedMs, digest } = outcome;
  if (outcome.result === 'failed') {
    const { code, message } = outcome.error;
    log.error({ source, target, code, error: message, elapsedMs }, 'image failed');
    return;
  }
  if (outcome.moved) log.warn({ source, digest }, 'tag has moved since the crawl');
  const { result, bytes } = outcome;
  const isQuiet = showsProgress || result === 'unchanged';
  log[isQuiet ? 'debug' : 'info'](
    { source, target, digest, bytes, elapsedMs },
    `image ${OUTCOME_WORDS[result]}`,
  );
}

const OUTCOME_WORDS = {
  copied: 'copied',
  unchanged: 'unchanged',
  'would-copy': 'would be copied',
} as const;

function trafficOf({ source, target }: SyncRun['clients']): Summary['requests'] {
  const of = ({ traffic }: RegistryClient) => {
    const { requests, received, sent, pullLimit } = traffic;
    return { requests, received, sent, ...(pullLimit !== undefined && { pullLimit }) };
  };
  return { source: of(source), target: of(target) };
}

async function finish({ values, io, results }: SyncRun, summary: Summary): Promise<void> {
  // The line for people comes whatever the disk says.
  io.stdout.write(`${describeSummary(summary)}\n`);
  try {
    await results.close();
  } finally {
    if (values.summary !== undefined) await writeSummary(values.summary, summary);
  }
}
