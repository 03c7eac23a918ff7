/** A sync that is killed when its registries have seen so many requests, and the one after it. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { startCli, type CliResult, type RunningCli } from './cli.ts';
import { runHere } from './in-process.ts';
import { tempDir } from './temp-dir.ts';

/** Counts requests, and kills the program that makes them when they are as many as it is told. */
export class Killer {
  /** Requests so far. */
  seen = 0;
  readonly #point: number;
  #running: RunningCli | undefined;

  constructor(point: number) {
    this.#point = point;
  }

  /** To be called for each request. */
  readonly note = (): undefined => {
    this.seen += 1;
    if (this.seen === this.#point) this.#running?.child.kill('SIGKILL');
  };

  async run(args: readonly string[]): Promise<CliResult> {
    this.#running = await startCli(args);
    return await this.#running.result;
  }
}

export interface CrashedSync {
  readonly csv: string;
  /** Besides the workdir. */
  readonly args: readonly string[];
  readonly killer: Killer;
}

/** Runs both syncs in a workdir of their own; says what of it is not as it should be. */
export async function crashAndSync({ csv, args, killer }: CrashedSync): Promise<string[]> {
  await using dir = await tempDir();
  await writeFile(join(dir.path, 'tags.csv'), csv);
  const words = ['sync', ...args, '--workdir', dir.path, '--quiet'];
  const faults: string[] = [];
  const { signal, stderr } = await killer.run(words);
  if (signal !== 'SIGKILL') faults.push(`was not killed: ${stderr}`);

  const again = await runHere(words);

  if (again.code !== 0) faults.push(`the next sync: ${again.code} ${again.stderr}`);
  if (!/ 0 failed/.test(again.stdout)) faults.push(`the next sync: ${again.stdout}`);
  if ((await readFile(join(dir.path, 'tags.csv'), 'utf8')) !== csv) faults.push('tags.csv changed');
  const results = (await readFile(join(dir.path, 'results.csv'), 'utf8')).split('\r\n');
  if (results.length !== csv.split('\r\n').length) faults.push('results.csv is not whole');
  const files = String((await readdir(dir.path)).toSorted());
  if (files !== 'results.csv,sync.json,tags.csv') faults.push(`left ${files}`);
  return faults;
}
