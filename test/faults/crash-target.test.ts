/**
 * A target that takes no more writes from some moment on, for good: what was done stays done, what was
 * not is told with its reason, and the run ends.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { runCli, type CliResult } from '../support/cli.ts';
import { fleet, type FleetTag } from '../support/fleet.ts';
import { image } from '../support/images.ts';
import type { FaultEffect } from '../support/registry/faults.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { createStore, snapshot } from '../support/registry/store.ts';
import {
  committedBlobs,
  outcomesOf,
  repeated,
  seedTags,
  tagsCsv,
  wrongAt,
} from '../support/synced.ts';
import { tempDir } from '../support/temp-dir.ts';

const TAGS = fleet(6, 4);
/** Of some 300 writes. */
const FIRST_REFUSED = 80;

const STORE = createStore();
let source: Registry;

before(async () => {
  seedTags(STORE, TAGS);
  source = await startRegistry({ store: STORE });
});
after(() => source.close());

/** A target whose Nth write, and each one after it, has this effect. */
async function brokenTarget(effect: FaultEffect, firstRefused = FIRST_REFUSED): Promise<Registry> {
  let writes = 0;
  return startRegistry({
    onRequest({ method }) {
      if (!['POST', 'PUT', 'PATCH'].includes(method)) return undefined;
      writes += 1;
      return writes < firstRefused ? undefined : effect;
    },
  });
}

interface Run extends CliResult {
  readonly ms: number;
  /** Status and error by `repository:tag`. */
  readonly rows: ReadonlyMap<string, { readonly status: string; readonly error: string }>;
}

async function syncTo(target: Registry, tags: readonly FleetTag[], words: string[]): Promise<Run> {
  await using dir = await tempDir();
  await writeFile(join(dir.path, 'tags.csv'), tagsCsv(tags));
  const pair = ['--source-registry', source.host, '--target-registry', target.host];
  const start = performance.now();
  const result = await runCli(['sync', ...pair, '--workdir', dir.path, '--quiet', ...words]);
  const ms = performance.now() - start;
  const rows = outcomesOf(await readFile(join(dir.path, 'results.csv'), 'utf8'));
  return { ...result, ms, rows };
}

/** What is said of a write that met it. */
const REFUSALS: [string, FaultEffect, RegExp][] = [
  ['403', { status: 403 }, /access is denied \(403\)/],
  ['405', { status: 405 }, /refused \(405\)/],
  ['503', { status: 503 }, /the registry fails, even after waiting \(503\)/],
  ['broken connections', { reset: true }, /connection (?:reset|closed by the other side)/],
];

describe('a target that takes no more writes', () => {
  for (const [what, effect, said] of REFUSALS) {
    it(`but answers with ${what}: what was done stays, the rest is told`, async () => {
      const target = await brokenTarget(effect);
      try {
        const words = ['--jobs', '4', '--retry-times', '1'];
        const { code, stdout, rows, ms } = await syncTo(target, TAGS, words);

        equal(code, 3);
        ok(ms < 30_000, `${ms} ms`);
        const copied = [...rows].filter(([, { status }]) => status === 'copied');
        const failed = [...rows].filter(([, { status }]) => status === 'failed');
        ok(copied.length >= 2 && failed.length >= 2, stdout);
        equal(copied.length + failed.length, TAGS.length);
        const done = TAGS.filter(({ repository, tag }) =>
          copied.some(([name]) => name === `${repository}:${tag}`),
        );
        deepEqual(wrongAt(target.store, done), []);
        deepEqual(Object.keys(snapshot(target.store)), copied.map(([name]) => name).toSorted());
        for (const [, { error }] of failed) match(error, said);
        for (const [name, { error }] of failed) {
          match(error, new RegExp(`target:? ${target.host}/${name}`));
        }
      } finally {
        await target.close();
      }
    });
  }

  it('is made whole by the next sync once it takes them again', async () => {
    let isBroken = true;
    let writes = 0;
    const target = await startRegistry({
      onRequest({ method }) {
        if (method === 'GET' || method === 'HEAD') return undefined;
        writes += 1;
        return isBroken && writes > FIRST_REFUSED ? { status: 403 } : undefined;
      },
    });
    try {
      equal((await syncTo(target, TAGS, ['--jobs', '4'])).code, 3);
      isBroken = false;

      equal((await syncTo(target, TAGS, [])).code, 0);

      deepEqual(wrongAt(target.store, TAGS), []);
      deepEqual(repeated(committedBlobs(target.requests)), []);
    } finally {
      await target.close();
    }
  });
});

describe('a target that is down for good', () => {
  it('costs images that share all their layers the time of one, not of each in turn', async () => {
    const shared = image({ seed: 'shared' });
    const tags = Array.from({ length: 12 }, (_, n) => ({
      repository: 'acme/shared',
      tag: `v${n}`,
      image: shared,
    }));
    seedTags(STORE, tags);
    const target = await brokenTarget({ status: 503 }, 1);
    try {
      const { code, rows, ms } = await syncTo(target, tags, ['--jobs', '12', '--retry-times', '2']);

      equal(code, 3);
      equal(rows.size, 12);
      // One waits for 0.25 to 0.5 s and then for 0.5 to 1 s.
      ok(ms < 6000, `${ms} ms`);
    } finally {
      await target.close();
    }
  });
});
