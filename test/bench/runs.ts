/** The same work by each tool, in alternation, some rounds: what each run cost and asked for. */
import { tempDir } from '../support/temp-dir.ts';
import { totalOf, type Floor } from './floor.ts';
import type { LinkShape } from './link.ts';
import type { Held } from './memory-main.ts';
import { measure, type Cost } from './measure.ts';
import type { Command } from './peers.ts';
import type { StageStats, Stage } from './stage.ts';

/** Who does the work. */
export interface Contender {
  readonly name: string;
  /** How many it has to look at: they are compared by the tag. */
  readonly tags: number;
  /** The least requests for its work. */
  readonly floor: Floor;
  /** Writes what it reads into `dir`, which is its own. */
  prepare(dir: string): Promise<Command>;
  /** @throws {Error} when the work is not done. */
  check(dir: string): Promise<void>;
}

export interface Job {
  readonly work: string;
  readonly stage: Stage;
  /** What the target is to hold at the beginning. */
  readonly held: Held;
  readonly shape: LinkShape;
  readonly rounds: number;
  /** The first is what the others are compared with. */
  readonly contenders: readonly Contender[];
}

export interface Run extends Cost {
  readonly stats: StageStats;
}

export interface JobResult {
  readonly job: Job;
  /** In the order of the contenders: a run per round. */
  readonly runs: readonly (readonly Run[])[];
}

/** @throws {Error} when a tool fails, or has not done its work. */
export async function runJob(job: Job): Promise<JobResult> {
  const runs = job.contenders.map((contender) => ({ contender, made: [] as Run[] }));
  for (let round = 0; round < job.rounds; round += 1) {
    for (const { contender, made } of runs) made.push(await runOnce(job, contender));
  }
  return { job, runs: runs.map(({ made }) => made) };
}

async function runOnce({ stage, work, held, shape }: Job, contender: Contender): Promise<Run> {
  await using dir = await tempDir();
  const { command, env } = await contender.prepare(dir.path);
  await stage.ready(held, shape);
  const { code, stdout, stderr, ...cost } = await measure(command, { env });
  if (code !== 0) {
    throw new Error(`${contender.name}, ${work}: exit code ${code}\n${stdout}\n${stderr}`);
  }
  const stats = await stage.stats();
  expectPossible(stats, contender);
  await contender.check(dir.path);
  return { ...cost, stats };
}

/** @throws {Error} when fewer requests were counted than there must have been. */
function expectPossible({ source, target }: StageStats, { name, floor }: Contender): void {
  const asked = totalOf(source.counts) + totalOf(target.counts);
  const least = totalOf(floor.source) + totalOf(floor.target);
  if (asked < least) throw new Error(`${name}: counted ${asked} requests, fewer than ${least}`);
}
