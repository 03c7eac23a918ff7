/** The same with docker-registry as the target: a handful of moments, as each needs one of its own. */
import { deepEqual } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';

import { startCountingProxy } from '../support/counting-proxy.ts';
import { crashAndSync, Killer } from '../support/crashed-sync.ts';
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts';
import { fleet } from '../support/fleet.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { spreadPoints } from '../support/seeded.ts';
import { committedBlobs, repeated, seedTags, tagsCsv } from '../support/synced.ts';

const TAGS = fleet(3, 4);
const POINTS = 6;
/** Of some 150 that the target gets; how many images wait for one another differs from run to run. */
const REQUESTS = 120;
const SEED = 1812;

let source: Registry;

before(async () => {
  source = await startRegistry();
  seedTags(source.store, TAGS);
});
after(() => source.close());

/** Kills a sync when the target has got so many requests, and syncs again: says what is wrong then. */
async function faultsOf(point: number): Promise<string[]> {
  const killer = new Killer(point);
  await using target = await startDockerRegistry();
  await using proxy = await startCountingProxy(target.origin, { onRequest: killer.note });
  const pair = ['--source-registry', source.host, '--target-registry', proxy.host];
  const run = { csv: tagsCsv(TAGS), args: [...pair, '--jobs', '3'], killer };
  const faults = await crashAndSync(run);
  const twice = repeated(committedBlobs(proxy.requests));
  faults.push(...twice.map((blob) => `${blob} was uploaded twice`));
  faults.push(...(await wrongDigests(target)));
  return faults.map((fault) => `request ${point}: ${fault}`);
}

/** Of the manifests as they are served. */
async function wrongDigests({ origin }: DockerRegistry): Promise<string[]> {
  const wrong: string[] = [];
  for (const { repository, tag, image } of TAGS) {
    const url = `${origin}/v2/${repository}/manifests/${tag}`;
    const response = await fetch(url, { headers: { accept: image.root.mediaType } });
    const bytes = Buffer.from(await response.arrayBuffer());
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (digest !== image.root.digest) wrong.push(`${repository}:${tag} is ${digest}`);
    const blobs = image.blobs.map(async (blob) => {
      const path = `${origin}/v2/${repository}/blobs/${blob.digest}`;
      if (!(await fetch(path, { method: 'HEAD' })).ok) wrong.push(`${path} is missing`);
    });
    await Promise.all(blobs);
  }
  return wrong;
}

describe('a sync to docker-registry that is killed', () => {
  for (const point of spreadPoints(POINTS, REQUESTS, SEED)) {
    it(`at request ${point} is made whole by the next one, which sends nothing twice`, async () => {
      deepEqual(await faultsOf(point), []);
    });
  }
});
