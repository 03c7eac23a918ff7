import { equal, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { redactUrl, Secrets } from '../../../src/base/redact.ts';

/** What it shows, the URL, what is left of it. */
const URLS: [string, string, string][] = [
  [
    'leaves a plain one as it is',
    'https://r.test/v2/a/tags/list?n=2&last=b',
    'https://r.test/v2/a/tags/list?n=2&last=b',
  ],
  ['drops user information', 'https://u:p@r.test/v2/', 'https://r.test/v2/'],
  [
    'hides signatures',
    'https://s.test/b?X-Amz-Signature=abc&n=1',
    'https://s.test/b?X-Amz-Signature=***&n=1',
  ],
  ['hides every one of several', 'https://s.test/b?sig=a&sig=b', 'https://s.test/b?sig=***'],
  ['hides what it does not know', 'https://s.test/b?whatever=1', 'https://s.test/b?whatever=***'],
  ['goes by the exact name', 'https://s.test/b?N=1', 'https://s.test/b?N=***'],
  ['drops the fragment', 'https://r.test/#access_token=x', 'https://r.test/'],
];

describe('redactUrl', () => {
  for (const [shown, url, expected] of URLS) {
    it(shown, () => equal(redactUrl(new URL(url)), expected));
  }

  it('leaves the URL it was given as it is', () => {
    const url = new URL('https://u:p@r.test/?sig=x');

    redactUrl(url);

    equal(url.href, 'https://u:p@r.test/?sig=x');
  });
});

/** The secrets in use, a line, what is written. */
const LINES: [string, string[], string, string][] = [
  ['a secret wherever it stands', ['hunter2'], 'a hunter2, "hunter2"', 'a ***, "***"'],
  ['its form in a URL', ['p@ss/w'], 'x=p%40ss%2Fw', 'x=***'],
  ['its form in JSON', ['a"b\\c'], '{"x":"a\\"b\\\\c"}', '{"x":"***"}'],
  ['the longer of two that begin alike', ['pass', 'password'], 'password pass', '*** ***'],
  ['no secret that is a pattern', ['a.*b'], 'axxb a.*b', 'axxb ***'],
  ['nothing for a very short one', ['abc'], 'abc', 'abc'],
  ['nothing for an empty one', [''], 'abc', 'abc'],
  ['a bearer token', [], 'authorization: Bearer abc.def-ghi', 'authorization: Bearer ***'],
  ['basic credentials', [], 'basic dXNlcjpwYXNz==', 'basic ***'],
  ['a JSON Web Token', [], 'got eyJhbGciOi.eyJzdWIiOi.sig_-9 .', 'got *** .'],
  ['user information of a URL', [], 'to https://u:p@r.test/a', 'to https://***@r.test/a'],
  ['nothing else', [], 'r.test/a@sha256:0123 Basics', 'r.test/a@sha256:0123 Basics'],
];

describe('Secrets', () => {
  for (const [shown, values, line, expected] of LINES) {
    it(`hides ${shown}`, () => {
      const secrets = new Secrets();
      for (const value of values) secrets.add(value);

      equal(secrets.hide(line), expected);
    });
  }

  it('takes time linear in the line', () => {
    const start = performance.now();
    for (const piece of ['eyJeyJeyJ.', 'https://', 'Bearer ']) {
      new Secrets().hide(piece.repeat(20_000));
    }
    ok(performance.now() - start < 1000);
  });
});
