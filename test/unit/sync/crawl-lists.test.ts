/** What the lists of some registries say beyond names: locks, counts, and which namespace they are of. */
import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { RegistrySyncError, type ErrorCode } from '../../../src/base/errors.ts';
import { silentLog } from '../../../src/base/log.ts';
import { digestOf } from '../../../src/image/digest.ts';
import type { Catalog, TagInfo } from '../../../src/registry/catalog.ts';
import { crawl, type CrawlReport, type CrawlSettings } from '../../../src/sync/crawl.ts';
import { CsvFile } from '../../../src/sync/csv.ts';
import { REPOSITORY_COLUMNS, TAG_COLUMNS } from '../../../src/sync/columns.ts';
import { NEVER } from '../../support/client.ts';
import { tempDir } from '../../support/temp-dir.ts';

const D = digestOf(Buffer.from('d'));
const tag = (name: string, more: object = {}): TagInfo => ({ name, digest: D, ...more });
const LOCKED = tag('locked', { locked: 'its readEnabled is false' });

interface Given {
  readonly tags?: readonly (TagInfo | Error)[];
  readonly more?: Partial<Catalog>;
  readonly settings?: Partial<CrawlSettings>;
}

interface Crawled {
  readonly report: CrawlReport;
  readonly failures: string[];
  readonly tags: string[];
  readonly explained: string[];
  /** What the catalog was asked for. */
  readonly asked: string[];
}

/** Crawls a registry with the repository a/b. */
async function crawled({ tags = [], more, settings }: Given): Promise<Crawled> {
  const asked: string[] = [];
  const catalog: Catalog = {
    registry: 'r.test',
    async *repositories(_, namespace) {
      asked.push(`catalog ${namespace}`);
      yield 'a/b';
    },
    async *tags() {
      for (const one of tags) {
        if (one instanceof Error) throw one;
        yield one;
      }
    },
    digest: async (_, name) => {
      asked.push(`digest ${name}`);
      return D;
    },
    ...more,
  };
  const explained: string[] = [];
  await using dir = await tempDir();
  const path = join(dir.path, 't.csv');
  await using repositoriesFile = await CsvFile.create(join(dir.path, 'r.csv'), REPOSITORY_COLUMNS);
  await using tagsFile = await CsvFile.create(path, TAG_COLUMNS);
  const report = await crawl({
    catalog,
    wants: () => true,
    filter: () => undefined,
    skipPrivate: false,
    jobs: 5,
    explain: (...said) => explained.push(said.filter((one) => one !== undefined).join(' ')),
    files: { repositories: repositoriesFile, tags: tagsFile },
    log: silentLog(),
    signal: NEVER,
    ...settings,
  });
  await tagsFile.finish();
  await tagsFile.commit();
  const lines = (await readFile(path, 'utf8')).split('\r\n').slice(1, -1);
  return {
    report,
    failures: report.failures.map(({ code, message }) => `${code} ${message}`),
    tags: lines.map((line) => line.split(',')[2] ?? ''),
    explained,
    asked,
  };
}

describe('a tag that is locked', () => {
  it('is a failure of its repository, and the other tags are written', async () => {
    const { failures, tags, asked } = await crawled({ tags: [tag('1'), LOCKED, tag('2')] });

    deepEqual(failures, [
      "UNAUTHORIZED r.test/a/b:locked can't be pulled, as its readEnabled is false: unlock it, or leave such images out with --skip-private",
    ]);
    deepEqual([tags, asked], [['1', '2'], ['catalog undefined']]);
  });

  it('is left out and explained where what is private is skipped', async () => {
    const { report, tags, explained } = await crawled({
      tags: [tag('1'), LOCKED],
      settings: { skipPrivate: true },
    });

    deepEqual([tags, report.failures, report.dropped, report.skipped], [['1'], [], 1, 0]);
    equal(report.locked, 1);
    deepEqual(explained.toSorted(), [
      'a/b 1',
      "a/b locked can't be pulled: its readEnabled is false",
    ]);
  });

  it('is no failure where it is not wanted', async () => {
    const filter = ({ name }: TagInfo): string | undefined =>
      name === 'locked' ? 'no' : undefined;

    deepEqual((await crawled({ tags: [tag('1'), LOCKED], settings: { filter } })).failures, []);
  });

  it('does not take the place of one of the newest', async () => {
    const newest = { lastUpdatedOn: '2024-01-02T00:00:00Z' };
    const older = { lastUpdatedOn: '2024-01-01T00:00:00Z' };

    const { tags } = await crawled({
      tags: [{ ...LOCKED, ...newest }, tag('1', older)],
      settings: { latest: 1, skipPrivate: true },
    });

    deepEqual(tags, ['1']);
  });
});

describe('a repository that is locked', () => {
  const locked = new RegistrySyncError('REJECTED', 'is locked', {
    details: { status: 405, codes: 'REGISTRY_DISALLOWED_OPERATION' },
  });

  it('is skipped where what is private is', async () => {
    await rejects(crawled({ tags: [locked], settings: { skipPrivate: true } }), {
      code: 'UNAUTHORIZED',
      message: /none of the 1 wanted repositories may be read/,
    });
    deepEqual((await crawled({ tags: [locked] })).failures, ['REJECTED is locked']);
  });

  it('is not one that is refused for another reason', async () => {
    const other = new RegistrySyncError('REJECTED', 'no', { details: { codes: 'UNSUPPORTED' } });

    const { failures } = await crawled({ tags: [other], settings: { skipPrivate: true } });

    deepEqual(failures, ['REJECTED no']);
  });
});

describe('a crawl that verifies counts', () => {
  const counting = (count: number | ErrorCode): Given => ({
    tags: [tag('1'), tag('2')],
    more: {
      count: async () => {
        if (typeof count === 'number') return count;
        throw new RegistrySyncError(count, 'no');
      },
    },
    settings: { verifyCounts: true },
  });

  it('is content where the registry counts as many as it lists', async () => {
    const { failures, tags } = await crawled(counting(2));

    deepEqual([failures, tags], [[], ['1', '2']]);
  });

  for (const counted of [1, 3]) {
    it(`fails where the registry counts ${counted} and lists 2`, async () => {
      const { failures } = await crawled(counting(counted));

      equal(failures.length, 1);
      match(
        failures[0] ?? '',
        new RegExp(
          `^PROTOCOL r\\.test/a/b: the registry counts ${counted} tags and lists 2: crawl again, .*listEnabled is false`,
        ),
      );
    });
  }

  it('counts what is listed, not what is wanted', async () => {
    const given = counting(2);
    const filter = ({ name }: TagInfo): string | undefined => (name === '1' ? 'no' : undefined);

    const { failures } = await crawled({ ...given, settings: { ...given.settings, filter } });

    deepEqual(failures, []);
  });

  it('fails where the registry does not say its count', async () => {
    deepEqual((await crawled(counting('UNAUTHORIZED'))).failures, ['UNAUTHORIZED no']);
  });

  it('asks for no counts unless it is told to', async () => {
    const { failures } = await crawled({ ...counting(9), settings: {} });

    deepEqual(failures, []);
  });
});

describe('a crawl of a namespace', () => {
  it('asks the catalog for that alone', async () => {
    deepEqual((await crawled({ settings: { namespace: 'acme' } })).asked, ['catalog acme']);
  });

  it('asks for no catalog when it is given a list', async () => {
    const settings = { namespace: 'acme', repositories: ['a/b'] };

    deepEqual((await crawled({ settings })).asked, []);
  });
});
