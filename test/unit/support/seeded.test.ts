import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { numberOf, seededRandom, spreadPoints } from '../../support/seeded.ts';

describe('seeded numbers', () => {
  it('are the same for a seed, and others for another', () => {
    const [one, same, other] = [seededRandom(1), seededRandom(1), seededRandom(2)];

    deepEqual([one(), one()], [same(), same()]);
    notEqual(seededRandom(1)(), other());
  });

  it('fill the whole range', () => {
    const random = seededRandom(7);
    const tenths = new Set(Array.from({ length: 200 }, () => Math.floor(random() * 10)));
    const ofTexts = new Set(Array.from({ length: 200 }, (_, n) => numberOf(`text ${n}`, 7) * 10));

    deepEqual(
      [...tenths].toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
    deepEqual(
      [...new Set([...ofTexts].map(Math.floor))].toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
  });

  it('of a text depend on it and on the seed', () => {
    equal(numberOf('a', 1), numberOf('a', 1));
    notEqual(numberOf('a', 1), numberOf('a', 2));
    notEqual(numberOf('a', 1), numberOf('b', 1));
  });

  it('are spread over a run, one to each part', () => {
    const points = spreadPoints(5, 50, 1);

    deepEqual(points, spreadPoints(5, 50, 1));
    deepEqual(
      points.map((point) => Math.floor((point - 1) / 10)),
      [0, 1, 2, 3, 4],
    );
    ok(spreadPoints(5, 50, 2).some((point, at) => point !== points[at]));
    ok(spreadPoints(100, 10, 1).every((point) => point >= 1 && point <= 10));
  });
});
