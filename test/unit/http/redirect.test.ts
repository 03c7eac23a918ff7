import { deepEqual, equal, rejects, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { isLoopbackHost, isPrivateHost, resolveHop } from '../../../src/http/origin.ts';
import { withRedirects } from '../../../src/http/redirect.ts';
import { compose, type Method, type Wrap } from '../../../src/http/send.ts';
import { createWire, type Wire } from '../../support/wire.ts';

const { signal } = new AbortController();

/** A wire that redirects as the table says, and answers all else with 200. */
function redirecting(table: Record<string, string>, status = 307): Wire {
  return createWire(({ url }) => {
    const location = table[url.href];
    return location === undefined ? { status: 200 } : { status, headers: { location } };
  });
}

async function get(wire: Wire, url: string, ...inner: Wrap[]): Promise<string[]> {
  const send = compose(wire.send, withRedirects(), ...inner);
  await send({ method: 'GET', url: new URL(url), headers: { accept: 'x' }, signal });
  return wire.requests.map((request) => request.url.href);
}

describe('withRedirects', () => {
  for (const status of [301, 302, 303, 307, 308]) {
    it(`follows ${status}, relative to where it came from`, async () => {
      const wire = redirecting(
        { 'https://a.test/x/y': '../z?q', 'https://a.test/z?q': 'https://b.test/' },
        status,
      );

      deepEqual(await get(wire, 'https://a.test/x/y'), [
        'https://a.test/x/y',
        'https://a.test/z?q',
        'https://b.test/',
      ]);
      deepEqual(wire.requests[2]?.headers, { accept: 'x' });
    });
  }

  it('leaves what is authorised for one origin off the next', async () => {
    const authorize: Wrap = (send) => (request) =>
      send(
        request.url.host === 'a.test'
          ? { ...request, headers: { ...request.headers, authorization: 'x' } }
          : request,
      );
    const wire = redirecting({ 'https://a.test/': 'https://b.test/' });

    await get(wire, 'https://a.test/', authorize);

    deepEqual(
      wire.requests.map(({ headers }) => headers.authorization),
      ['x', undefined],
    );
  });

  for (const method of ['PUT', 'POST', 'PATCH', 'DELETE'] satisfies Method[]) {
    it(`leaves a redirected ${method} to its caller`, async () => {
      const wire = redirecting({ 'https://a.test/': 'https://b.test/' });
      const url = new URL('https://a.test/');

      const response = await withRedirects()(wire.send)({ method, url, signal });

      deepEqual([response.status, wire.requests.length], [307, 1]);
    });
  }

  it('keeps a HEAD a HEAD', async () => {
    const wire = redirecting({ 'https://a.test/': '/b' }, 303);

    await withRedirects()(wire.send)({ method: 'HEAD', url: new URL('https://a.test/'), signal });

    deepEqual(
      wire.requests.map(({ method }) => method),
      ['HEAD', 'HEAD'],
    );
  });
});

describe('a redirect that is not followed', () => {
  it('is the sixth', async () => {
    const chain = (length: number) =>
      Object.fromEntries(Array.from({ length }, (_, at) => [`https://a.test/${at}`, `/${at + 1}`]));

    equal((await get(redirecting(chain(5)), 'https://a.test/0')).length, 6);
    await rejects(get(redirecting(chain(6)), 'https://a.test/0'), {
      code: 'PROTOCOL',
      message: /circles/,
    });
  });

  it('leads in circles', async () => {
    await rejects(get(redirecting({ 'https://a.test/': '/' }), 'https://a.test/'), {
      code: 'PROTOCOL',
    });
  });

  it('leads to nowhere', async () => {
    const wire = createWire(() => ({ status: 302 }));

    await rejects(get(wire, 'https://a.test/'), { code: 'PROTOCOL', message: /nowhere/ });
  });

  it('leads to an address of our own network', async () => {
    const wire = redirecting({ 'https://a.test/': 'http://169.254.169.254/latest/meta-data' });

    await rejects(get(wire, 'https://a.test/'), { code: 'PROTOCOL' });

    equal(wire.requests.length, 1);
  });
});

/** Where from, what was sent, where it leads; `undefined`: not followed. */
const HOPS: [string, string, string | undefined][] = [
  ['https://a.test/x', '/y', 'https://a.test/y'],
  ['https://a.test/x', '//b.test/y', 'https://b.test/y'],
  ['http://a.test/x', 'http://b.test/y', 'http://b.test/y'],
  ['http://a.test/x', 'https://b.test/y', 'https://b.test/y'],
  ['https://a.test/x', 'http://b.test/y', undefined],
  ['https://a.test/x', 'http://a.test/y', 'https://a.test/y'],
  ['https://a.test:5000/x', 'http://a.test/y', 'https://a.test:5000/y'],
  ['https://a.test:5000/x', 'http://a.test:80/y', 'https://a.test:5000/y'],
  ['https://a.test/x', 'http://a.test:5000/y', 'https://a.test:5000/y'],
  ['https://a.test/x', 'ftp://a.test/y', undefined],
  ['https://a.test/x', 'file:///etc/passwd', undefined],
  ['https://a.test/x', 'https://', undefined],
  ['https://a.test/x', 'https://10.0.0.1/y', undefined],
  ['https://a.test/x', 'https://[fd00::1]/y', undefined],
  ['https://a.test/x', 'https://[::ffff:10.0.0.1]/y', undefined],
  ['https://a.test/x', 'https://0x7f.1/y', undefined],
  ['https://a.test/x', 'https://localhost/y', undefined],
  ['https://10.0.0.1/x', 'https://192.168.0.1/y', 'https://192.168.0.1/y'],
  ['http://127.0.0.1:1/x', 'http://127.0.0.1:2/y', 'http://127.0.0.1:2/y'],
  ['https://10.0.0.1/x', 'https://a.test/y', 'https://a.test/y'],
];

describe('resolveHop', () => {
  for (const [from, target, expected] of HOPS) {
    it(`${expected === undefined ? 'refuses' : 'follows'} ${target} from ${from}`, () => {
      const hop = () => resolveHop(target, new URL(from), 'a redirect').href;

      if (expected === undefined) throws(hop, { code: 'PROTOCOL', message: /sent a redirect/ });
      else equal(hop(), expected);
    });
  }

  it('says no secret of the place it refuses', () => {
    throws(
      () => resolveHop('http://u:p@b.test/?sig=abc', new URL('https://a.test'), 'a redirect'),
      (error: Error) => !/abc|u:p/.test(error.message),
    );
  });
});

describe('isPrivateHost', () => {
  it('knows the addresses that are nobody else’s business', () => {
    const inside = [
      '10.1.2.3',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '127.0.0.1',
      '169.254.169.254',
      '100.64.0.1',
      '0.0.0.0',
      '[::1]',
      '[::]',
      '[fe80::1]',
      '[fc00::1]',
      'localhost',
      'a.localhost',
    ];
    const outside = [
      '8.8.8.8',
      '172.32.0.1',
      '100.128.0.1',
      '192.169.0.1',
      '[2001:db8::1]',
      'a.test',
      '10.test',
      'localhost.test',
    ];

    deepEqual(
      inside.filter((host) => !isPrivateHost(host)),
      [],
    );
    deepEqual(outside.filter(isPrivateHost), []);
  });
});

describe('isLoopbackHost', () => {
  it('knows the names of this machine', () => {
    deepEqual(
      ['localhost', 'x.localhost', '127.0.0.1', '127.9.9.9', '[::1]', '::1'].filter(
        (host) => !isLoopbackHost(host),
      ),
      [],
    );
    deepEqual(
      ['localhost.test', '10.0.0.1', '127.0.0.1.test', 'notlocalhost', '128.0.0.1'].filter(
        isLoopbackHost,
      ),
      [],
    );
  });
});
