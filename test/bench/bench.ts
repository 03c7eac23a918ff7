/**
 * `npm run bench`: the same work by us and by skopeo, in alternation, between two docker-registries on
 * this machine. Prints seconds, and how many times as long skopeo takes; medians of the rounds.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { runCli } from '../support/cli.ts';
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts';
import { fleet } from '../support/fleet.ts';
import { push } from '../support/push.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir } from '../support/temp-dir.ts';

const ROUNDS = 3;
// skopeo keeps the last part of a name only: of two that end alike one is left out.
const TAGS = fleet(20, 10).filter(({ repository }) => repository !== 'acme/team-a/web');

interface Times {
  readonly cold: number;
  readonly unchanged: number;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

async function ofOurs(source: DockerRegistry, workdir: string): Promise<Times> {
  await using target = await startDockerRegistry();
  const pair = ['--source-registry', source.host, '--target-registry', target.host];
  const sync = async (): Promise<void> => {
    const { code, stderr } = await runCli(['sync', ...pair, '--workdir', workdir, '--quiet']);
    if (code !== 0) throw new Error(stderr);
  };
  return { cold: await seconds(sync), unchanged: await seconds(sync) };
}

async function ofSkopeo(yaml: string): Promise<Times> {
  await using target = await startDockerRegistry();
  const from = ['sync', '--all', '--src', 'yaml', '--dest', 'docker', '--dest-tls-verify=false'];
  const sync = (): Promise<string> => skopeo([...from, yaml, `${target.host}/acme`]);
  return { cold: await seconds(sync), unchanged: await seconds(sync) };
}

/** What `skopeo sync --src yaml` reads. */
function yamlOf({ host }: DockerRegistry): string {
  const repositories = new Map<string, string[]>();
  for (const { repository, tag } of TAGS) {
    repositories.set(repository, [...(repositories.get(repository) ?? []), tag]);
  }
  const images = [...repositories].map(([name, tags]) => `    ${name}: [${tags.join(', ')}]\n`);
  return `"${host}":\n  tls-verify: false\n  images:\n${images.join('')}`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

await using source = await startDockerRegistry();
await using home = await tempDir();
for (const { repository, tag, image } of TAGS) await push(source.origin, repository, tag, image);
await runCli(['crawl', '--registry', source.host, '--workdir', home.path]);
const yaml = join(home.path, 'sync.yaml');
await writeFile(yaml, yamlOf(source));

const rounds: { ours: Times; skopeo: Times }[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  rounds.push({ ours: await ofOurs(source, home.path), skopeo: await ofSkopeo(yaml) });
}
process.stdout.write(`${TAGS.length} tags, ${ROUNDS} rounds, medians\n`);
process.stdout.write(
  '| work | registry-sync, s | skopeo, s | skopeo takes |\n| --- | --- | --- | --- |\n',
);
for (const work of ['cold', 'unchanged'] as const) {
  const ours = median(rounds.map((round) => round.ours[work]));
  const theirs = median(rounds.map((round) => round.skopeo[work]));
  const ratio = median(rounds.map((round) => round.skopeo[work] / round.ours[work]));
  const cells = [work, ours.toFixed(2), theirs.toFixed(2), `${ratio.toFixed(1)} × as long`];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
}
