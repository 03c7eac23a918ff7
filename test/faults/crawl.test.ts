/** Every fault at every class of requests of a crawl. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { isError, type RegistrySyncError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { distributionCatalog } from '../../src/registry/catalog.ts';
import { crawl, type CrawlReport } from '../../src/sync/crawl.ts';
import { CsvFile } from '../../src/sync/csv.ts';
import { NEVER } from '../support/client.ts';
import { image } from '../support/images.ts';
import type { FaultEffect } from '../support/registry/faults.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { createStore, putImage } from '../support/registry/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { AMISS, type Amiss, type Times } from './amiss.ts';
import type { Kind } from './kinds.ts';
import { createNet, USERS, type Net } from './net.ts';

const IMAGE = image({ layers: 0 });
const TAGS = ['1', '2', '3'];
const REPOSITORIES = ['acme/app', 'acme/lib', 'acme/web'];
const ALL_TIMES: readonly Times[] = [1, 2, Infinity];

/** What a fault of a class of requests spoils, if it is not healed. */
interface CrawlKind extends Kind {
  readonly spoils: 'all' | 'acme/app';
}

const kind = (name: string, path: RegExp, more: Partial<CrawlKind> = {}): CrawlKind => ({
  name,
  side: 'source',
  match: { path },
  spoils: 'acme/app',
  ...more,
});

const KINDS: readonly CrawlKind[] = [
  kind('ping', /^\/v2\/$/, { spoils: 'all' }),
  kind('token', /^\/token.*catalog/, { spoils: 'all', hasBody: true }),
  kind('catalog', /_catalog/, { spoils: 'all', hasBody: true }),
  kind('tags list', /acme\/app\/tags/, { hasBody: true }),
  kind('manifest HEAD', /acme\/app\/manifests/, { match: { method: 'HEAD', path: /app\/man/ } }),
];

const PAGED: Readonly<Record<string, FaultEffect>> = {
  'reset before the head': { reset: true },
  'reset within the body': { cutAfter: 10 },
  '503': { status: 503 },
};

for (const [what, path] of [
  ['catalog', /_catalog.*last=/],
  ['tags list', /acme\/app\/tags.*last=/],
] as const) {
  describe(`crawl: second page of the ${what}`, () => {
    for (const [name, effect] of Object.entries(PAGED)) {
      it(`${name}, twice: every tag is written once`, async () => {
        const store = createStore();
        for (const one of REPOSITORIES) for (const tag of TAGS) putImage(store, one, tag, IMAGE);
        const registry = await startRegistry({ store, maxPageSize: 2 });
        registry.setFaults([{ match: { path }, times: 2, effect }]);

        const { tags, report, error } = await crawlAll(createNet(), registry);

        await registry.close();
        deepEqual([error?.message, report?.failures], [undefined, []]);
        deepEqual(tags, linesOf(REPOSITORIES));
      });
    }
  });
}

interface Crawled {
  readonly report?: CrawlReport;
  readonly error?: RegistrySyncError;
  /** Lines of tags.csv, without its header. */
  readonly tags: readonly string[];
}

async function crawlAll(net: Net, registry: Registry): Promise<Crawled> {
  await using dir = await tempDir();
  const path = join(dir.path, 'tags.csv');
  await using tags = await CsvFile.create(path, ['namespace']);
  await using repositories = await CsvFile.create(join(dir.path, 'repositories.csv'), ['name']);
  try {
    const report = await crawl({
      catalog: distributionCatalog(net.client(registry.host)),
      wants: () => true,
      filter: () => undefined,
      skipPrivate: false,
      jobs: 4,
      explain: () => {},
      files: { repositories, tags },
      log: silentLog(),
      signal: NEVER,
    });
    await tags.finish();
    await tags.commit();
    const [, ...lines] = (await readFile(path, 'utf8')).trimEnd().split('\r\n');
    return { report, tags: lines };
  } catch (error) {
    if (!isError(error, 'UNAVAILABLE', 'RATE_LIMITED', 'PROTOCOL')) throw error;
    return { error, tags: [] };
  }
}

/** What tags.csv holds when these repositories could be read. */
function linesOf(repositories: readonly string[]): string[] {
  const { digest } = IMAGE.root;
  return repositories.flatMap((path) =>
    TAGS.map((tag) => `${path.replace('/', ',')},${tag},,,${digest}`),
  );
}

async function check(cell: { kind: CrawlKind; amiss: Amiss; times: Times }): Promise<void> {
  const { kind: which, amiss, times } = cell;
  const store = createStore();
  for (const path of REPOSITORIES) for (const tag of TAGS) putImage(store, path, tag, IMAGE);
  const registry = await startRegistry({ store, auth: { scheme: 'bearer', users: USERS } });
  const mirror = await startRegistry({ store });
  const net = createNet();
  try {
    const effect = amiss.effect(which, mirror.url.href);
    const faults = [{ match: which.match, times, effect }];
    if (effect === 'refused')
      net.refuse(registry.host, [{ ...faults[0]!, effect: { reset: true } }]);
    else registry.setFaults([{ match: which.match, times, effect }]);

    const crawled = await crawlAll(net, registry);

    expectCrawled(crawled, cell);
    const longest = Math.max(0, ...net.clock.slept);
    ok(longest >= (amiss.waitsMs ?? 0), `waited ${longest} ms`);
    ok(net.sent.length <= 18 + (times <= 2 ? 2 * times : 2 * 3 * 3), String(net.sent.length));
  } finally {
    await Promise.all([registry.close(), mirror.close()]);
  }
}

function expectCrawled(
  { report, error, tags }: Crawled,
  { kind: which, amiss, times }: { kind: CrawlKind; amiss: Amiss; times: Times },
): void {
  const verdict = amiss.verdict(which, times);
  const failures = error === undefined ? (report?.failures ?? []) : [error];
  deepEqual(
    failures.map(({ code }) => code),
    verdict === 'well' ? [] : [verdict],
    String(failures[0]?.message),
  );
  equal(error !== undefined, verdict !== 'well' && which.spoils === 'all');
  if (error !== undefined) return;
  const read = REPOSITORIES.filter((path) => verdict === 'well' || path !== which.spoils);
  // Those of its tags that were read before the failure are there; the program does not keep them.
  deepEqual(
    tags.filter((line) => verdict === 'well' || !line.startsWith('acme,app,')),
    linesOf(read),
  );
}

for (const which of KINDS) {
  describe(`crawl: ${which.name}`, { concurrency: 4 }, () => {
    for (const amiss of AMISS.filter(({ concerns }) => concerns(which))) {
      for (const times of amiss.times ?? ALL_TIMES) {
        const shown = times === Infinity ? 'for good' : times === 1 ? 'once' : 'twice';
        it(`${amiss.name}, ${shown}: ${amiss.verdict(which, times)}`, { timeout: 15_000 }, () =>
          check({ kind: which, amiss, times }),
        );
      }
    }
  });
}
