/**
 * Goes through the rows of a run to their end: counts, writes down and shows what came of each, and begins no
 * further one when a signal says so, or when going on helps nobody.
 */
import type { RegistrySyncError } from '../base/errors.ts';
import { LinkedAbort } from '../base/linked-abort.ts';
import { Outage, stopForOutage } from '../sync/outage.ts';
import type { RunIo } from './command.ts';
import type { Watched } from './pipeline-run.ts';
import type { Runtime } from './runtime.ts';
import type { Progress } from './screen.ts';

export interface RowLoop<O> {
  readonly runtime: Runtime;
  readonly io: RunIo;
  readonly watched: Watched;
  /** How many rows there are. */
  readonly total: number;
  /** Begins rows until `stopping`, and yields what came of them. */
  readonly outcomes: (stopping: AbortSignal) => AsyncIterable<O>;
  readonly file: { write(outcome: O): Promise<void>; close(): Promise<void> };
  /** Counts an outcome and says it to the log. Gives what a bar shows from then on. */
  readonly note: (outcome: O) => Progress;
  readonly errorOf: (outcome: O) => RegistrySyncError | undefined;
  /** Whether no further row is to be begun. */
  readonly isLast?: (outcome: O) => boolean;
}

/** The file is open afterwards, unless this fails. */
export async function eachRow<O extends { readonly elapsedMs: number }>(
  loop: RowLoop<O>,
): Promise<void> {
  const { runtime, io, watched, file, note, errorOf, isLast = () => false } = loop;
  const { screen, log } = runtime;
  const outage = new Outage();
  // A signal may have come while the rows were read.
  using stopping = new LinkedAbort(io.shutdown.stopping);
  if (runtime.showsProgress) await screen.showProgress(loop.total);
  try {
    for await (const outcome of loop.outcomes(stopping.signal)) {
      const progress = note(outcome);
      watched.noteRow(outcome.elapsedMs);
      await file.write(outcome);
      screen.update(progress);
      if (isLast(outcome)) stopping.abort('no further row');
      const gone = stopping.signal.aborted ? undefined : outage.note(errorOf(outcome));
      if (gone !== undefined) stopForOutage(gone, stopping, log);
    }
  } catch (error) {
    await file.close().catch(() => {}); // what is done is told, whatever else went wrong
    throw error;
  } finally {
    screen.close();
  }
}
