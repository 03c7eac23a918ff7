/**
 * A sync that is killed, at any moment, is made whole by the next one, which sends no blob again that
 * had arrived: 50 moments, spread over the run by its progress.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import pLimit from 'p-limit';

import { crashAndSync, Killer } from '../support/crashed-sync.ts';
import { fleet, type FleetTag } from '../support/fleet.ts';
import { artifact, cosignSignature, cosignTag, image, type BuiltImage } from '../support/images.ts';
import { startRegistry } from '../support/registry/registry.ts';
import { createStore, putImage } from '../support/registry/store.ts';
import { spreadPoints } from '../support/seeded.ts';
import {
  committedBlobs,
  missingOf,
  repeated,
  seedTags,
  tagsCsv,
  wrongAt,
} from '../support/synced.ts';

const POINTS = 50;
const SEED = 4711;
/** Runs at a time: more than processors, as each waits a part of its time. */
const AT_ONCE = 4;

// Above 4 MiB a blob is sent by PATCH, so that it can be cut in the middle.
const LARGE = image({ seed: 'large', layers: 1, layerBytes: 4.2 * 1024 * 1024 });
const TAGS: FleetTag[] = [
  ...fleet(2, 4),
  { repository: 'acme/large', tag: '1', image: LARGE },
  { repository: 'acme/api', tag: 'signed', image: image({ seed: 'signed' }) },
];
/** Found at the image, not in the CSV: had the tag come first, the next sync would not look for them. */
const SIGNED = TAGS.at(-1)?.image.root;
const ATTACHED: BuiltImage[] = SIGNED
  ? [
      cosignSignature(SIGNED.digest),
      artifact({ artifactType: 'application/spdx+json', subject: SIGNED, seed: 'sbom' }),
    ]
  : [];
const SOURCE = createStore();

before(() => {
  seedTags(SOURCE, TAGS);
  const [signature, sbom] = ATTACHED;
  if (SIGNED && signature) putImage(SOURCE, 'acme/api', cosignTag(SIGNED.digest), signature);
  if (sbom) putImage(SOURCE, 'acme/api', undefined, sbom);
});

/** Kills a sync at its Nth request to either side, and syncs again: says what is wrong then. */
async function faultsOf(point: number): Promise<{ faults: string[]; seen: number }> {
  const killer = new Killer(point);
  const source = await startRegistry({ store: SOURCE, onRequest: killer.note });
  const target = await startRegistry({ onRequest: killer.note });
  try {
    const pair = ['--source-registry', source.host, '--target-registry', target.host];
    const run = { csv: tagsCsv(TAGS), args: [...pair, '--jobs', '3'], killer };
    const faults = await crashAndSync(run);
    const committed = committedBlobs(target.requests);
    faults.push(...repeated(committed).map((blob) => `${blob} was uploaded twice`));
    faults.push(...wrongAt(target.store, TAGS));
    faults.push(...ATTACHED.flatMap((attached) => missingOf(target.store, 'acme/api', attached)));
    const named = faults.map((fault) => `request ${point}: ${fault}`);
    return { faults: named, seen: killer.seen };
  } finally {
    await source.close();
    await target.close();
  }
}

/** How many requests an undisturbed run makes; some less than in another, as images race. */
async function requestsOfOne(): Promise<number> {
  const { faults, seen } = await faultsOf(Infinity);
  equal(faults.length, 1, String(faults)); // that it was not killed
  return Math.floor((seen - TAGS.length) * 0.97); // the second sync looks at each tag
}

describe('a sync that is killed', () => {
  it(`at ${POINTS} requests is made whole by the next one, which sends nothing twice`, async (t) => {
    const requests = await requestsOfOne();
    ok(requests > 2 * POINTS, `${requests} requests`);
    t.diagnostic(`${requests} requests`);
    const points = spreadPoints(POINTS, requests, SEED);

    const runs = await pLimit(AT_ONCE).map(points, faultsOf);

    deepEqual(
      runs.flatMap(({ faults }) => faults),
      [],
    );
  });
});
