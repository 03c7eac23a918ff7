import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, describe, it } from 'node:test';

import { googleQuirks, type GoogleTags } from '../../support/google/google.ts';
import { image, index } from '../../support/images.ts';
import { startRegistry, type Registry } from '../../support/registry/registry.ts';
import { ask } from '../../support/registry/requests.ts';
import { putImage } from '../../support/registry/store.ts';

const APP = image({ seed: 'app' });
const MULTI = index([{ image: APP, platform: { os: 'linux', architecture: 'amd64' } }]);

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

async function start(): Promise<Registry> {
  const registry = await startRegistry(googleQuirks(new Map([[MULTI.root.digest, 1700]])));
  putImage(registry.store, 'project/app', '1', MULTI);
  putImage(registry.store, 'project/app', 'latest', MULTI);
  putImage(registry.store, 'project/app/debug/tools', '1', APP);
  closers.push(() => registry.close());
  return registry;
}

async function tagsOf(registry: Registry, name: string): Promise<GoogleTags> {
  return (await (await ask(registry, `/v2/${name}/tags/list?n=1`)).json()) as GoogleTags;
}

describe('Google’s list of tags', () => {
  it('tells digests, times and what is below, all at once', async () => {
    const listed = await tagsOf(await start(), 'project/app');

    deepEqual(
      [listed.name, listed.child, listed.tags],
      ['project/app', ['debug'], ['1', 'latest']],
    );
    deepEqual(listed.manifest[MULTI.root.digest], {
      layerId: '',
      mediaType: MULTI.root.mediaType,
      tag: ['1', 'latest'],
      imageSizeBytes: '0',
      timeCreatedMs: '0',
      timeUploadedMs: '1700',
    });
    const { imageSizeBytes, timeCreatedMs, tag } = listed.manifest[APP.root.digest] ?? {};
    deepEqual([timeCreatedMs, tag], [String(Date.UTC(2024, 0, 1)), []]);
    ok(Number(imageSizeBytes) > 2048);
  });

  it('leads from the roots down, through names that are no repositories', async () => {
    const registry = await start();
    const catalog = await ask(registry, '/v2/_catalog');

    deepEqual(await catalog.json(), { repositories: ['project'] });
    deepEqual(await tagsOf(registry, 'project'), {
      child: ['app'],
      manifest: {},
      name: 'project',
      tags: [],
    });
    deepEqual((await tagsOf(registry, 'project/app/debug')).child, ['tools']);
    equal((await ask(registry, '/v2/none/tags/list')).status, 404);
  });

  it('comes with mounts that are declined', async () => {
    const registry = await start();
    const query = `mount=${APP.blobs[0]?.digest}&from=project/app`;
    const answer = await ask(registry, `/v2/project/b/blobs/uploads/?${query}`, { method: 'POST' });
    equal(answer.status, 202);
  });
});

const FIXTURES = resolve('../shared/fixtures/gcr');

/** Members with their types; those of a map by digest as one. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return 'list';
  if (typeof value !== 'object' || value === null) return typeof value;
  const members = Object.entries(value).map(([name, member]): [string, unknown] => [
    name.startsWith('sha256:') ? 'digest' : name,
    shapeOf(member),
  ]);
  return Object.fromEntries(members);
}

describe('the recordings of gcr.io', { skip: !existsSync(FIXTURES) }, () => {
  const names = existsSync(FIXTURES) ? readdirSync(FIXTURES) : [];
  for (const file of names.filter((name) => name.endsWith('tags-list.json'))) {
    it(`${file} is like our answers`, async () => {
      const recorded = JSON.parse(readFileSync(join(FIXTURES, file), 'utf8')) as GoogleTags;
      const isLeaf = Object.keys(recorded.manifest).length > 0;
      const ours = await tagsOf(await start(), isLeaf ? 'project/app' : 'project');

      deepEqual(shapeOf(ours), shapeOf(recorded));
      for (const { manifest } of [ours, recorded]) {
        for (const entry of Object.values(manifest)) {
          const isIndex = /list|index/.test(entry.mediaType);
          deepEqual(
            [entry.imageSizeBytes === '0', entry.timeCreatedMs === '0', entry.layerId],
            [isIndex, isIndex, ''],
          );
          match(entry.timeUploadedMs, /^\d+$/);
        }
      }
    });
  }
});
