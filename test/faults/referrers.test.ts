/** Registries whose answer to a request for referrers is a web page: they keep none. */
import { equal } from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { FaultEffect } from '../support/registry/faults.ts';
import { repositoryOf } from '../support/registry/store.ts';
import { APP, startScene } from './scene.ts';

const PAGES: Readonly<Record<string, FaultEffect>> = {
  HTML: { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' },
  'redirect to itself': { redirect: '' },
  'redirect to another origin': { redirect: 'http://127.0.0.1:1/' },
};

describe('a source that lists no referrers', () => {
  for (const [name, effect] of Object.entries(PAGES)) {
    it(`is copied from without them, and not asked in circles: ${name}`, async () => {
      await using scene = await startScene();
      const match = { path: /referrers/ };
      scene.source.setFaults([{ match, times: Infinity, effect }]);

      const outcomes = Object.values(await scene.sync());

      equal(outcomes.filter(({ result }) => result === 'copied').length, 2);
      scene.expectWhole(['acme/lib']);
      const [from, to] = [scene.source, scene.target].map(({ store }) => repositoryOf(store, APP));
      equal(to?.tags.get('1'), from?.tags.get('1'));
      equal(scene.source.requests.filter(({ path }) => match.path.test(path)).length, 2);
      equal(scene.net.sent.filter(({ url }) => url.port === '1').length, 0);
    });
  }
});
