/**
 * `npm run demo`: the main job in one process and a few seconds. Two registries, images made on the
 * spot, crawl, the CSV files, sync, sync again with nothing to do, one tag changed and synced, and
 * the digests of both sides compared. Leaves nothing behind.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { run } from '../../src/cli/run.ts';
import { fleet } from '../support/fleet.ts';
import { image } from '../support/images.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { putImage, snapshot } from '../support/registry/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const { stdout, stderr } = process;

function say(text: string): void {
  stdout.write(`\n── ${text}\n`);
}

/** Runs a command line as `registry-sync …` would, and shows it. */
async function registrySync(...argv: string[]): Promise<void> {
  stdout.write(`$ registry-sync ${argv.join(' ')}\n`);
  const { signal } = new AbortController();
  const shutdown = { stopping: signal, signal, graceMs: 0 };
  const code = await run(argv, { env: {}, stdout, stderr, shutdown }, 'demo');
  if (code !== 0) throw new Error(`exit code ${code}`);
}

async function show(workdir: string, name: string): Promise<void> {
  const lines = (await readFile(join(workdir, name), 'utf8')).trimEnd().split('\r\n');
  const shown = lines.slice(0, 6).map((line) => `  ${line}`);
  const more = lines.length > shown.length ? [`  … ${lines.length - shown.length} more`] : [];
  stdout.write(`${name}\n${[...shown, ...more].join('\n')}\n`);
}

function requestsOf(registry: Registry): string {
  const heads = registry.requests.filter(({ method }) => method === 'HEAD').length;
  return `${registry.requests.length} requests, ${heads} of them HEAD`;
}

async function demo(source: Registry, target: Registry, workdir: string): Promise<void> {
  const pair = ['--source-registry', source.host, '--target-registry', target.host];
  const sync = ['sync', ...pair, '--workdir', workdir, '--quiet'];

  say('A registry with nested names, shared layers, multi-platform images and attestations');
  for (const { repository, tag, image: built } of fleet(5, 4)) {
    putImage(source.store, repository, tag, built);
  }
  stdout.write(`source ${source.host} has ${Object.keys(snapshot(source.store)).length} tags\n`);
  stdout.write(`target ${target.host} is empty\n`);

  say('crawl: what is there, into CSV files');
  await registrySync('crawl', '--registry', source.host, '--workdir', workdir, '--quiet');
  await show(workdir, 'repositories.csv');
  await show(workdir, 'tags.csv');

  say('sync: copies it');
  await registrySync(...sync);
  await show(workdir, 'results.csv');

  say('sync again: nothing to do, one HEAD per tag, the source is not even asked');
  source.resetRequests();
  target.resetRequests();
  await registrySync(...sync);
  stdout.write(`source: ${requestsOf(source)}\ntarget: ${requestsOf(target)}\n`);

  say('one tag changes: crawl and sync bring just that');
  putImage(source.store, 'acme/web', 'latest', image({ seed: 'changed' }));
  await registrySync('crawl', '--registry', source.host, '--workdir', workdir, '--quiet');
  await registrySync(...sync);

  say('the digests of both sides');
  const [there, here] = [snapshot(source.store), snapshot(target.store)];
  const same = Object.entries(there).filter(([name, digest]) => here[name] === digest);
  for (const [name, digest] of same.slice(0, 4)) stdout.write(`  ${name}  ${digest}\n`);
  stdout.write(`${same.length} of ${Object.keys(there).length} tags are equal\n`);
  if (same.length !== Object.keys(there).length) throw new Error('the registries differ');
}

const source = await startRegistry({ referrersApi: false });
const target = await startRegistry({ referrersApi: false });
try {
  await using workdir = await tempDir();
  await demo(source, target, workdir.path);
} finally {
  await Promise.all([source.close(), target.close()]);
}
// Kept connections would hold the process for some seconds.
process.exit();
