/**
 * Many small copies over connections that fail one time in fifty, 64 at a time: every row is right in
 * the end, and the process has given back its memory and its sockets.
 *
 * SOAK_COPIES says how many; `npm run soak` takes 20,000.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import type { FleetTag } from '../support/fleet.ts';
import { artifact, image, layer } from '../support/images.ts';
import { runHere } from '../support/in-process.ts';
import type { Fault } from '../support/registry/faults.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { lottery } from '../support/soak-faults.ts';
import type { SoakReport } from '../support/soak-main.ts';
import { seedTags, tagsCsv, wrongAt } from '../support/synced.ts';
import { tempDir } from '../support/temp-dir.ts';

const COPIES = Number(process.env['SOAK_COPIES'] ?? 2000);
const SEED = Number(process.env['SOAK_SEED'] ?? 1);
const FAULT_RATE = 0.02;
const JOBS = 64;
const TAGS_PER_REPOSITORY = 100;
const WARM_UP = 400;
/** Long enough for no idle connection to be closed while work is under way, short enough to wait for. */
const KEEP_ALIVE_MS = 4000;
/** Far enough away for all jobs to be made use of. */
const LATENCY_MS = 6;
/** Of one run. */
const TIMEOUT_MS = 300_000;
const MIB = 1024 * 1024;

const BASE = layer({ seed: 'base', layerBytes: 8000 });
const MAIN = fileURLToPath(new URL('../support/soak-main.js', import.meta.url));

/** Small artifacts, and now and then an image on a base that all share. */
function tagsOf(name: string, count: number): FleetTag[] {
  return Array.from({ length: count }, (_, n) => {
    const seed = `${name} ${n}`;
    const built =
      n % 10 === 0
        ? image({ seed, layers: [BASE, layer({ seed, layerBytes: 300 })] })
        : artifact({ artifactType: 'application/vnd.test', seed });
    const repository = `${name}/r${Math.floor(n / TAGS_PER_REPOSITORY)}`;
    return { repository, tag: `v${n}`, image: built };
  });
}

/** Syncs the warm-up and then the tags, in a process that measures itself. */
async function soak(workdir: string, source: Registry, target: Registry): Promise<SoakReport> {
  const pair = ['--source-registry', source.host, '--target-registry', target.host];
  const args = (file: string, ...words: string[]): string[] => {
    const files = ['--tags-file', join(workdir, file), '--workdir', workdir];
    return ['sync', ...pair, ...files, '--jobs', String(JOBS), '--quiet', ...words];
  };
  const lines = JSON.stringify([args('warm.csv'), args('tags.csv')]);
  // The registries have to remember a lot otherwise.
  const forgetting = setInterval(() => {
    source.resetRequests();
    target.resetRequests();
  }, 100);
  try {
    const options = { maxBuffer: MIB, timeout: TIMEOUT_MS };
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--expose-gc', MAIN, lines],
      options,
    );
    return JSON.parse(stdout) as SoakReport;
  } finally {
    clearInterval(forgetting);
  }
}

/** Says what it took, for people. */
function tell(t: TestContext, { elapsedMs, before, peak, after }: SoakReport): void {
  const mib = (bytes: number): string => (bytes / MIB).toFixed(1);
  t.diagnostic(`${COPIES} copies in ${(elapsedMs / 1000).toFixed(1)} s`);
  for (const [name, at] of Object.entries({ before, peak, after })) {
    const { heapUsed, rss, sockets, timers } = at;
    const memory = `heap ${mib(heapUsed)} MiB, rss ${mib(rss)} MiB`;
    t.diagnostic(`${name}: ${memory}, ${sockets} sockets, ${timers} timers`);
  }
}

describe(`${COPIES} copies over bad connections`, () => {
  it('are all right, and leave nothing behind', async (t) => {
    await using dir = await tempDir();
    const [tags, warm] = [tagsOf('soak', COPIES), tagsOf('warm', WARM_UP)];
    const faults = lottery(FAULT_RATE, SEED);
    const options = {
      onRequest: faults.onRequest,
      keepAliveMs: KEEP_ALIVE_MS,
      latencyMs: LATENCY_MS,
    };
    const [source, target] = [await startRegistry(options), await startRegistry(options)];
    seedTags(source.store, [...tags, ...warm]);
    await writeFile(join(dir.path, 'tags.csv'), tagsCsv(tags));
    await writeFile(join(dir.path, 'warm.csv'), tagsCsv(warm));
    try {
      const report = await soak(dir.path, source, target);
      const open = source.openConnections() + target.openConnections();

      tell(t, report);
      t.diagnostic([...faults.drawn].map(([name, times]) => `${times} × ${name}`).join(', '));
      equal(report.code, 0, report.stderr);
      match(report.stdout, new RegExp(`^${COPIES} rows: ${COPIES} copied, 0 unchanged, 0 failed;`));
      deepEqual(wrongAt(target.store, [...tags, ...warm]), []);
      const results = await readFile(join(dir.path, 'results.csv'), 'utf8');
      equal(results.match(/,copied,/g)?.length, COPIES);
      equal(faults.drawn.size, 6, 'each kind of fault has come');

      const { before, peak, after } = report;
      ok(peak.sockets > JOBS / 2 && peak.sockets <= 2 * JOBS, `${peak.sockets} sockets`);
      deepEqual([after.sockets, open, report.listeners], [0, 0, 0]);
      ok(after.timers <= before.timers, `${before.timers}, then ${after.timers} timers`);
      ok(after.heapUsed - before.heapUsed < 4 * MIB, `heap ${before.heapUsed}, ${after.heapUsed}`);
      ok(after.rss - before.rss < 128 * MIB, `rss ${before.rss}, then ${after.rss}`);
    } finally {
      await source.close();
      await target.close();
    }
  });
});

/** Two layers: what has one blob is its config, `{}`. */
const ONE = artifact({ artifactType: 'application/vnd.test', seed: 'one' });
const PAYLOAD = ONE.blobs[1]?.digest ?? '';
const ONE_TAG = [{ repository: 'one/copy', tag: '1', image: ONE }];
const CUT = { cutAfter: 20 };

/** What can go wrong once on the way of one image, and must not cost it: at the source, at the target. */
const MISHAPS: [string, readonly Fault[], readonly Fault[]][] = [
  [
    'a manifest that is cut off',
    [{ match: { method: 'GET', path: /manifests/ }, effect: CUT }],
    [],
  ],
  ['a list of tags that is cut off', [{ match: { path: /tags\/list/ }, effect: CUT }], []],
  ['a list of referrers that is cut off', [{ match: { path: /referrers/ }, effect: CUT }], []],
  [
    'a blob that is cut off',
    [{ match: { method: 'GET', path: new RegExp(PAYLOAD) }, effect: CUT }],
    [],
  ],
  [
    'a blob that is damaged',
    [{ match: { method: 'GET', path: new RegExp(PAYLOAD) }, effect: { corrupt: 'first' } }],
    [],
  ],
  [
    'a blob that is damaged when it is sent a second time',
    [
      {
        match: { method: 'GET', path: new RegExp(PAYLOAD) },
        skip: 1,
        effect: { corrupt: 'first' },
      },
    ],
    [{ match: { method: 'PUT', path: new RegExp(PAYLOAD) }, effect: { reset: true } }],
  ],
];

describe('one copy', () => {
  for (const [what, atSource, atTarget] of MISHAPS) {
    it(`survives ${what}`, async () => {
      await using dir = await tempDir();
      const [source, target] = [await startRegistry(), await startRegistry()];
      seedTags(source.store, ONE_TAG);
      await writeFile(join(dir.path, 'tags.csv'), tagsCsv(ONE_TAG));
      source.setFaults(atSource);
      target.setFaults(atTarget);
      try {
        const pair = ['--source-registry', source.host, '--target-registry', target.host];
        const { stderr } = await runHere(['sync', ...pair, '--workdir', dir.path, '--quiet']);

        equal(stderr, '');
        deepEqual(wrongAt(target.store, ONE_TAG), []);
      } finally {
        await source.close();
        await target.close();
      }
    });
  }
});

describe('one crawl', () => {
  for (const list of ['_catalog', 'tags/list', 'token']) {
    it(`survives that the answer of ${list} is cut off`, async () => {
      await using dir = await tempDir();
      const auth = { scheme: 'bearer' as const, users: { bot: { password: 'secret-word' } } };
      const source = await startRegistry({ auth });
      seedTags(source.store, ONE_TAG);
      const path = new RegExp(list);
      source.setFaults([{ match: { method: 'GET', path }, effect: CUT }]);
      try {
        const args = ['--registry', source.host, '--creds', 'bot:secret-word'];
        const { code, stderr } = await runHere(['crawl', ...args, '--workdir', dir.path]);

        equal(code, 0, stderr);
        const cut = source.requests.find((request) => path.test(request.path));
        deepEqual([cut?.status, cut?.bytesOut], [200, CUT.cutAfter]);
      } finally {
        await source.close();
      }
    });
  }
});
