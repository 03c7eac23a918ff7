/**
 * `npm run bench`: the same work by us and by others, in alternation, in seconds, requests and memory.
 * Writes markdown tables to stdout, and what it is at to stderr.
 */
import { cpus, loadavg } from 'node:os';

import { tempDir } from '../support/temp-dir.ts';
import { createCertificates, type KeyPair } from '../support/tls.ts';
import { dockerStage } from './docker-stage.ts';
import { crawlJob, millionCrawl, millionSync, syncJob, type JobOptions } from './jobs.ts';
import { totalsOf, type Model } from './model.ts';
import { planOf, USAGE } from './options.ts';
import { availableOf } from './peers.ts';
import type { Part, Work } from './plan.ts';
import { modelNamed } from './profiles.ts';
import { runJob, type Job, type JobResult } from './runs.ts';
import { memoryStage, type Stage } from './stage.ts';
import { startupTable } from './startup.ts';
import { classTable, costTable } from './table.ts';

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function runPart(part: Part): Promise<void> {
  if (part.works.includes('start')) {
    print(`### Start-up, medians of ${part.rounds}\n`);
    print(await startupTable(part.rounds));
  }
  if (part.profile === '') return;
  const { profile, server, isTls, rounds } = part;
  const model = profile === 'million' ? undefined : modelNamed(profile);
  print(`### ${profile}, ${server}${isTls ? ', TLS' : ''}, medians of ${rounds}\n`);
  if (model !== undefined) print(`${describe(model)}\n`);
  await using certificates = await tempDir();
  const tls = isTls ? await keyPairIn(certificates.path) : undefined;
  await using stage = await stageOf(part, model, tls);
  const results: JobResult[] = [];
  for (const job of jobsOf(part, stage, model)) {
    const started = performance.now();
    results.push(await runJob(job));
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    process.stderr.write(`${profile}, ${job.work}, ${job.shape.rttMs} ms: ${seconds} s\n`);
  }
  print(costTable(results));
  if (part.slices !== undefined)
    print('Where a tool did fewer tags, its multiples are those of a tag.\n');
  print(classTable(results));
}

/** Where it ran: wall times of a machine that has other work to do are worth little. */
function machine(): string {
  const [load = 0] = loadavg();
  const { length: cores } = cpus();
  return `Node ${process.versions.node}, ${cores} cores, load ${load.toFixed(1)} before the start\n`;
}

function describe(model: Model): string {
  const { repositories, tags, manifests, blobs, bytes } = totalsOf(model);
  const size = (bytes / 1e6).toFixed(0);
  return `${repositories} repositories, ${tags} tags, ${manifests} manifests, ${blobs} blobs, ${size} MB`;
}

async function keyPairIn(dir: string): Promise<KeyPair> {
  const { serverCert, serverKey } = await createCertificates(dir);
  return { cert: serverCert, key: serverKey };
}

async function stageOf(
  { server, profile }: Part,
  model: Model | undefined,
  tls: KeyPair | undefined,
): Promise<Stage> {
  if (server === 'memory') return memoryStage(profile, tls);
  if (model === undefined || tls !== undefined) throw new Error('only --server memory can do that');
  return dockerStage(model);
}

function jobsOf(part: Part, stage: Stage, model: Model | undefined): Job[] {
  const { shapes, rounds, slices } = part;
  const peers = availableOf(part.peers);
  const jobOf = (work: Work, options: JobOptions): Job[] => {
    if (work === 'start') return [];
    if (model === undefined)
      return [work === 'crawl' ? millionCrawl(options) : millionSync(options)];
    if (work === 'crawl') return [crawlJob({ ...options, model })];
    return [syncJob(work, { ...options, model, peers, ...(slices && { slices }) })];
  };
  return shapes.flatMap((shape) =>
    part.works.flatMap((work) => jobOf(work, { stage, shape, rounds })),
  );
}

const args = process.argv.slice(2);
if (args.includes('--help')) print(USAGE);
else {
  const plan = planOf(args);
  print(machine());
  for (const part of plan) await runPart(part);
}
