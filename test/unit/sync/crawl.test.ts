import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { RegistrySyncError, type ErrorCode } from '../../../src/base/errors.ts';
import { silentLog } from '../../../src/base/log.ts';
import { digestOf, type Digest } from '../../../src/image/digest.ts';
import type { Catalog, TagInfo } from '../../../src/registry/catalog.ts';
import { crawl, type CrawlReport, type CrawlSettings } from '../../../src/sync/crawl.ts';
import { CsvFile } from '../../../src/sync/csv.ts';
import { createTagFilter } from '../../../src/sync/tag-filter.ts';
import { REPOSITORY_COLUMNS, TAG_COLUMNS } from '../../../src/sync/columns.ts';
import { tempDir } from '../../support/temp-dir.ts';

const digestFor = (text: string): Digest => digestOf(Buffer.from(text));
const SHORT = (digest: string): string => digest.slice(7, 13);

/** A repository's tags, or the error that listing them ends in (after the tags before it). */
type Contents = Record<string, readonly (string | TagInfo | Error)[]>;

/** A registry that is a table. Tags called `gone…` have no manifest, those called `broken…` fail. */
function catalogOf(contents: Contents, more: Partial<Catalog> = {}): Catalog & { asked: string[] } {
  const asked: string[] = [];
  return {
    registry: 'r.test',
    asked,
    async *repositories() {
      asked.push('catalog');
      yield* Object.keys(contents);
    },
    async *tags(repository) {
      asked.push(`tags ${repository}`);
      for (const tag of contents[repository] ?? []) {
        if (tag instanceof Error) throw tag;
        yield typeof tag === 'string' ? { name: tag } : tag;
      }
    },
    async digest(repository, tag) {
      asked.push(`digest ${repository}:${tag}`);
      // Later tags answer first: the order of the rows is not that of the answers.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
      if (tag.startsWith('broken')) throw new RegistrySyncError('UNAVAILABLE', 'is down');
      return tag.startsWith('gone') ? undefined : digestFor(tag);
    },
    ...more,
  };
}

const failure = (code: ErrorCode, message: string): Error => new RegistrySyncError(code, message);

interface Crawled {
  readonly report: CrawlReport;
  readonly repositories: string[];
  /** `repository:tag digest`, the digest cut short. */
  readonly tags: string[];
  readonly explained: string[];
  /** Of tags.csv, as they are. */
  readonly lines: string[];
}

async function crawled(catalog: Catalog, settings: Partial<CrawlSettings> = {}): Promise<Crawled> {
  await using dir = await tempDir();
  const explained: string[] = [];
  await using repositories = await CsvFile.create(join(dir.path, 'r.csv'), REPOSITORY_COLUMNS);
  await using tags = await CsvFile.create(join(dir.path, 't.csv'), TAG_COLUMNS);
  const report = await crawl({
    catalog,
    wants: () => true,
    filter: () => undefined,
    skipPrivate: false,
    jobs: 5,
    explain: (...said) => explained.push(said.filter((one) => one !== undefined).join(' ')),
    files: { repositories, tags },
    log: silentLog(),
    signal: new AbortController().signal,
    ...settings,
  });
  const lines = await Promise.all(
    [
      { file: repositories, name: 'r.csv' },
      { file: tags, name: 't.csv' },
    ].map(async ({ file, name }) => {
      await file.finish();
      await file.commit();
      return (await readFile(join(dir.path, name), 'utf8')).split('\r\n').slice(1, -1);
    }),
  );
  const [repositoryLines = [], tagLines = []] = lines;
  return {
    report,
    repositories: repositoryLines,
    tags: tagLines.map((line) => {
      const [namespace, name, tag, , , digest = ''] = line.split(',');
      return `${namespace}/${name}:${tag} ${SHORT(digest)}`;
    }),
    explained,
    lines: tagLines,
  };
}

describe('crawl', () => {
  it('writes repositories and tags in the order of the registry', async () => {
    const contents: Contents = {};
    for (let r = 0; r < 20; r += 1) {
      contents[`acme/${r % 2 ? 'team/' : ''}web-${r}`] = Array.from(
        { length: r },
        (_, t) => `v${t}`,
      );
    }

    const { report, repositories, tags } = await crawled(catalogOf(contents));

    deepEqual(
      repositories.map((line) => line.replace(',', '/')),
      Object.keys(contents),
    );
    deepEqual(
      tags,
      Object.entries(contents).flatMap(([path, names]) =>
        names.map((tag) => `${path}:${String(tag)} ${SHORT(digestFor(String(tag)))}`),
      ),
    );
    deepEqual(report, {
      repositories: 20,
      tags: 190,
      dropped: 0,
      locked: 0,
      vanished: 0,
      skipped: 0,
      unknown: 0,
      failed: 0,
      failures: [],
    });
  });

  it('takes digests and dates from the list where it has them', async () => {
    const tag = { name: '1', digest: digestFor('x'), createdOn: 'c', lastUpdatedOn: 'u' };
    const catalog = catalogOf({ 'a/b': [tag] });

    const { lines } = await crawled(catalog);

    deepEqual(lines, [`a,b,1,c,u,${digestFor('x')}`]);
    deepEqual(catalog.asked, ['catalog', 'tags a/b']);
  });

  it('writes a repository without tags, and one that is not in a namespace', async () => {
    const { report, repositories, tags } = await crawled(catalogOf({ 'a/b': [], redis: ['7'] }));

    deepEqual(repositories, ['a,b', ',redis']);
    deepEqual(tags, [`/redis:7 ${SHORT(digestFor('7'))}`]);
    equal(report.repositories, 2);
  });

  it('looks only at the repositories that are wanted', async () => {
    const catalog = catalogOf({ 'a/b': ['1'], 'c/d': ['1'] });

    const { repositories } = await crawled(catalog, { wants: (path) => path.startsWith('c') });

    deepEqual(repositories, ['c,d']);
    deepEqual(catalog.asked, ['catalog', 'tags c/d', 'digest c/d:1']);
  });

  it('asks for no catalog when it is given a list', async () => {
    const catalog = catalogOf({ 'a/b': ['1'], 'c/d': ['1'] });

    await crawled(catalog, { repositories: ['a/b'] });

    deepEqual(catalog.asked, ['tags a/b', 'digest a/b:1']);
  });
});

describe('a crawl with filters', () => {
  it('drops what the filter drops and what is gone, and explains each tag', async () => {
    const filter = createTagFilter({ tagRegex: 'v|gone' }, 0);
    const catalog = catalogOf({ 'a/b': ['v1', 'x', 'gone1', 'v2'] });

    const { report, tags, explained } = await crawled(catalog, { filter });

    deepEqual([tags.length, report.tags, report.dropped], [2, 2, 2]);
    deepEqual(explained.toSorted(), [
      'a/b gone1 is listed, but there is no manifest under it',
      'a/b v1',
      'a/b v2',
      'a/b x does not match v|gone',
    ]);
    ok(!catalog.asked.includes('digest a/b:x'));
  });

  it('keeps the newest of each repository, and asks for no digest of the others', async () => {
    const names = Array.from({ length: 50 }, (_, n) => `1.${n}.0`);
    const catalog = catalogOf({ 'a/b': names, 'c/d': ['3.0.0'] });

    const { report, tags, explained } = await crawled(catalog, { latest: 2 });

    deepEqual(
      tags.map((tag) => tag.split(' ')[0]),
      ['a/b:1.49.0', 'a/b:1.48.0', 'c/d:3.0.0'],
    );
    deepEqual([report.dropped, explained.length], [48, 51]);
    equal(catalog.asked.filter((asked) => asked.startsWith('digest')).length, 3);
    ok(explained.includes('a/b 1.0.0 is not among the newest 2'));
  });
});

describe('a crawl with failures', () => {
  it('goes on, and reports each repository once', async () => {
    const catalog = catalogOf({
      'a/down': [failure('UNAVAILABLE', 'a/down: is down')],
      'b/well': ['1'],
      'c/cut': ['1', failure('PROTOCOL', 'c/cut: pages do not advance')],
      'd/tags': ['broken1', '1', 'broken2'],
    });

    const { report, repositories, tags } = await crawled(catalog);

    deepEqual(
      report.failures.map(({ code, message }) => `${code} ${message}`),
      [
        'UNAVAILABLE a/down: is down',
        'PROTOCOL c/cut: pages do not advance',
        'UNAVAILABLE d/tags:broken1: is down',
      ],
    );
    deepEqual(repositories, ['a,down', 'b,well', 'c,cut', 'd,tags']);
    deepEqual(
      tags.map((tag) => tag.split(' ')[0]),
      ['b/well:1', 'c/cut:1', 'd/tags:1'],
    );
  });

  it('leaves out what may not be read, if told to', async () => {
    const catalog = catalogOf({
      'a/private': [failure('UNAUTHORIZED', 'denied')],
      'b/well': ['1'],
      'c/down': [failure('UNAVAILABLE', 'is down')],
    });

    const { report, repositories } = await crawled(catalog, { skipPrivate: true });

    deepEqual([report.skipped, report.repositories], [1, 2]);
    deepEqual(repositories, ['b,well', 'c,down']);
    equal(report.failures.length, 1);
  });
});

describe('a crawl that can not go on', () => {
  it('refuses to find nothing because all is private', async () => {
    const catalog = catalogOf({ 'a/private': [failure('UNAUTHORIZED', 'denied')] });

    await rejects(crawled(catalog, { skipPrivate: true }), {
      code: 'UNAUTHORIZED',
      message: /^r\.test: none of the 1 wanted repositories may be read/,
    });
  });

  it('refuses to find nothing, and says where it looked', async () => {
    await rejects(crawled(catalogOf({ 'a/b': ['1'] }), { wants: () => false }), {
      code: 'USAGE',
      message: /^no repository of the catalog of r\.test is wanted: check --namespace/,
    });
    await rejects(crawled(catalogOf({}), { repositories: ['a/b'], wants: () => false }), {
      code: 'USAGE',
      message: /^no repository of the list is wanted/,
    });
    await rejects(crawled(catalogOf({})), { code: 'USAGE' });
  });

  it('fails as a whole when the catalog does, even half-way', async () => {
    const catalog = catalogOf(
      {},
      {
        async *repositories() {
          yield 'a/b';
          throw failure('UNAUTHORIZED', 'catalog: denied');
        },
      },
    );

    await rejects(crawled(catalog), { code: 'UNAUTHORIZED', message: 'catalog: denied' });
  });

  it('ends at once when it is stopped, or when the command line is wrong', async () => {
    for (const code of ['CANCELLED', 'USAGE'] as const) {
      const catalog = catalogOf({ 'a/b': [failure(code, 'x')], 'c/d': ['1'] });

      await rejects(crawled(catalog), { code });
    }
  });

  it('lets a bug through', async () => {
    await rejects(crawled(catalogOf({ 'a/b': [new TypeError('oops')] })), TypeError);
  });
});

describe('names from the registry', () => {
  it('are looked at before they reach a URL or a file', async () => {
    const catalog = catalogOf({
      '../etc': ['1'],
      'Caps/b': ['1'],
      'a/b': ['1', 'no/tag'],
      'c/d': ['1'],
    });

    const { report, repositories, tags } = await crawled(catalog);

    deepEqual(
      report.failures.map(({ code, message }) => `${code} ${message}`),
      [
        'PROTOCOL catalog of r.test: "../etc" is no name of a repository',
        'PROTOCOL catalog of r.test: "Caps/b" is no name of a repository',
        'PROTOCOL r.test/a/b: the registry lists "no/tag", which is no tag',
      ],
    );
    deepEqual(repositories, ['a,b', 'c,d']);
    equal(tags.length, 2);
    deepEqual(
      catalog.asked.filter((asked) => /etc|Caps|no\/tag/.test(asked)),
      [],
    );
  });

  it('are shown escaped and cut', async () => {
    const { report } = await crawled(catalogOf({ 'a/b': [`\u001b[2J${'x'.repeat(1000)}`] }));

    const [error] = report.failures;
    match(error?.message ?? '', /lists "\\u001b\[2Jx{296}", which/);
  });

  it('may be illegal where they are not wanted', async () => {
    const catalog = catalogOf({ 'Caps/b': ['1'], 'a/b': ['1', 'no/tag'] });
    const filter = createTagFilter({ excludeTagRegex: 'no' }, 0);

    const { report } = await crawled(catalog, { wants: (path) => path !== 'Caps/b', filter });

    deepEqual([report.failures, report.tags], [[], 1]);
  });
});

describe('a repository that the catalog lists and the registry denies to know', () => {
  const unknown = new RegistrySyncError('NOT_FOUND', 'tags of r.test/a/b: not found', {
    details: { codes: 'NAME_UNKNOWN' },
  });

  it('has no tags: a push that was given up leaves it so', async () => {
    const { report, repositories } = await crawled(catalogOf({ 'a/b': [unknown], 'c/d': ['1'] }));

    deepEqual([report.failures, report.tags, repositories], [[], 1, ['a,b', 'c,d']]);
  });

  it('is a failure when somebody named it, and when the 404 says something else', async () => {
    const named = await crawled(catalogOf({ 'a/b': [unknown] }), { repositories: ['a/b'] });
    const proxied = await crawled(catalogOf({ 'a/b': [failure('NOT_FOUND', 'no such page')] }));

    deepEqual([named.report.failures.length, proxied.report.failures.length], [1, 1]);
  });
});

describe('a crawl of many tags', () => {
  it('reads them only as fast as it writes them', async () => {
    const digest = digestFor('x');
    let listed = 0;
    let written = 0;
    let most = 0;
    const catalog = catalogOf(
      { 'a/b': [] },
      {
        async *tags() {
          for (; listed < 20_000; listed += 1) {
            most = Math.max(most, listed - written);
            yield { name: `v${listed}`, digest };
          }
        },
      },
    );

    const { report } = await crawled(catalog, { jobs: 5, explain: () => (written += 1) });

    deepEqual([report.tags, written], [20_000, 20_000]);
    ok(most <= 6, `${most} tags were gathered`);
  });

  it('opens only a few repositories ahead', async () => {
    const contents = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`a/r${n}`, ['1']]));
    let opened = 0;
    let written = 0;
    let most = 0;
    const inner = catalogOf(contents);
    const tags: Catalog['tags'] = (repository, signal) => {
      opened += 1;
      most = Math.max(most, opened - written);
      return inner.tags(repository, signal);
    };

    await crawled({ ...inner, tags }, { jobs: 5, explain: () => (written += 1) });

    ok(most <= 15, `${most} repositories were open`);
  });
});
