import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { image } from '../../support/images.ts';
import { createStore, putImage } from '../../support/registry/store.ts';
import {
  committedBlobs,
  outcomesOf,
  repeated,
  seedTags,
  tagsCsv,
  wrongAt,
} from '../../support/synced.ts';

const WEB = image({ seed: 'web', layers: 1 });
const TAGS = [{ repository: 'acme/team/web', tag: '1', image: WEB }];

describe('what a sync must have left', () => {
  it('is nothing wrong where all is there', () => {
    const store = createStore();
    seedTags(store, TAGS);

    deepEqual(wrongAt(store, TAGS), []);
  });

  it('is named where it is missing, another, or damaged', () => {
    const [config, layer] = WEB.blobs;
    const store = createStore();
    deepEqual(wrongAt(store, TAGS).length, 4);

    putImage(store, 'acme/team/web', '1', image({ seed: 'other' }));
    putImage(store, 'acme/team/web', undefined, WEB);
    store.repositories.get('acme/team/web')?.blobs.delete(config?.digest ?? '');
    store.blobs.set(layer?.digest ?? '', Buffer.from('damaged'));

    deepEqual(wrongAt(store, TAGS), [
      `acme/team/web:1 is ${image({ seed: 'other' }).root.digest}`,
      `acme/team/web lacks ${config?.digest}`,
      `acme/team/web lacks ${layer?.digest}`,
    ]);
  });

  it('starts from a CSV', () => {
    equal(tagsCsv(TAGS).split('\r\n')[1], `acme,team/web,1,,,${WEB.root.digest}`);
  });
});

describe('uploads that were finished', () => {
  it('are those that were answered with 201', () => {
    const put = (path: string, status = 201) => ({ method: 'PUT', path, status });
    const requests = [
      put('/v2/a/b/blobs/uploads/1?_state=x&digest=sha256:1'),
      put('/v2/a/b/blobs/uploads/2?digest=sha256%3A1'),
      put('/v2/a/b/blobs/uploads/3?digest=sha256:2', 0),
      put('/v2/a/b/manifests/1'),
    ];

    deepEqual(committedBlobs(requests), ['a/b sha256:1', 'a/b sha256:1']);
    deepEqual(repeated(committedBlobs(requests)), ['a/b sha256:1']);
    deepEqual(repeated(['a', 'b']), []);
  });
});

describe('the rows of results.csv', () => {
  it('are had by their names', () => {
    const rows = ['header', 'acme,team/web,1,sha256:1,t/acme/web:1,failed,0,12,"no, no"', ''];

    deepEqual(
      [...outcomesOf(rows.join('\r\n'))],
      [['acme/team/web:1', { status: 'failed', error: '"no, no"' }]],
    );
  });
});
