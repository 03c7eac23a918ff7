import { deepEqual, equal, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { lottery } from '../../support/soak-faults.ts';

const NOTHING = { status: 0, headers: {}, bytesIn: 0, bytesOut: 0 };
const get = (path: string) => ({ ...NOTHING, method: 'GET', path });
const PATHS = Array.from({ length: 5000 }, (_, n) => `/v2/a/blobs/sha256:${n}`);

describe('faults by lot', () => {
  it('come as often as they should, and of all kinds', () => {
    const { onRequest, drawn } = lottery(0.1, 1);
    const faults = PATHS.filter((path) => onRequest(get(path)) !== undefined).length;

    ok(faults > 400 && faults < 600, `${faults} faults`);
    deepEqual([...drawn.keys()].toSorted(), ['429', '500', '503', 'corrupt', 'cut', 'reset']);
  });

  it('are the same for a seed, whatever the order', () => {
    const [one, other] = [lottery(0.1, 1), lottery(0.1, 1)];
    const forth = PATHS.map((path) => one.onRequest(get(path)));
    const back = PATHS.toReversed().map((path) => other.onRequest(get(path)));

    deepEqual(forth, back.toReversed());
    const third = lottery(0.1, 2);
    ok(PATHS.some((path, at) => third.onRequest(get(path)) !== forth[at]));
  });

  it('damage no bytes twice, and none where there are none', () => {
    const { onRequest, drawn } = lottery(1, 1);
    for (let times = 0; times < 200; times += 1) onRequest(get('/v2/a/manifests/1'));
    equal(drawn.get('corrupt'), 1);
    ok((drawn.get('cut') ?? 0) > 1);

    const heads = lottery(1, 1);
    for (const path of PATHS) heads.onRequest({ ...get(path), method: 'HEAD' });
    deepEqual([...heads.drawn.keys()].toSorted(), ['429', '500', '503', 'reset']);
  });

  it('know an upload by its digest, not by the name that it was given', () => {
    const put = (upload: string, digest: string) => ({
      ...get(`/v2/a/blobs/uploads/${upload}?_state=x&digest=${digest}`),
      method: 'PUT',
    });
    const [one, other] = [lottery(0.3, 1), lottery(0.3, 1)];
    const digests = PATHS.slice(0, 100);

    deepEqual(
      digests.map((digest, at) => one.onRequest(put(`u${at}`, digest))),
      digests.map((digest, at) => other.onRequest(put(`w${at}`, digest))),
    );
  });
});
