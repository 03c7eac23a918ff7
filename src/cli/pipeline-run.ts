/**
 * One run of a command of the pipeline (crawl, sync, verify, prune): it leaves a record beside its CSVs, can be
 * measured while it lasts, and ends with a line.
 */
import { systemClock } from '../base/clock.ts';
import { isError, RegistrySyncError } from '../base/errors.ts';
import type { Measured } from '../observe/measured.ts';
import { writeRecord, type RecordedCommand, type RunRecord } from '../sync/run-record.ts';
import { formatShard, type Shard } from '../sync/shard.ts';
import type { RunIo } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { Runtime } from './runtime.ts';
import { startWatch, type WatchOptions } from './watch.ts';

/** What is known of a run when it begins. */
export interface PipelineRun {
  readonly command: RecordedCommand;
  /** Where its record goes. */
  readonly workdir: string;
  readonly options: WatchOptions;
  readonly io: RunIo;
  readonly runtime: Runtime;
  /** Registries, `host[:port]`. */
  readonly source?: string;
  readonly target?: string;
  readonly shard?: Shard | undefined;
  readonly dryRun?: boolean;
  readonly deep?: RunRecord['deep'];
  /** What was counted so far, whenever it is asked for. */
  readonly measured: () => Measured;
}

/** What came of it. */
export interface PipelineEnd {
  readonly exitCode: number;
  /** The line that sums it up, for people. */
  readonly line: string;
  /** For the record. */
  readonly counts: Readonly<Record<string, number>>;
}

/** What a run tells those who watch it, while it lasts. */
export interface Watched {
  /** A row is done. */
  readonly noteRow: (elapsedMs: number) => void;
}

/** Resolves to the exit code of what `work` came to. */
export async function runPipeline(
  run: PipelineRun,
  work: (watched: Watched) => Promise<PipelineEnd>,
): Promise<number> {
  const watch = await startWatch(run);
  const begun = beginning(run);
  await note(run, begun);
  try {
    const { exitCode, line, counts } = await work(watch);
    const state = STATES.get(exitCode) ?? 'failed';
    await note(run, { ...begun, state, endedAt: now(), message: line, counts });
    run.io.conclude(line);
    await watch.end(state);
    return exitCode;
  } catch (error) {
    const message = error instanceof RegistrySyncError ? error.message : String(error);
    const hidden = run.runtime.secrets.hide(message);
    await note(run, { ...begun, state: 'failed', endedAt: now(), message: hidden });
    await watch.end('failed');
    throw error;
  } finally {
    await watch.close();
  }
}

const STATES: ReadonlyMap<number, RunRecord['state']> = new Map([
  [EXIT.ok, 'complete'],
  [EXIT.partial, 'partial'],
]);

function beginning(run: PipelineRun): RunRecord {
  const { command, runtime, io, source, target, shard, deep, dryRun } = run;
  return {
    command,
    run: runtime.runId,
    version: io.version,
    state: 'running',
    startedAt: now(),
    ...(shard !== undefined && { shard: formatShard(shard) }),
    ...(source !== undefined && { source }),
    ...(target !== undefined && { target }),
    ...(deep !== undefined && { deep }),
    ...(dryRun === true && { dryRun }),
  };
}

/** The work goes on without a record: it is missed by those who would rely on it, and they say so. */
async function note({ workdir, runtime: { log } }: PipelineRun, record: RunRecord): Promise<void> {
  try {
    await writeRecord(workdir, record);
  } catch (error) {
    if (!isError(error, 'USAGE')) throw error;
    log.warn({ reason: error.message }, 'the record of this run could not be written');
  }
}

function now(): string {
  return new Date(systemClock.now()).toISOString();
}
