#!/usr/bin/env node
/** The process: argv, environment, signals and the exit code; nothing else calls process.exit. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';

import { RegistrySyncError } from './base/errors.ts';
import type { Shutdown } from './cli/command.ts';
import { run } from './cli/run.ts';

/** A run that takes so long should be small, and may take a little longer. */
const LASTING_MS = 5000;

/** As shells count: 128 and the number of the signal. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

// V8's optimizing compiler takes a third of the time of a short run, and is worth it only in a long
// one: it begins later. (2,000 unchanged rows: 0.57 instead of 0.74 s of CPU; 200,000: no difference.)
// Later V8s than Node 20's count otherwise, and would complain of the flag at each start.
if (process.versions.v8.startsWith('11.')) setFlagsFromString('--interrupt-budget=200000');
// What dies at middle age V8 lets pile up. A run that lasts collects it earlier.
setTimeout(() => setFlagsFromString('--heap-growing-percent=35'), LASTING_MS).unref();

const stopping = new AbortController();
const aborting = new AbortController();
const shutdown: Shutdown = { stopping: stopping.signal, signal: aborting.signal, graceMs: 0 };
let signalled: number | undefined;

for (const [name, code] of Object.entries(SIGNALS)) {
  process.on(name, () => {
    const abort = (): void => {
      aborting.abort(new RegistrySyncError('CANCELLED', `stopped by ${name}`));
    };
    if (signalled === undefined && shutdown.graceMs > 0)
      setTimeout(abort, shutdown.graceMs).unref();
    else abort();
    signalled ??= code;
    stopping.abort();
  });
}

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string };
const { env, stdout, stderr } = process;
// Nobody reads any more (`| head`): the work goes on, and its exit code counts.
for (const stream of [stdout, stderr]) stream.on('error', () => {});
const stdin = () => process.stdin;
const code = await run(process.argv.slice(2), { env, stdin, stdout, stderr, shutdown }, version);
// What is left (kept connections, timers) is nobody's any more; the streams are written first.
await Promise.all([stdout, stderr].map((stream) => new Promise((done) => stream.write('', done))));
process.exit(signalled ?? code);
