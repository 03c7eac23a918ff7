import { deepEqual, equal, match } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { startAcr, type Acr, type AcrOptions } from '../../support/acr/acr.ts';
import { ask, bodyOf, outcomeOf, USERS } from '../../support/acr/requests.ts';
import { artifact, image, index } from '../../support/images.ts';
import { putImage } from '../../support/registry/store.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/;
const ARM = { os: 'linux', architecture: 'arm64' };
const MULTI = index([
  { image: image({ seed: 'amd' }), platform: { os: 'linux', architecture: 'amd64' } },
  { image: image({ seed: 'arm', platform: ARM }), platform: ARM },
]);

interface Listed {
  readonly repositories: string[] | null;
  readonly tags: { name: string; digest: string; lastUpdateTime: string }[] | null;
  readonly manifests: Record<string, unknown>[] | null;
}

const started: Acr[] = [];
after(() => Promise.all(started.map((acr) => acr.close())));

async function start(options?: AcrOptions): Promise<Acr> {
  const acr = await startAcr({ users: USERS, ...options });
  started.push(acr);
  putImage(acr.store, 'library/hello-world', 'b', MULTI);
  putImage(acr.store, 'library/hello-world', 'a', image({ seed: 'amd' }));
  putImage(acr.store, 'library/hello-world', 'c', image({ seed: 'c' }));
  putImage(acr.store, 'alpine', '3', image({ seed: 'alpine' }));
  return acr;
}

async function listed(acr: Acr, path: string): Promise<Listed & { link: string | null }> {
  const response = await ask(acr, path);
  equal(response.status, 200);
  return { ...(await bodyOf<Listed>(response)), link: response.headers.get('link') };
}

const tagsOf = ({ tags }: Listed): string[] => (tags ?? []).map(({ name }) => name);

describe('the catalog', () => {
  for (const path of ['/acr/v1/_catalog', '/v2/_catalog']) {
    it(`pages ${path} by a Link of Azure's form`, async () => {
      const acr = await start();

      const first = await listed(acr, `${path}?n=1&api-version=2021-07-01`);
      const second = await listed(acr, `${path}?last=alpine&n=1&orderby=`);

      deepEqual(first.repositories, ['alpine']);
      equal(first.link, `<${path}?last=alpine&n=1&orderby=>; rel="next"`);
      deepEqual(second.repositories, ['library/hello-world']);
      equal(second.link, null);
    });
  }

  it('is null when there is nothing, and hides what is not to be listed', async () => {
    const empty = await startAcr({ users: USERS });
    started.push(empty);
    const acr = await start();
    acr.metadata.repository('alpine').attributes.listEnabled = false;

    deepEqual((await listed(empty, '/acr/v1/_catalog')).repositories, null);
    deepEqual((await listed(acr, '/v2/_catalog')).repositories, ['library/hello-world']);
    equal((await ask(acr, '/acr/v1/alpine')).status, 200);
  });

  it('gives pages no larger than it can, or breaks at them', async () => {
    const capped = await start({ maxPageSize: 1 });
    const broken = await start({ breaksAbove: 5 });

    deepEqual((await listed(capped, '/acr/v1/_catalog?n=1000')).repositories, ['alpine']);
    equal((await ask(broken, '/acr/v1/_catalog?n=6')).status, 502);
    equal((await ask(broken, '/acr/v1/_catalog')).status, 502);
    equal((await listed(broken, '/acr/v1/_catalog?n=5')).repositories?.length, 2);
    equal(
      await outcomeOf(await ask(capped, '/acr/v1/_catalog?n=0')),
      '400 PAGINATION_NUMBER_INVALID',
    );
  });
});

describe('tags', () => {
  it('come with digest, times and locks, in lexical order', async () => {
    const acr = await start();
    acr.metadata.tag('library/hello-world', 'b').lastUpdateTime = '2025-01-02T03:04:05.1234567Z';

    const { tags, link } = await listed(acr, '/acr/v1/library%2Fhello-world/_tags');

    deepEqual(tagsOf({ tags, repositories: null, manifests: null }), ['a', 'b', 'c']);
    equal(link, null);
    const { createdTime, ...tag } = (tags?.[1] ?? {}) as Record<string, unknown>;
    match(String(createdTime), TIME);
    deepEqual(tag, {
      name: 'b',
      digest: MULTI.root.digest,
      lastUpdateTime: '2025-01-02T03:04:05.1234567Z',
      signed: false,
      changeableAttributes: {
        deleteEnabled: true,
        writeEnabled: true,
        readEnabled: true,
        listEnabled: true,
      },
    });
  });

  it('are in the order of their times when asked for, and page in it', async () => {
    const acr = await start();
    const times = { a: '2', b: '1', c: '3' };
    for (const [tag, at] of Object.entries(times)) {
      acr.metadata.tag('library/hello-world', tag).lastUpdateTime =
        `202${at}-01-01T00:00:00.0000001Z`;
    }
    const path = '/acr/v1/library/hello-world/_tags';

    const ascending = await listed(acr, `${path}?orderby=timeasc&n=2`);
    const rest = await listed(acr, `${path}?last=a&n=2&orderby=timeasc`);
    const descending = await listed(acr, `${path}?orderby=timedesc`);

    deepEqual([tagsOf(ascending), tagsOf(rest)], [['b', 'a'], ['c']]);
    match(ascending.link ?? '', /last=a&n=2&orderby=timeasc>/);
    deepEqual(tagsOf(descending), ['c', 'a', 'b']);
  });
});

describe('lists of tags', () => {
  it('can be narrowed to those of one digest; are null when there are none', async () => {
    const acr = await start();
    const path = '/acr/v1/library/hello-world/_tags';

    deepEqual(tagsOf(await listed(acr, `${path}?digest=${MULTI.root.digest}`)), ['b']);
    acr.store.repositories.get('alpine')?.tags.clear();
    equal((await listed(acr, '/acr/v1/alpine/_tags')).tags, null);
    equal((await listed(acr, '/v2/alpine/tags/list')).tags, null);
  });

  it('are listed by name in /v2, with the same Link', async () => {
    const acr = await start();
    acr.metadata.tag('library/hello-world', 'b').attributes.listEnabled = false;

    const response = await ask(acr, '/v2/library/hello-world/tags/list?n=1');

    deepEqual(await response.json(), { name: 'library/hello-world', tags: ['a'] });
    equal(
      response.headers.get('link'),
      '</v2/library/hello-world/tags/list?last=a&n=1&orderby=>; rel="next"',
    );
  });

  it('are newer once they point elsewhere', async () => {
    const acr = await start({ now: () => Date.UTC(2030, 0, 1) });
    const path = '/acr/v1/library/hello-world/_tags/a';
    interface Single {
      readonly tag: { createdTime: string; lastUpdateTime: string };
    }
    const { tag: before } = await bodyOf<Single>(await ask(acr, path));

    acr.store.repositories.get('library/hello-world')?.tags.set('a', MULTI.root.digest);
    const { tag } = await bodyOf<Single>(await ask(acr, path));

    equal(tag.createdTime, before.createdTime);
    equal(before.lastUpdateTime, before.createdTime);
    match(tag.lastUpdateTime, /^2030-01-01T00:00:00\.000\d{4}Z$/);
  });
});

describe('manifests', () => {
  it('come by digest, with sizes, platforms and tags', async () => {
    const acr = await start();

    const { manifests } = await listed(acr, '/acr/v1/library/hello-world/_manifests');

    const digests = (manifests ?? []).map(({ digest }) => String(digest));
    deepEqual(digests, digests.toSorted());
    equal(digests.length, 4);
    const arm = manifests?.find(({ architecture }) => architecture === 'arm64') ?? {};
    deepEqual([arm['os'], 'tags' in arm, 'references' in arm], ['linux', false, false]);
    const multi = manifests?.find(({ digest }) => digest === MULTI.root.digest) ?? {};
    deepEqual(multi['tags'], ['b']);
    equal('architecture' in multi, false);
    const sizes = (manifests ?? [])
      .filter(({ digest }) => MULTI.manifests.some((child) => child.digest === digest))
      .map(({ imageSize }) => Number(imageSize));
    equal(
      multi['imageSize'],
      sizes.reduce((sum, size) => sum + size, 0),
    );
  });

  it('name what an index refers to only one by one', async () => {
    const acr = await start();
    const path = `/acr/v1/library/hello-world/_manifests/${MULTI.root.digest}`;

    const { manifest } = await bodyOf<{ manifest: Record<string, unknown> }>(await ask(acr, path));

    deepEqual(manifest['references'], [
      { digest: MULTI.manifests[0]?.digest, architecture: 'amd64', os: 'linux' },
      { digest: MULTI.manifests[1]?.digest, architecture: 'arm64', os: 'linux' },
    ]);
  });

  it('of other artifacts have no size and no platform; scanned ones say so', async () => {
    const acr = await start();
    const built = artifact({ artifactType: 'application/vnd.test' });
    putImage(acr.store, 'artifacts', undefined, built);
    acr.metadata.manifest('artifacts', built.root.digest).quarantineState = 'Passed';

    const { manifests } = await listed(acr, '/acr/v1/artifacts/_manifests');

    const { imageSize, changeableAttributes, ...rest } = manifests?.[0] ?? {};
    equal(imageSize, 0);
    equal('architecture' in rest, false);
    deepEqual(Object.keys(changeableAttributes as object).slice(4), [
      'quarantineState',
      'quarantineDetails',
    ]);
  });
});

describe('a repository', () => {
  it('has counts and times, which tests may claim otherwise', async () => {
    const acr = await start({ name: 'gsoci.azurecr.io' });
    const path = '/acr/v1/library/hello-world';

    const honest = await bodyOf<Record<string, unknown>>(await ask(acr, path));
    acr.metadata.repository('library/hello-world').tagCount = 7;
    const claimed = await bodyOf<Record<string, unknown>>(await ask(acr, path));

    deepEqual(Object.keys(honest), [
      'registry',
      'imageName',
      'createdTime',
      'lastUpdateTime',
      'manifestCount',
      'tagCount',
      'changeableAttributes',
    ]);
    deepEqual(
      [honest['registry'], honest['manifestCount'], honest['tagCount'], claimed['tagCount']],
      ['gsoci.azurecr.io', 4, 3, 7],
    );
    match(String(honest['createdTime']), TIME);
  });

  const unknown: readonly [string, string, string][] = [
    ['GET', '/acr/v1/none', '404 NAME_UNKNOWN'],
    ['GET', '/acr/v1/none/_tags', '404 NAME_UNKNOWN'],
    ['GET', '/acr/v1/none/_manifests', '404 NAME_UNKNOWN'],
    ['GET', '/v2/none/tags/list', '404 NAME_UNKNOWN'],
    ['DELETE', '/acr/v1/none', '404 NAME_UNKNOWN'],
    ['GET', '/acr/v1/alpine/_tags/none', '404 TAG_UNKNOWN'],
    ['DELETE', '/acr/v1/alpine/_tags/none', '404 TAG_UNKNOWN'],
    ['GET', '/v2/alpine/manifests/none', '404 MANIFEST_UNKNOWN'],
    ['GET', `/acr/v1/alpine/_manifests/sha256:${'0'.repeat(64)}`, '404 MANIFEST_UNKNOWN'],
    ['GET', `/v2/alpine/blobs/sha256:${'0'.repeat(64)}`, '404 BLOB_UNKNOWN'],
    ['DELETE', `/v2/alpine/blobs/sha256:${'0'.repeat(64)}`, '404 BLOB_UNKNOWN'],
    ['GET', '/acr/v1/Alpine', '404'],
    ['PUT', '/acr/v1/alpine', '405 UNSUPPORTED'],
  ];
  for (const [method, path, outcome] of unknown) {
    it(`answers ${method} ${path.slice(0, 40)} with ${outcome}`, async () => {
      const acr = await start();
      equal(await outcomeOf(await ask(acr, path, { method })), outcome);
    });
  }
});
