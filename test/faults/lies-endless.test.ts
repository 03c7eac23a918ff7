/**
 * Answers without an end (the emulator's are of 256 MiB): every body is read as far as it may be
 * long, and its connection closed.
 */
import { equal, match, ok } from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';

import type { Fault, FaultEffect } from '../support/registry/faults.ts';
import type { RequestRecord } from '../support/registry/listener.ts';
import { putImage } from '../support/registry/store.ts';
import { BAD, failsAlone, healed, startStage, type Stage } from './lies-stage.ts';

const MIB = 1024 * 1024;
/** What lies in the buffers of two sockets when the reader stops. */
const SLACK = 16 * MIB;
const JSON_TYPE = { 'content-type': 'application/json' };
const OCI_INDEX = { 'content-type': 'application/vnd.oci.image.index.v1+json' };

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
});
afterEach(() => stage.close());

type Endless = Extract<FaultEffect, { endless: string }>;

function endless(path: RegExp, method: string, effect: Partial<Endless> = {}): Fault {
  return { match: { method, path }, times: Infinity, effect: { endless: '', ...effect } };
}

/** Fails when a server had to write more than so many bytes of one answer. */
function noneLonger(requests: readonly RequestRecord[], bytes: number): void {
  const longest = Math.max(...requests.map(({ bytesOut }) => bytesOut));
  ok(longest > 0 && longest <= bytes + SLACK, `${longest} bytes were written`);
}

describe('an endless body (CVE-2020-1702, regclient #1096, ggcr #2328)', () => {
  it('of a manifest is given up after 4 MiB', async () => {
    stage.source.setFaults([endless(/bad\/manifests/, 'GET', { endless: '{"a":"' })]);

    const outcome = await stage.syncBoth(BAD.root.digest);

    await failsAlone(stage, outcome, { code: 'PROTOCOL', says: /longer than 4194304 bytes/ });
    noneLonger(stage.source.requests, 4 * MIB);
  });

  it('of a blob is given up where its descriptor says it ends', async () => {
    stage.source.setFaults([endless(/bad\/blobs/, 'GET')]);

    const outcome = await stage.syncBoth(BAD.root.digest);

    await failsAlone(stage, outcome, {
      code: 'CONTENT_MISMATCH',
      says: /is longer than \d+ bytes/,
    });
    noneLonger(stage.source.requests, MIB);
  });

  for (const status of [400, 401, 404, 500]) {
    it(`of an error (${status}) is given up after 64 KiB, and the status counts`, async () => {
      const begin = { status, endless: '{"errors":[{"code":"X"', headers: JSON_TYPE };
      stage.source.setFaults([endless(/bad\/manifests/, 'GET', begin)]);

      const outcome = await stage.syncBoth(BAD.root.digest);

      const code = { 400: 'REJECTED', 401: 'UNAUTHORIZED', 404: 'NOT_FOUND' } as const;
      const known = code[status as keyof typeof code] ?? 'UNAVAILABLE';
      await failsAlone(stage, outcome, { code: known, says: new RegExp(`\\(${status}\\)`) });
      noneLonger(stage.source.requests, 64 * 1024);
    });
  }

  it('of a redirect is not waited for', async () => {
    const [blob] = BAD.blobs;
    const headers = { location: `/v2/acme/good/blobs/${blob?.digest}` };
    putImage(stage.source.store, 'acme/good', '2', BAD);
    stage.source.setFaults([endless(/bad\/blobs/, 'GET', { status: 307, headers })]);

    await stage.syncBoth(BAD.root.digest);

    noneLonger(stage.source.requests, 64 * 1024);
  });

  it('of a list of referrers is given up after 32 MiB', async () => {
    const begin = { endless: '{"manifests":[],"x":"', headers: OCI_INDEX };
    stage.source.setFaults([endless(/bad\/referrers/, 'GET', begin)]);

    const outcome = await stage.syncBoth(BAD.root.digest);

    await failsAlone(stage, outcome, {
      code: 'PROTOCOL',
      says: /referrers.* longer than 33554432/,
    });
    noneLonger(stage.source.requests, 32 * MIB);
  });

  it('of the ping is no harm', async () => {
    stage.target.setFaults([endless(/^\/v2\/$/, 'GET')]);

    await healed(stage, await stage.syncBoth(BAD.root.digest));
    noneLonger(stage.target.requests, 64 * 1024);
  });

  it('of the answer to an upload that was taken is no harm', async () => {
    const path = /\/manifests\/1/;
    stage.target.setFaults([endless(path, 'PUT', { status: 201 })]);

    const { code } = await stage.syncBoth(BAD.root.digest);

    equal(code, 0);
    noneLonger(stage.target.requests, 64 * 1024);
  });
});

describe('an endless list', () => {
  for (const [what, path] of [
    ['tags', /bad\/tags/],
    ['the catalog', /_catalog/],
  ] as const) {
    it(`of ${what} is given up after 32 MiB`, async () => {
      stage.source.setFaults([endless(path, 'GET', { headers: JSON_TYPE, endless: '{"tags":["' })]);

      const { code, stderr } = await stage.crawl();

      equal(code, 1);
      match(stderr, /(tags of 127\S+\/acme\/bad|catalog of 127\S+) is longer than 33554432 bytes/);
      noneLonger(stage.source.requests, 32 * MIB);
    });
  }
});

describe('an endless token', () => {
  it('is given up after 1 MiB', async () => {
    await stage.close();
    const users = { bot: { password: 'hunter-2' } };
    stage = await startStage({ source: { auth: { scheme: 'bearer', users } } });
    const effect = { endless: '{"token":"', headers: JSON_TYPE };
    stage.source.setFaults([endless(/^\/token.*bad/, 'GET', effect)]);

    const outcome = await stage.syncBoth(BAD.root.digest, ['--src-creds', 'bot:hunter-2']);

    const says = /token from 127\S+ is longer than 1048576 bytes/;
    await failsAlone(stage, outcome, { code: 'PROTOCOL', says });
    noneLonger(stage.source.requests, MIB);
  });
});
