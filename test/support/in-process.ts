/** Runs the command line in the test's own process: without the quarter second that a process takes to start. */
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';

import { run } from '../../src/cli/run.ts';

export interface InProcessResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it to its end, without signals, in an environment in which nothing else is set. */
export async function runHere(
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<InProcessResult> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const output = Promise.all([text(stdout), text(stderr)]);
  const [stopping, aborting] = [new AbortController(), new AbortController()];
  const shutdown = { stopping: stopping.signal, signal: aborting.signal, graceMs: 0 };
  const env = { HOME: '/nonexistent', ...variables };
  const code = await run(args, { env, stdout, stderr, shutdown }, '0.0.0');
  stdout.end();
  stderr.end();
  const [said, logged] = await output;
  return { code, stdout: said, stderr: logged };
}
