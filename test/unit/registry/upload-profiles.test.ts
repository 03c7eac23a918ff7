/** How blobs are brought to registries of a known kind. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { RegistryKind } from '../../../src/registry/profile.ts';
import { Repository } from '../../../src/registry/repository.ts';
import { putInto } from '../../support/client.ts';
import { image } from '../../support/images.ts';
import { knownClient } from '../../support/known-client.ts';

/** Puts an image into two repositories; methods, and what they were for. */
async function pushed(kind: RegistryKind): Promise<string[]> {
  const { client, requests } = await knownClient(
    'r.test',
    ({ method, url }) => {
      if (url.pathname === '/v2/') return undefined;
      if (method === 'HEAD') return { status: 404 };
      if (method === 'POST') return { status: 202, headers: { location: '/v2/a/blobs/uploads/1' } };
      if (method === 'PATCH')
        return { status: 202, headers: { location: '/v2/a/blobs/uploads/2' } };
      return { status: method === 'PUT' ? 201 : 202 };
    },
    { kind },
  );
  for (const path of ['a', 'b']) {
    await putInto(new Repository(client, path).sink('1'), image());
  }
  return requests.map(({ method, url }) => {
    const what = url.searchParams.has('mount')
      ? 'mount'
      : url.pathname.includes('/manifests/')
        ? 'manifest'
        : 'blob';
    return `${method} ${what}`;
  });
}

describe('a blob', () => {
  it('that is small goes with the closing PUT', async () => {
    const requests = await pushed('generic');

    equal(requests.includes('PATCH blob'), false);
    ok(requests.includes('PUT blob'));
  });

  it('goes by PATCH, however small it is, to Artifactory', async () => {
    const requests = await pushed('artifactory');

    const count = (what: string): number => requests.filter((request) => request === what).length;
    ok(count('PATCH blob') > 0);
    equal(count('PATCH blob'), count('PUT blob'));
  });

  it('is linked from elsewhere where that is worth a try, and not at Google', async () => {
    ok((await pushed('generic')).includes('POST mount'));
    equal((await pushed('google')).includes('POST mount'), false);
  });

  it('whose upload is not needed leaves none behind, unless that wants another right as at Azure', async () => {
    deepEqual(
      [
        (await pushed('generic')).includes('DELETE blob'),
        (await pushed('acr')).includes('DELETE blob'),
      ],
      [true, false],
    );
  });
});
