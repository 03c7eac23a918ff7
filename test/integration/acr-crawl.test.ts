/**
 * A crawl of a large registry of Azure's: how many requests it takes, whatever the registry does, and
 * whether everything is right in the end.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { startAcr, type Acr, type AcrOptions } from '../support/acr/acr.ts';
import { image } from '../support/images.ts';
import { runHere } from '../support/in-process.ts';
import { createStore, putImage, type Store } from '../support/registry/store.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const REPOSITORIES = 300;
const TAGS = 200;
const PASSWORD = 'correct horse';
const IMAGES = Array.from({ length: 20 }, (_, n) => image({ seed: `image ${n}` }));

/** 60,000 tags on 20 images: what counts here are the lists. */
function seed(): Store {
  const store = createStore();
  for (let r = 0; r < REPOSITORIES; r += 1) {
    for (const one of IMAGES) putImage(store, nameOf(r), undefined, one);
    const { tags } = store.repositories.get(nameOf(r)) ?? { tags: new Map<string, string>() };
    for (let t = 0; t < TAGS; t += 1) tags.set(tagOf(t), digestAt(r, t));
  }
  return store;
}

const nameOf = (r: number): string => `team-${r % 7}/app-${String(r).padStart(3, '0')}`;
const tagOf = (t: number): string => `v1.${String(t).padStart(3, '0')}`;
const digestAt = (r: number, t: number): string =>
  IMAGES[(r * 31 + t) % IMAGES.length]?.root.digest ?? '';

const store = seed();
let dir: TempDir;
before(async () => {
  dir = await tempDir();
});
after(() => dir[Symbol.asyncDispose]());

interface Crawled {
  readonly acr: Acr;
  /** Requests by kind. */
  readonly table: Readonly<Record<string, number>>;
  readonly rows: readonly (readonly string[])[];
}

async function crawlOf(options: AcrOptions, args: readonly string[] = []): Promise<Crawled> {
  const acr = await startAcr({ store, users: { bot: { password: PASSWORD } }, ...options });
  try {
    const { code, stderr } = await runHere(
      ['crawl', '--registry', acr.host, '--registry-kind', 'acr', '--workdir', dir.path, ...args],
      { SOURCE_USERNAME: 'bot', SOURCE_PASSWORD: PASSWORD },
    );
    equal(code, 0, stderr.slice(0, 2000));
    const csv = await readFile(join(dir.path, 'tags.csv'), 'utf8');
    const rows = csv.split('\r\n').slice(1, -1);
    return { acr, table: tableOf(acr), rows: rows.map((row) => row.split(',')) };
  } finally {
    await acr.close();
  }
}

function tableOf({ requests }: Acr): Record<string, number> {
  const table: Record<string, number> = {};
  for (const { method, path, status } of requests) {
    const kind = `${method} ${kindOf(path)}${status === 200 ? '' : ` ${status}`}`;
    table[kind] = (table[kind] ?? 0) + 1;
  }
  return table;
}

function kindOf(path: string): string {
  if (path.startsWith('/oauth2/')) return 'token';
  if (path === '/v2/') return 'ping';
  return /\/(_catalog|_tags|manifests)\b/.exec(path)?.[1] ?? path;
}

/** Every tag is there once, with the digest and the times that the registry has. */
function checkRows({ rows, acr }: Crawled): void {
  equal(rows.length, REPOSITORIES * TAGS);
  equal(
    new Set(rows.map(([namespace, name, tag]) => `${namespace}/${name}:${tag}`)).size,
    rows.length,
  );
  const wrong = rows.filter(([namespace = '', name = '', tag = '', ...rest]) => {
    const known = acr.metadata.tag(`${namespace}/${name}`, tag);
    const right = [known.createdTime, known.lastUpdateTime, known.digest];
    return String(rest) !== String(right) || !/\.\d{7}Z$/.test(known.createdTime);
  });
  deepEqual(wrong, []);
}

/** What the API allows: a page of the catalog, and one per repository, as pages hold 1000. */
const LEAST_BUT_PAGES = { 'GET ping 401': 1 };
const LEAST = { ...LEAST_BUT_PAGES, 'GET _catalog': 1, 'GET _tags': REPOSITORIES };

describe('a crawl of 300 repositories with 200 tags each', () => {
  it('makes no request more than the lists have pages, and two for tokens', async () => {
    const crawled = await crawlOf({});
    deepEqual(crawled.table, { ...LEAST, 'GET token': 2 });
    checkRows(crawled);
  });

  it('renews tokens that live for 5 seconds without a refusal', async () => {
    const crawled = await crawlOf({ accessTokenSeconds: 5, latencyMs: 200 });
    const { 'GET token': tokens = 0, ...rest } = crawled.table;
    deepEqual(rest, LEAST);
    ok(tokens > 2 && tokens < 10, `${tokens} tokens`);
    checkRows(crawled);
  });

  it('asks per repository where roles are per repository', async () => {
    const crawled = await crawlOf({ abac: true });
    const { 'GET _tags 401': refused = 0, 'GET token': tokens = 0, ...rest } = crawled.table;
    deepEqual(rest, LEAST);
    // Those that were under way when the first of them told that one token does not do for all.
    ok(refused >= 1 && refused <= 8, `${refused} refused`);
    equal(tokens, REPOSITORIES + 2);
    checkRows(crawled);
  });

  it('waits as long as a 429 asks for, and by its own measure when it does not say', async () => {
    const path = /_tags/;
    const tooMany = { status: 429, body: '{"errors":[{"code":"TOOMANYREQUESTS","message":""}]}' };
    const faults = [
      {
        match: { path },
        skip: 40,
        times: 3,
        effect: { ...tooMany, headers: { 'Retry-After': '1' } },
      },
      { match: { path }, skip: 120, times: 5, effect: tooMany },
      { match: { path: /oauth2/ }, times: 1, effect: tooMany },
    ];
    const crawled = await crawlOf({ faults });
    const { 'GET _tags 429': pages, 'GET token 429': token, ...rest } = crawled.table;
    deepEqual(rest, { ...LEAST, 'GET token': 2 });
    deepEqual([pages, token], [8, 1]);
    checkRows(crawled);
  });

  it('asks for smaller pages where large ones are a 502, and still has all', async () => {
    const crawled = await crawlOf({ breaksAbove: 100 });
    const { 'GET _tags': pages = 0, 'GET _tags 502': broken = 0, ...rest } = crawled.table;
    deepEqual(rest, {
      ...LEAST_BUT_PAGES,
      'GET _catalog': 5,
      'GET _catalog 502': 4,
      'GET token': 2,
    });
    // 62 tags a page are four pages; now and then it is tried whether more will do.
    ok(pages >= REPOSITORIES * 2 && pages <= REPOSITORIES * 5, `${pages} pages`);
    ok(broken < pages / 10, `${broken} broken pages`);
    checkRows(crawled);
  });
});
