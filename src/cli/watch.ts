/** What operators see of a run besides its log: metrics in a file, at an endpoint, at a Pushgateway. */
import { readFile } from 'node:fs/promises';

import { systemClock } from '../base/clock.ts';
import { RegistrySyncError } from '../base/errors.ts';
import { LinkedAbort } from '../base/linked-abort.ts';
import { redactUrl } from '../base/redact.ts';
import { writeWhole } from '../files/whole-file.ts';
import { createDispatcher } from '../http/dispatcher.ts';
import { HostPause } from '../http/host-pause.ts';
import { withRetry } from '../http/retry.ts';
import { compose, undiciSend, withHeader, type Send } from '../http/send.ts';
import type { Endpoint } from '../observe/endpoint.ts';
import type { Metrics } from '../observe/metrics.ts';
import { basicAuthorization } from '../registry/basic.ts';
import { credentialsInEnvironment } from '../registry/environment-credentials.ts';
import { formatShard } from '../sync/shard.ts';
import type { RunRecord } from '../sync/run-record.ts';
import type { PipelineRun, Watched } from './pipeline-run.ts';
import type { Runtime } from './runtime.ts';

export interface WatchOptions {
  readonly 'metrics-file': string | undefined;
  readonly 'metrics-listen': string | undefined;
  readonly 'metrics-push': string | undefined;
}

export interface Watch extends Watched {
  /** Says how the run ended to those who asked for it. What can't be said is a warning. */
  end(state: RunRecord['state']): Promise<void>;
  close(): Promise<void>;
}

const NOBODY: Watch = { noteRow: () => {}, end: async () => {}, close: async () => {} };

/** A Pushgateway is near, and a run that is over waits for it no longer. Milliseconds. */
const PUSH_MS = 10_000;
/** So often it is repeated: seconds, not minutes. */
const PUSH_TIMES = 2;

/** @throws {RegistrySyncError} `USAGE` when an option is wrong, or the port is taken. */
export async function startWatch(run: PipelineRun): Promise<Watch> {
  const { options, measured, io } = run;
  const wanted = ['metrics-file', 'metrics-listen', 'metrics-push'] as const;
  if (wanted.every((name) => options[name] === undefined)) return NOBODY;
  const labels = labelsOf(run);
  const target = pushTarget(options['metrics-push'], run);
  checkFile(options['metrics-file']);
  const { Metrics } = await import('../observe/metrics.ts');
  const metrics = new Metrics({ labels, version: io.version, measured, clock: systemClock });
  const endpoint = await serve(options['metrics-listen'], metrics, run);
  return {
    noteRow: (elapsedMs) => metrics.noteRow(elapsedMs),
    end: (state) => end(run, { metrics, labels, target }, state),
    close: async () => endpoint?.close(),
  };
}

async function serve(
  address: string | undefined,
  metrics: Metrics,
  { runtime }: PipelineRun,
): Promise<Endpoint | undefined> {
  if (address === undefined) return undefined;
  const { listen } = await import('../observe/endpoint.ts');
  const endpoint = await listen(address, metrics);
  runtime.log.info({ port: endpoint.port }, 'metrics are served');
  return endpoint;
}

interface Sinks {
  readonly metrics: Metrics;
  readonly labels: Readonly<Record<string, string>>;
  readonly target: PushTarget | undefined;
}

async function end(run: PipelineRun, sinks: Sinks, state: RunRecord['state']): Promise<void> {
  const { metrics, labels, target } = sinks;
  const { runtime, io, dryRun } = run;
  const path = run.options['metrics-file'];
  const isSuccess = state === 'complete' && dryRun !== true;
  await warned(runtime, 'to the file', async () => {
    const before = isSuccess || path === undefined ? undefined : await lastSuccessIn(path, labels);
    metrics.end(state, isSuccess ? systemClock.now() / 1000 : before);
    if (path !== undefined) await writeWhole(path, await metrics.text());
  });
  if (target === undefined) return;
  const { url, authorization } = target;
  await warned(runtime, `to the Pushgateway ${redactUrl(url)}`, async () => {
    using given = new LinkedAbort(io.shutdown.signal);
    const late = setTimeout(() => given.abort(tooSlow()), PUSH_MS);
    try {
      const { push } = await import('../observe/pushgateway.ts');
      const text = await metrics.text();
      const request = { url, authorization, labels, contentType: metrics.contentType, text };
      await push(sendTo(runtime), request, given.signal);
    } finally {
      clearTimeout(late);
    }
  });
}

function tooSlow(): RegistrySyncError {
  return new RegistrySyncError('UNAVAILABLE', `no answer in ${PUSH_MS / 1000} s`);
}

/** Who watches must not spoil what is watched, whatever happens to them. */
async function warned({ log }: Runtime, where: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn({ reason }, `the metrics of this run could not be handed on ${where}`);
  }
}

function labelsOf({ command, source, target, shard }: PipelineRun): Record<string, string> {
  return {
    command,
    ...(source !== undefined && { source }),
    ...(target !== undefined && { target }),
    ...(shard !== undefined && { shard: formatShard(shard) }),
  };
}

/** The exporter reads no other files. */
function checkFile(path: string | undefined): void {
  if (path === undefined || path.endsWith('.prom')) return;
  const message = `--metrics-file ${JSON.stringify(path)}: the node exporter reads only files that end in .prom`;
  throw new RegistrySyncError('USAGE', message);
}

interface PushTarget {
  readonly url: URL;
  readonly authorization: string | undefined;
}

function pushTarget(
  given: string | undefined,
  { io, runtime }: PipelineRun,
): PushTarget | undefined {
  if (given === undefined) return undefined;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new RegistrySyncError('USAGE', '--metrics-push is no http or https URL');
  }
  const { username, password } = url;
  if (username !== '' || password !== '') {
    const message =
      '--metrics-push: a URL lands in logs: put user and password into METRICS_USERNAME and METRICS_PASSWORD';
    throw new RegistrySyncError('USAGE', message);
  }
  const credentials = credentialsInEnvironment('METRICS', io.env);
  if (credentials !== undefined) runtime.secrets.add(credentials.password);
  const authorization = credentials === undefined ? undefined : basicAuthorization(credentials);
  return { url, authorization };
}

function sendTo({ env, log, retry, userAgent }: Runtime): Send {
  const dispatcher = createDispatcher({
    certDirs: [],
    maxConnections: 1,
    env,
    verifyTls: true,
    identify: false,
  });
  const pause = new HostPause(systemClock);
  return compose(
    undiciSend(dispatcher, PUSH_MS),
    withRetry({ policy: { ...retry, times: PUSH_TIMES }, clock: systemClock, pause, log }),
    withHeader('user-agent', userAgent),
  );
}

/** What an earlier run of the same kind wrote, in seconds since the epoch; this one did not succeed. */
async function lastSuccessIn(
  path: string,
  labels: Readonly<Record<string, string>>,
): Promise<number | undefined> {
  const { LAST_SUCCESS } = await import('../observe/metrics.ts');
  const text = await readFile(path, 'utf8').catch(() => '');
  const isOurs = (line: string): boolean =>
    line.startsWith(`${LAST_SUCCESS}{`) &&
    ['command', 'source', 'target', 'shard'].every((name) => {
      const [, value] = new RegExp(`[{,]${name}="([^"]*)"`).exec(line) ?? [];
      return value === labels[name];
    });
  const value = Number(text.split('\n').find(isOurs)?.split(' ').at(-1));
  return Number.isFinite(value) && value > 0 ? value : undefined;
}
