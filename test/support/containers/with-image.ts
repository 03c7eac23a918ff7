/**
 * Builds the image from the project's Dockerfile, runs the command that follows with it, and removes
 * the image and all that was made of it: `with-image.js node --test …`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { tempDir } from '../temp-dir.ts';
import { baseImageStore } from './base-image.ts';
import { ENGINE_VARIABLE, IMAGE, makeEngine, runIn } from './engine.ts';
import { run } from './programs.ts';
import { storageDriver } from './storage-driver.ts';

// From build/test/support/containers/with-image.js.
const PROJECT = fileURLToPath(new URL('../../../../', import.meta.url));
const BUILD_TIMEOUT_MS = 600_000;

process.exitCode = await main(process.argv.slice(2));

async function main([program, ...args]: string[]): Promise<number> {
  if (program === undefined) throw new Error('What is to be run with the image?');
  const driver = await storageDriver();
  const baseStore = await timed('base image', () => baseImageStore(driver));
  const directory = await tempDir();
  try {
    await makeEngine(directory.path, driver, baseStore);
    await timed('image', () => build(directory.path));
    return await runWith(directory.path, program, args);
  } finally {
    await removeAll(directory.path);
    await directory[Symbol.asyncDispose]();
  }
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const value = await work();
  process.stderr.write(`${what}: ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
  return value;
}

async function build(directory: string): Promise<void> {
  const how = ['--pull-never', '--isolation', 'chroot', '--layers=false', '-t', IMAGE];
  const { code, stdout, stderr } = await runIn(directory, 'buildah', ['bud', ...how, PROJECT], {
    timeoutMs: BUILD_TIMEOUT_MS,
  });
  if (code !== 0) throw new Error(`the Dockerfile does not build:\n${stdout}${stderr}`);
}

async function runWith(directory: string, program: string, args: string[]): Promise<number> {
  const env = { ...process.env, [ENGINE_VARIABLE]: directory };
  const child = spawn(program, args, { stdio: 'inherit', env });
  const pass = (signal: NodeJS.Signals): boolean => child.kill(signal); // then it is cleaned up here
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, pass);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

/** Containers that still run, and mounts that would keep the directory from being removed. */
async function removeAll(directory: string): Promise<void> {
  await runIn(directory, 'podman', ['pod', 'rm', '--all', '--force', '--time', '0']);
  await runIn(directory, 'podman', ['rm', '--all', '--force', '--time', '0']);
  await run('umount', [join(directory, 'store', 'overlay')]);
}
