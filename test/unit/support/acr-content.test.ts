import { deepEqual, equal, match } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { startAcr, type Acr, type AcrOptions } from '../../support/acr/acr.ts';
import {
  ask,
  locationOf,
  outcomeOf,
  pushBlob,
  putManifest,
  USERS,
} from '../../support/acr/requests.ts';
import { artifact, image } from '../../support/images.ts';
import { digestOf, putImage } from '../../support/registry/store.ts';

const BLOB = Buffer.from('0123456789');
const DIGEST = digestOf(BLOB);
const LARGE = Buffer.alloc(20 * 1024 * 1024 + 1);
const IMAGE = image();

const started: Acr[] = [];
after(() => Promise.all(started.map((acr) => acr.close())));

async function start(options?: AcrOptions): Promise<Acr> {
  const acr = await startAcr({ users: USERS, ...options });
  started.push(acr);
  return acr;
}

async function begin(acr: Acr): Promise<string> {
  return locationOf(await ask(acr, '/v2/a/blobs/uploads/', { method: 'POST' }));
}

function patch(acr: Acr, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return ask(acr, path, { method: 'PATCH', headers, body: new Uint8Array(BLOB) });
}

/** A body without a length, which goes out in chunks. */
async function patchChunked(acr: Acr, path: string, range: string): Promise<Response> {
  return await fetch(new URL(path, acr.url), {
    method: 'PATCH',
    headers: { authorization: `Basic ${btoa('root:secret')}`, 'content-range': range },
    body: new Blob([new Uint8Array(BLOB)]).stream(),
    duplex: 'half',
  } as RequestInit);
}

describe('uploads', () => {
  it('go by POST, PATCH and PUT, each with the newest state', async () => {
    const acr = await start();

    const begun = await ask(acr, '/v2/a/blobs/uploads/', { method: 'POST' });
    const sent = await patch(acr, locationOf(begun));
    const state = await ask(acr, locationOf(sent));
    const stale = await patch(acr, locationOf(begun));
    const put = await ask(acr, `${locationOf(sent)}&digest=${DIGEST}`, { method: 'PUT' });

    match(
      locationOf(begun),
      /^\/v2\/a\/blobs\/uploads\/[\da-f-]{36}\?_nouploadcache=false&_state=./,
    );
    deepEqual(
      [begun, sent, state, put].map(({ status, headers }) => [status, headers.get('range')]),
      [
        [202, '0-0'],
        [202, '0-9'],
        [204, '0-9'],
        [201, null],
      ],
    );
    equal(begun.headers.get('docker-upload-uuid')?.length, 36);
    equal(await outcomeOf(stale), '404 BLOB_UPLOAD_UNKNOWN');
    equal(put.headers.get('docker-content-digest'), DIGEST);
    equal(locationOf(put), `/v2/a/blobs/${DIGEST}`);
    equal(acr.pendingUploads(), 0);
  });

  it('take a whole small blob in one PUT or POST', async () => {
    const acr = await start();
    const body = new Uint8Array(BLOB);

    const put = await ask(acr, `${await begin(acr)}&digest=${DIGEST}`, { method: 'PUT', body });
    const post = await ask(acr, `/v2/b/blobs/uploads/?digest=${DIGEST}`, { method: 'POST', body });

    deepEqual([put.status, post.status], [201, 201]);
    equal((await ask(acr, `/v2/b/blobs/${DIGEST}`, { method: 'HEAD' })).status, 200);
  });

  it('refuse more than 20 MiB at once, but not by PATCH', async () => {
    const acr = await start();
    const body = new Uint8Array(LARGE);
    const digest = digestOf(LARGE);

    const put = await ask(acr, `${await begin(acr)}&digest=${digest}`, { method: 'PUT', body });

    equal(put.status, 413);
    match(put.headers.get('content-type') ?? '', /^text\/plain/);
    match(await put.text(), /413 Request Entity Too Large/);
    equal((await pushBlob(acr, 'a', LARGE)).status, 201);
  });

  it('take ranges only whole and at their place', async () => {
    const acr = await start();
    const outcome = async (range: string): Promise<string> =>
      outcomeOf(await patch(acr, await begin(acr), { 'content-range': range }));

    equal(await outcome('0-9'), '202');
    equal(await outcome('0-8'), '416 BLOB_UPLOAD_RANGE_INVALID');
    equal(await outcome('5-14'), '416 BLOB_UPLOAD_RANGE_INVALID');
    equal(await outcome('bytes 0-9/*'), '416 BLOB_UPLOAD_RANGE_INVALID');
    const chunked = await patchChunked(acr, await begin(acr), '0-9');
    equal(await outcomeOf(chunked), '400 CONTENT_LENGTH_INVALID');
  });
});

describe('the end of an upload', () => {
  it('refuses a wrong digest, unless it trusts', async () => {
    const wrong = `sha256:${'0'.repeat(64)}`;
    const outcome = async (acr: Acr): Promise<string> => {
      const sent = await patch(acr, await begin(acr));
      const put = `${locationOf(sent)}&digest=${wrong}`;
      return outcomeOf(await ask(acr, put, { method: 'PUT' }));
    };

    equal(await outcome(await start()), '400 DIGEST_INVALID');
    equal(await outcome(await start({ trusting: true })), '201');
  });

  it('comes by DELETE too', async () => {
    const acr = await start();
    const location = await begin(acr);

    equal((await ask(acr, location, { method: 'DELETE' })).status, 204);
    equal(await outcomeOf(await ask(acr, location)), '404 BLOB_UPLOAD_UNKNOWN');
  });

  it('is spared by a mount, unless that is declined', async () => {
    const mount = `/v2/b/blobs/uploads/?mount=${DIGEST}&from=a`;
    const status = async (acr: Acr): Promise<number> => {
      await pushBlob(acr, 'a', BLOB);
      return (await ask(acr, mount, { method: 'POST' })).status;
    };
    equal(await status(await start()), 201);
    equal(await status(await start({ mount: 'declined' })), 202);
  });

  it('can leave nothing but the size', async () => {
    const acr = await start({ keepBytes: 5 });

    equal((await pushBlob(acr, 'a', BLOB)).status, 201);

    const head = await ask(acr, `/v2/a/blobs/${DIGEST}`, { method: 'HEAD' });
    equal(head.headers.get('content-length'), '10');
    equal(acr.store.blobs.size, 0);
    equal(
      (await ask(acr, `/v2/b/blobs/uploads/?mount=${DIGEST}&from=a`, { method: 'POST' })).status,
      201,
    );
  });
});

describe('blobs', () => {
  it('are redirected to another origin, which wants no credentials', async () => {
    const acr = await start();
    await pushBlob(acr, 'a', BLOB);

    const response = await ask(acr, `/v2/a/blobs/${DIGEST}`);
    const location = locationOf(response);

    equal(response.status, 307);
    match(response.headers.get('content-type') ?? '', /^text\/html/);
    equal(response.headers.get('docker-content-digest'), DIGEST);
    equal(new URL(location).origin, acr.storageUrl.origin);
    const got = await fetch(location);
    deepEqual(Buffer.from(await got.arrayBuffer()), BLOB);
    equal(got.headers.get('docker-content-digest'), null);
    const part = await fetch(location, { headers: { range: 'bytes=2-4' } });
    deepEqual(
      [part.status, part.headers.get('content-range'), await part.text()],
      [206, 'bytes 2-4/10', '234'],
    );
    equal((await fetch(location, { headers: { authorization: 'Bearer x' } })).status, 400);
    equal((await fetch(location.replace(/sig=[^&]*/, 'sig=x'))).status, 403);
  });

  it('are gone from there when the URL has expired', async () => {
    let now = Date.UTC(2024, 0, 1);
    const acr = await start({ sasSeconds: 60, now: () => now });
    await pushBlob(acr, 'a', BLOB);
    const location = locationOf(await ask(acr, `/v2/a/blobs/${DIGEST}`));

    equal((await fetch(location)).status, 200);
    now += 60_000;
    const late = await fetch(location);

    equal(late.status, 403);
    match(await late.text(), /^<\?xml.*AuthenticationFailed/);
  });

  it('are redirected to the name that is to be theirs', async () => {
    const acr = await start({ storageName: 'weu.blob.core.windows.net' });
    await pushBlob(acr, 'a', BLOB);
    match(locationOf(await ask(acr, `/v2/a/blobs/${DIGEST}`)), /^http:\/\/weu\.blob\.core\./);
  });
});

describe('manifests', () => {
  it('are given to those who take their type', async () => {
    const acr = await start();
    putImage(acr.store, 'a', '1', IMAGE);
    const path = '/v2/a/manifests/1';
    const get = (accept: string): Promise<Response> => ask(acr, path, { headers: { accept } });

    const head = await ask(acr, path, { method: 'HEAD' });

    equal(head.headers.get('etag'), `"${IMAGE.root.digest}"`);
    equal(head.headers.get('docker-content-digest'), IMAGE.root.digest);
    equal((await get(`text/plain, ${IMAGE.root.mediaType};q=0.5`)).status, 200);
    equal(await outcomeOf(await get('application/json')), '404 MANIFEST_UNKNOWN');
  });

  it('are put when their blobs are there, and then have been updated', async () => {
    const acr = await start({ now: () => Date.UTC(2030, 0, 1) });

    const early = await putManifest(acr, 'a', '1', IMAGE);
    for (const { bytes } of IMAGE.blobs) await pushBlob(acr, 'a', bytes);
    const put = await putManifest(acr, 'a', '1', IMAGE);

    equal(await outcomeOf(early), '404 MANIFEST_BLOB_UNKNOWN');
    equal(put.status, 201);
    equal(locationOf(put), `/v2/a/manifests/${IMAGE.root.digest}`);
    match(acr.metadata.tag('a', '1').lastUpdateTime, /^2030-01-01/);
    match(acr.metadata.repository('a').createdTime, /^2030-01-01/);
  });

  it('come too early for some replicas', async () => {
    const acr = await start({ geoLag: 2 });
    for (const { bytes } of IMAGE.blobs) await pushBlob(acr, 'a', bytes);

    const outcomes = [];
    for (const tag of ['1', '1', '1', '2']) {
      outcomes.push(await outcomeOf(await putManifest(acr, 'a', tag, IMAGE)));
    }

    const lagging = '404 MANIFEST_BLOB_UNKNOWN';
    deepEqual(outcomes, [lagging, lagging, '201', '201']);
  });
});

describe('manifests that are put', () => {
  it('have referrers', async () => {
    const acr = await start();
    const built = artifact({ artifactType: 'application/vnd.test', subject: IMAGE.root });
    putImage(acr.store, 'a', '1', IMAGE);
    for (const { bytes } of built.blobs) await pushBlob(acr, 'a', bytes);

    const put = await putManifest(acr, 'a', built.root.digest, built);
    const path = `/v2/a/referrers/${IMAGE.root.digest}?artifactType=application/vnd.test`;
    const referrers = await ask(acr, path);

    equal(put.headers.get('oci-subject'), IMAGE.root.digest);
    equal(referrers.headers.get('oci-filters-applied'), 'artifactType');
    const { manifests } = (await referrers.json()) as { manifests: { digest: string }[] };
    deepEqual(
      manifests.map(({ digest }) => digest),
      [built.root.digest],
    );
  });

  it('of the wrong digest, or too large, are refused', async () => {
    const acr = await start();
    for (const { bytes } of IMAGE.blobs) await pushBlob(acr, 'a', bytes);
    const wrong = await putManifest(acr, 'a', `sha256:${'0'.repeat(64)}`, IMAGE);
    const large = await ask(acr, '/v2/a/manifests/1', {
      method: 'PUT',
      body: new Uint8Array(4 * 1024 * 1024 + 1),
    });

    equal(await outcomeOf(wrong), '400 DIGEST_INVALID');
    equal(large.status, 413);
  });
});
