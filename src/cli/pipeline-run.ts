/**
 * One run of a command of the pipeline (crawl, sync, verify, prune): it leaves a record beside its CSVs, can be
 * measured while it lasts, and ends with a line.
 */
import { rm } from 'node:fs/promises';

import { systemClock } from '../base/clock.ts';
import { isError, RegistrySyncError } from '../base/errors.ts';
import type { Measured } from '../observe/measured.ts';
import {
  recordPath,
  writeRecord,
  type RecordedCommand,
  type RunRecord,
} from '../sync/run-record.ts';
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
  readonly filters?: RunRecord['filters'];
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
  try {
    const outcome = await recorded(run, watch, work);
    await watch.end(outcome.state);
    if ('error' in outcome) throw outcome.error;
    return outcome.exitCode;
  } finally {
    await watch.close();
  }
}

/** How a run ended: with an exit code, or with what `work` threw. */
type Outcome = { readonly state: RunRecord['state'] } & (
  { readonly exitCode: number } | { readonly error: unknown }
);

async function recorded(
  run: PipelineRun,
  watched: Watched,
  work: (watched: Watched) => Promise<PipelineEnd>,
): Promise<Outcome> {
  const { command, runtime, io, source, target, shard } = run;
  const { log, secrets } = runtime;
  const begun = beginning(run);
  const notes = new Notes(run);
  const where = { source, target, shard: shard && formatShard(shard) };
  log.debug(where, `${command} starts`);
  await notes.begin(begun);
  try {
    const { exitCode, line, counts } = await work(watched);
    const state = STATES.get(exitCode) ?? 'failed';
    await notes.write({ ...begun, state, endedAt: now(), message: line, counts });
    log[state === 'complete' ? 'info' : 'warn']({ ...counts, ...where }, `${command} is ${state}`);
    io.conclude(line);
    return { state, exitCode };
  } catch (error) {
    const message = secrets.hide(
      error instanceof RegistrySyncError ? error.message : String(error),
    );
    await notes.write({ ...begun, state: 'failed', endedAt: now(), message });
    return { state: 'failed', error };
  }
}

const STATES: ReadonlyMap<number, RunRecord['state']> = new Map([
  [EXIT.ok, 'complete'],
  [EXIT.partial, 'partial'],
]);

function beginning(run: PipelineRun): RunRecord {
  const { command, runtime, io, source, target, shard, filters = [], deep } = run;
  return {
    command,
    run: runtime.runId,
    version: io.version,
    state: 'running',
    startedAt: now(),
    ...(shard !== undefined && { shard: formatShard(shard) }),
    ...(filters.length > 0 && { filters }),
    ...(source !== undefined && { source }),
    ...(target !== undefined && { target }),
    ...(deep !== undefined && { deep }),
  };
}

/**
 * Writes the record; a dry run, which changes nothing, leaves none. The work goes on without one: it is missed by
 * those who would rely on it, and they say so.
 */
class Notes {
  readonly #run: PipelineRun;
  #isLost = false;

  constructor(run: PipelineRun) {
    this.#run = run;
  }

  async begin(record: RunRecord): Promise<void> {
    await this.write(record);
    // An older record would be taken for that of the last run.
    const path = recordPath(this.#run.workdir, record.command);
    if (this.#isLost) await rm(path, { force: true }).catch(() => {});
  }

  async write(record: RunRecord): Promise<void> {
    const { workdir, runtime, dryRun } = this.#run;
    if (dryRun === true || this.#isLost) return;
    try {
      await writeRecord(workdir, record);
    } catch (error) {
      if (!isError(error, 'USAGE')) throw error;
      this.#isLost = true;
      runtime.log.warn({ reason: error.message }, 'the record of this run could not be written');
    }
  }
}

function now(): string {
  return new Date(systemClock.now()).toISOString();
}
