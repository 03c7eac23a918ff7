/**
 * A process that runs command lines, one after another, and measures what each leaves behind: to be
 * started with `--expose-gc`, with the command lines as JSON. The first only warms it up. Writes a
 * `SoakReport` to stdout.
 */
import { getEventListeners } from 'node:events';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

import { run } from '../../src/cli/run.ts';

/** What the process has at one moment. Bytes. */
export interface Footprint {
  readonly heapUsed: number;
  readonly rss: number;
  readonly sockets: number;
  readonly timers: number;
}

export interface SoakReport {
  readonly code: number;
  /** The last line for people. */
  readonly stdout: string;
  /** The beginning of what went wrong. */
  readonly stderr: string;
  readonly elapsedMs: number;
  readonly before: Footprint;
  /** The most of each while it ran. */
  readonly peak: Footprint;
  readonly after: Footprint;
  /** What still listens to the signals of the run. */
  readonly listeners: number;
}

const SHOWN = 2000;
const SAMPLE_MS = 200;
/** Idle connections are kept a while on purpose. */
const IDLE_MS = 20_000;

function footprint(): Footprint {
  const { heapUsed, rss } = process.memoryUsage();
  const resources = process.getActiveResourcesInfo();
  const count = (name: string): number => resources.filter((one) => one === name).length;
  return { heapUsed, rss, sockets: count('TCPSocketWrap'), timers: count('Timeout') };
}

/** When idle connections have been closed and nothing is left that could be collected. */
async function atRest(): Promise<Footprint> {
  const until = Date.now() + IDLE_MS;
  while (footprint().sockets > 0 && Date.now() < until) await sleep(100);
  for (let times = 0; times < 3; times += 1) {
    globalThis.gc?.();
    await sleep(20);
  }
  return footprint();
}

/** Runs one command line, watching. */
async function watched(args: readonly string[]) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const output = Promise.all([text(stdout), text(stderr)]);
  const signals = [new AbortController().signal, new AbortController().signal] as const;
  const shutdown = { stopping: signals[0], signal: signals[1], graceMs: 0 };
  let peak = footprint();
  const sampling = setInterval(() => {
    const now = footprint();
    const most = (of: keyof Footprint): number => Math.max(peak[of], now[of]);
    peak = {
      heapUsed: most('heapUsed'),
      rss: most('rss'),
      sockets: most('sockets'),
      timers: most('timers'),
    };
  }, SAMPLE_MS);
  const start = performance.now();
  const io = { env: { HOME: '/nonexistent' }, stdout, stderr, shutdown };
  const code = await run(args, io, '0.0.0');
  const elapsedMs = performance.now() - start;
  clearInterval(sampling);
  stdout.end();
  stderr.end();
  const [said, logged] = await output;
  const listeners = signals.reduce((sum, one) => sum + getEventListeners(one, 'abort').length, 0);
  return { code, stdout: said, stderr: logged.slice(0, SHOWN), elapsedMs, peak, listeners };
}

const [warmUp = [], args = []] = JSON.parse(process.argv[2] ?? '[]') as string[][];
await watched(warmUp);
const before = await atRest();
const soaked = await watched(args);
const report: SoakReport = { ...soaked, before, after: await atRest() };
process.stdout.write(JSON.stringify(report));
