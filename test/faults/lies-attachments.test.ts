/** Lists of what is attached that lie: too many, in circles, with names that are none. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';

import { artifact, descriptorOf, type BuiltImage } from '../support/images.ts';
import type { Fault } from '../support/registry/faults.ts';
import { putImage, snapshot } from '../support/registry/store.ts';
import {
  BAD,
  failsAlone,
  GOOD,
  holdsOnlyWhatIsTrue,
  startStage,
  type Stage,
} from './lies-stage.ts';

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const { mediaType } = BAD.root;

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
});
afterEach(() => stage.close());

/** The source says that these are attached to `subject`, or to whatever it is asked about. */
function says(subject: string, manifests: readonly object[], link?: string): Fault {
  return {
    match: { path: new RegExp(`bad/referrers/${subject}`) },
    times: Infinity,
    effect: {
      status: 200,
      headers: { 'content-type': OCI_INDEX, ...(link !== undefined && { link }) },
      body: JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }),
    },
  };
}

const digestAt = (n: number): string => `sha256:${n.toString(16).padStart(64, '0')}`;
const unreal = (n: number) => ({ mediaType, digest: digestAt(n), size: 100 });
const about = (path: RegExp): number =>
  stage.source.requests.filter((request) => path.test(request.path)).length;

/** Things of the source that are about `bad`, as far as their bytes say. */
function attached(count: number): BuiltImage[] {
  const built = Array.from({ length: count }, (_, n) =>
    artifact({ artifactType: 'application/x', subject: BAD.root, seed: `attached ${n}` }),
  );
  for (const one of built) putImage(stage.source.store, 'acme/bad', undefined, one);
  return built;
}

describe('a list of referrers (CVE-2024-29902)', () => {
  it('of more than a thousand fails the row, and none of them is asked for', async () => {
    const many = Array.from({ length: 1001 }, (_, n) => unreal(n));
    stage.source.setFaults([says('', many)]);

    const outcome = await stage.syncBoth(BAD.root.digest);

    await failsAlone(stage, outcome, { code: 'PROTOCOL', says: /more than 1000 referrers/ });
    equal(about(/bad\/manifests\/sha256:000/), 0);
  });

  it('with pages that never end is left after a thousand', async () => {
    const link = (n: number) => `</v2/acme/bad/referrers/${BAD.root.digest}?p=${n}>; rel="next"`;
    const pages = Array.from({ length: 20 }, (_, n) => {
      const page = Array.from({ length: 100 }, (__, i) => unreal(n * 100 + i));
      return { ...says('', page, link(n)), times: 1 };
    });
    stage.source.setFaults(pages);

    const outcome = await stage.syncBoth(BAD.root.digest);

    await failsAlone(stage, outcome, { code: 'PROTOCOL', says: /more than 1000 referrers/ });
    ok(about(/bad\/referrers/) <= 12);
  });

  it('whose next page is at another origin is left', async () => {
    const link = '<http://127.0.0.1:9/v2/acme/bad/referrers/x>; rel="next"';
    stage.source.setFaults([says('', [], link)]);

    const outcome = await stage.syncBoth(BAD.root.digest);

    await failsAlone(stage, outcome, { code: 'PROTOCOL', says: /leads to another origin/ });
  });

  it('with a digest that is none fails the row', async () => {
    stage.source.setFaults([says('', [{ mediaType, digest: 'sha256:../../x', size: 1 }])]);

    const outcome = await stage.syncBoth(BAD.root.digest);

    await failsAlone(stage, outcome, { code: 'PROTOCOL', says: /is no sha256/ });
  });

  it('that names another manifest’s bytes fails the row', async () => {
    const [one = GOOD] = attached(1);
    const { manifests } = stage.source.store.repositories.get('acme/bad') ?? {};
    manifests?.set(one.root.digest, GOOD.root);
    stage.source.setFaults([says(BAD.root.digest, [descriptorOf(one.root)])]);

    const outcome = await stage.syncBoth(BAD.root.digest);

    await failsAlone(stage, outcome, { code: 'CONTENT_MISMATCH', says: /attached to sha256:/ });
  });
});

describe('things that are attached in circles (CVE-2023-46737)', () => {
  const copied = async (): Promise<void> => {
    const { code, stderr } = await stage.syncBoth(BAD.root.digest);

    equal(code, 0, stderr);
    deepEqual(snapshot(stage.target.store), {
      'acme/bad:1': BAD.root.digest,
      'acme/good:1': GOOD.root.digest,
    });
    holdsOnlyWhatIsTrue(stage.target);
  };

  it('to themselves are copied once', async () => {
    stage.source.setFaults([says('', [descriptorOf(BAD.root)])]);

    await copied();

    ok(stage.source.requests.length < 100, `${stage.source.requests.length} requests`);
  });

  it('to each other are copied once', async () => {
    const [a = GOOD, b = GOOD] = attached(2);
    stage.source.setFaults([
      says(a.root.digest, [descriptorOf(b.root)]),
      says(b.root.digest, [descriptorOf(a.root)]),
    ]);

    await copied();

    ok(stage.source.requests.length < 100, `${stage.source.requests.length} requests`);
  });

  it('all to all do not multiply', async () => {
    const all = attached(8).map(({ root }) => descriptorOf(root));
    stage.source.setFaults([says('', all)]);

    await copied();

    const { length } = [...stage.source.requests, ...stage.target.requests];
    ok(length < 300, `${length} requests`);
  });
});
