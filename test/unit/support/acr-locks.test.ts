import { deepEqual, equal, match } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { startAcr, type Acr } from '../../support/acr/acr.ts';
import { firewalled, tooManyRequests, tooManyRequestsAtEdge } from '../../support/acr/effects.ts';
import {
  ask,
  bodyOf,
  outcomeOf,
  pushBlob,
  putManifest,
  USERS,
} from '../../support/acr/requests.ts';
import { image } from '../../support/images.ts';
import { putImage } from '../../support/registry/store.ts';

const NAME = 'team/app';
const OLD = image({ seed: 'old' });
const NEW = image({ seed: 'new' });
const DISALLOWED = '405 REGISTRY_DISALLOWED_OPERATION';

const started: Acr[] = [];
after(() => Promise.all(started.map((acr) => acr.close())));

async function start(): Promise<Acr> {
  const acr = await startAcr({ users: USERS });
  started.push(acr);
  putImage(acr.store, NAME, '1', OLD);
  for (const { bytes } of NEW.blobs) await pushBlob(acr, NAME, bytes);
  return acr;
}

function patch(acr: Acr, path: string, attributes: object): Promise<Response> {
  return ask(acr, path, { method: 'PATCH', body: JSON.stringify(attributes) });
}

describe('locks', () => {
  const places: readonly [string, string, string][] = [
    ['repository', `/acr/v1/${NAME}`, ''],
    ['tag', `/acr/v1/${NAME}/_tags/1`, 'tag'],
    ['manifest', `/acr/v1/${NAME}/_manifests/${OLD.root.digest}`, 'manifest'],
  ];
  for (const [what, path, field] of places) {
    it(`of a ${what} are set by PATCH and shown by GET`, async () => {
      const acr = await start();
      interface Body {
        readonly changeableAttributes: object;
      }

      const patched = await patch(acr, path, { readEnabled: false, writeEnabled: false });
      const shown = await bodyOf<Record<string, Body> & Body>(await ask(acr, path));

      equal(patched.status, 200);
      const { changeableAttributes } = field === '' ? shown : (shown[field] ?? shown);
      deepEqual(changeableAttributes, {
        deleteEnabled: true,
        writeEnabled: false,
        readEnabled: false,
        listEnabled: true,
      });
      equal(await outcomeOf(await ask(acr, `/v2/${NAME}/manifests/1`)), DISALLOWED);
    });
  }

  it('of a tag keep it where it is', async () => {
    const acr = await start();
    await patch(acr, `/acr/v1/${NAME}/_tags/1`, { writeEnabled: false });

    equal(await outcomeOf(await putManifest(acr, NAME, '1', NEW)), DISALLOWED);
    equal((await putManifest(acr, NAME, '2', NEW)).status, 201);
    const remove = await ask(acr, `/acr/v1/${NAME}/_tags/1`, { method: 'DELETE' });
    equal(await outcomeOf(remove), DISALLOWED);
  });

  it('of a repository hold for all in it', async () => {
    const acr = await start();
    await patch(acr, `/acr/v1/${NAME}`, { writeEnabled: false });

    equal(await outcomeOf(await putManifest(acr, NAME, '2', NEW)), DISALLOWED);
    equal(await outcomeOf(await ask(acr, `/acr/v1/${NAME}`, { method: 'DELETE' })), DISALLOWED);
  });

  it('of a manifest keep it from being deleted or put again', async () => {
    const acr = await start();
    const path = `/v2/${NAME}/manifests/${OLD.root.digest}`;
    acr.metadata.manifest(NAME, OLD.root.digest).attributes.deleteEnabled = false;

    equal(await outcomeOf(await ask(acr, path, { method: 'DELETE' })), DISALLOWED);
    equal(await outcomeOf(await putManifest(acr, NAME, OLD.root.digest, OLD)), DISALLOWED);
  });

  it('refuse a PATCH that is no object', async () => {
    const acr = await start();
    const init = { method: 'PATCH', body: 'x' };
    equal((await ask(acr, `/acr/v1/${NAME}`, init)).status, 400);
  });
});

describe('deleting', () => {
  it('a tag leaves the manifest, and names its digest', async () => {
    const acr = await start();

    const response = await ask(acr, `/acr/v1/${NAME}/_tags/1`, { method: 'DELETE' });

    equal(response.status, 202);
    equal(response.headers.get('x-ms-int-docker-content-digest'), OLD.root.digest);
    equal(response.headers.get('x-ms-ratelimit-remaining-calls-per-second'), '8.000000');
    equal(await response.text(), '');
    equal((await ask(acr, `/v2/${NAME}/manifests/${OLD.root.digest}`)).status, 200);
  });

  for (const base of ['/v2/team/app/manifests', '/acr/v1/team/app/_manifests']) {
    it(`a manifest at ${base} takes its tags with it`, async () => {
      const acr = await start();

      equal((await ask(acr, `${base}/${OLD.root.digest}`, { method: 'DELETE' })).status, 202);

      equal(await outcomeOf(await ask(acr, `/acr/v1/${NAME}/_tags/1`)), '404 TAG_UNKNOWN');
    });
  }

  it('a tag by /v2 leaves the manifest too', async () => {
    const acr = await start();
    equal((await ask(acr, `/v2/${NAME}/manifests/1`, { method: 'DELETE' })).status, 202);
    equal((await ask(acr, `/v2/${NAME}/manifests/${OLD.root.digest}`)).status, 200);
  });

  it('a repository says what went with it', async () => {
    const acr = await start();

    const response = await ask(acr, `/acr/v1/${NAME}`, { method: 'DELETE' });

    equal(response.status, 202);
    deepEqual(await response.json(), {
      manifestsDeleted: [OLD.root.digest],
      tagsDeleted: ['1'],
    });
    equal((await ask(acr, `/acr/v1/${NAME}`)).status, 404);
  });
});

describe('faults of its own', () => {
  it('are throttling, with and without Retry-After, and a firewall', async () => {
    const acr = await start();
    const effects = [tooManyRequests(3), tooManyRequests(), tooManyRequestsAtEdge(), firewalled()];
    acr.setFaults(effects.map((effect) => ({ match: {}, effect })));

    const answers = [];
    for (const _ of effects) answers.push(await ask(acr, '/v2/'));

    equal(answers[0]?.headers.get('retry-after'), '3');
    equal(answers[1]?.headers.get('retry-after'), null);
    deepEqual(await Promise.all(answers.slice(0, 2).map(outcomeOf)), [
      '429 TOOMANYREQUESTS',
      '429 TOOMANYREQUESTS',
    ]);
    match((await answers[2]?.text()) ?? '', /^Ref A/);
    equal(answers[3] && (await outcomeOf(answers[3])), '403 DENIED');
  });
});
