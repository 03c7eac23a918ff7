import { equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { goJson, goTime } from '../../../src/image/go-json.ts';

describe('goJson', () => {
  it('sorts what was a map, and leaves what was a struct', () => {
    const map = new Map([
      ['10', 1],
      ['2', 2],
      ['B', 3],
      ['a', 4],
    ]);

    equal(goJson({ z: map, a: [] }), '{"z":{"10":1,"2":2,"B":3,"a":4},"a":[]}');
  });

  it('escapes what could end a script', () => {
    equal(goJson('<a&b>\u2028é"'), '"\\u003ca\\u0026b\\u003e\\u2028é\\""');
  });

  it('leaves out what is not there', () => {
    equal(goJson({ a: undefined, b: null }), '{"b":null}');
  });

  it('refuses what is nested too deep', () => {
    const deep = JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`) as unknown;

    throws(() => goJson(deep), { code: 'PROTOCOL' });
  });
});

describe('goTime', () => {
  const TIMES: [string, string][] = [
    ['2024-01-01T00:00:00.340Z', '2024-01-01T00:00:00.34Z'],
    ['2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00Z'],
    ['2024-01-01T00:00:10+00:00', '2024-01-01T00:00:10Z'],
    ['2024-01-01T00:00:00.123456789+02:00', '2024-01-01T00:00:00.123456789+02:00'],
  ];
  for (const [text, written] of TIMES) {
    it(`writes ${text} as ${written}`, () => equal(goTime(text), written));
  }

  it('refuses what is no time', () => {
    throws(() => goTime('yesterday'), { code: 'PROTOCOL' });
  });
});
