/** Lists with digests, what stands in for them, and what is said where there is no list at all. */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { RegistrySyncError, type ErrorCode } from '../../../src/base/errors.ts';
import { digestOf } from '../../../src/image/digest.ts';
import {
  bulkCatalog,
  distributionCatalog,
  refusedCatalog,
  type Catalog,
  type TagPage,
} from '../../../src/registry/catalog.ts';
import { NEVER } from '../../support/client.ts';
import { collect } from '../../support/collect.ts';
import { json, knownClient } from '../../support/known-client.ts';

const D = digestOf(Buffer.from('d'));
const failure = (code: ErrorCode): RegistrySyncError => new RegistrySyncError(code, 'no');

const PLAIN: Catalog = {
  registry: 'r.test',
  async *repositories() {
    yield 'a';
  },
  async *tags() {
    yield { name: 'plain' };
  },
  digest: async () => D,
};

/** A catalog whose list has these pages, or fails. */
function bulk(...pages: (TagPage | Error)[]): Catalog {
  return bulkCatalog(PLAIN, async function* () {
    for (const page of pages) {
      if (page instanceof Error) throw page;
      yield page;
    }
  });
}

const names = async (catalog: Catalog): Promise<string[]> =>
  (await collect(catalog.tags('a', NEVER))).map(({ name }) => name);

describe('a catalog with digests', () => {
  it('tells the tags of all pages, and is else as the plain one', async () => {
    const catalog = bulk(
      { tags: [{ name: '1', digest: D }] },
      { tags: [] },
      { tags: [{ name: '2' }] },
    );

    deepEqual(await collect(catalog.tags('a', NEVER)), [{ name: '1', digest: D }, { name: '2' }]);
    deepEqual(await collect(catalog.repositories(NEVER)), ['a']);
    equal(await catalog.digest('a', '1', NEVER), D);
  });

  for (const code of ['NOT_FOUND', 'REJECTED'] as const) {
    it(`falls back to the plain list before the first page: ${code}`, async () => {
      deepEqual(await names(bulk(failure(code))), ['plain']);
    });

    it(`does not fall back after a page, be it empty: ${code}`, async () => {
      await rejects(names(bulk({ tags: [{ name: '1' }] }, failure(code))), { code });
      await rejects(names(bulk({ tags: [] }, failure(code))), { code });
    });
  }

  for (const code of [
    'UNAUTHORIZED', // the plain list wants no less
    'UNAVAILABLE',
    'RATE_LIMITED',
    'PROTOCOL',
    'CANCELLED',
    'USAGE',
  ] as const) {
    it(`does not fall back: ${code}`, async () => {
      await rejects(names(bulk(failure(code))), { code });
    });
  }

  it('does not fall back from a mistake of ours', async () => {
    await rejects(names(bulk(new TypeError('a bug'))), TypeError);
  });
});

describe('a catalog that is refused', () => {
  for (const code of ['UNAUTHORIZED', 'NOT_FOUND', 'REJECTED'] as const) {
    it(`says what can be done instead: ${code}`, () => {
      const error = refusedCatalog(new RegistrySyncError(code, 'no', { details: { status: 4 } }));

      deepEqual(error instanceof RegistrySyncError && [error.code, error.details, error.message], [
        code,
        { status: 4 },
        'no. Many registries let nobody, or only administrators, list all repositories: name them with --repositories-from FILE or --repository NAME, or use other credentials',
      ]);
    });
  }

  it('for another reason is as it was', () => {
    const noIdentity = failure('UNAUTHORIZED'); // not of the registry: it has no status
    for (const error of [noIdentity, failure('UNAVAILABLE'), new TypeError('a bug')]) {
      equal(refusedCatalog(error), error);
    }
  });

  for (const [registry, title] of [
    ['ghcr.io', 'GitHub'],
    ['registry.gitlab.com', 'GitLab'],
    ['public.ecr.aws', 'Amazon ECR'],
  ] as const) {
    it(`is not asked for where there is none: ${registry}`, async () => {
      const { client, requests } = await knownClient(registry, () => json({ repositories: [] }));

      await rejects(collect(distributionCatalog(client).repositories(NEVER)), {
        code: 'UNSUPPORTED',
        message: `${registry}: ${title} has no list of its repositories for other programs. Name them with --repositories-from FILE or --repository NAME`,
      });
      deepEqual(requests, []);
    });
  }
});
