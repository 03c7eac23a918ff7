/**
 * What has gone wrong in programs of this kind, and must not go wrong here: credentials that reach a
 * place they are not for. Everything is played over a wire in the process, so that hosts and
 * addresses can be what they are in the attacks.
 */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';

import { RegistrySyncError, type ErrorCode } from '../../../src/base/errors.ts';
import type { Descriptor } from '../../../src/image/descriptor.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { credentialsIn } from '../../../src/registry/auth-file.ts';
import { distributionCatalog } from '../../../src/registry/catalog.ts';
import { Repository } from '../../../src/registry/repository.ts';
import { clientOver, NEVER, password, tagsOf } from '../../support/client.ts';
import { streamOf } from '../../support/blob-bytes.ts';
import { collect } from '../../support/collect.ts';
import { createWire, type Wire, type WireAnswer, type WireRequest } from '../../support/wire.ts';

const REGISTRY = 'https://r.test';
const SECRETS = /hunter-2|cm9vdD|the-token|signature-of/;
const BYTES = Buffer.from('a layer');
const LAYER: Descriptor = {
  mediaType: 'application/vnd.oci.image.layer.v1.tar',
  digest: digestOf(BYTES),
  size: BYTES.length,
};
const BLOB = `/v2/a/blobs/${LAYER.digest}`;

interface Scene {
  readonly wire: Wire;
  readonly repository: Repository;
  readonly tags: () => Promise<string[]>;
  readonly repositories: () => Promise<string[]>;
}

/**
 * A registry at https://r.test that asks for `scheme`, and answers who is let in by `answer`; other
 * hosts are answered for by `answer` too.
 */
function scene(
  scheme: 'basic' | 'bearer',
  answer: (request: WireRequest) => WireAnswer | undefined,
  realm = `${REGISTRY}/token`,
): Scene {
  const challenge = scheme === 'basic' ? 'Basic realm="r"' : `Bearer realm="${realm}",service="r"`;
  const wire = createWire((request) => {
    const { url, headers } = request;
    if (url.href.startsWith(realm)) return { status: 200, body: '{"token":"the-token"}' };
    if (url.origin === REGISTRY && headers.authorization === undefined) {
      return { status: 401, headers: { 'www-authenticate': challenge } };
    }
    return answer(request);
  });
  const client = clientOver(wire.send, 'r.test', { credentials: password('root', 'hunter-2') });
  return {
    wire,
    repository: new Repository(client, 'a'),
    tags: () => tagsOf(client, 'a'),
    repositories: () => collect(distributionCatalog(client).repositories(NEVER)),
  };
}

const redirect = (location: string): WireAnswer => ({ status: 307, headers: { location } });
const elsewhere = ({ requests }: Wire): WireRequest[] =>
  requests.filter(({ url }) => url.origin !== REGISTRY);
const read = async (repository: Repository, layer = LAYER): Promise<string> =>
  String(await buffer(streamOf(await repository.source('1').blob(layer, NEVER))));

/** Fails with `code`, and says no secret in any of what could be printed. */
async function fails(doing: Promise<unknown>, code: ErrorCode): Promise<void> {
  await rejects(doing, (error: unknown) => {
    ok(error instanceof RegistrySyncError, String(error));
    equal(error.code, code, error.message);
    const said = `${error.stack}${JSON.stringify(error.details)}${String(error.cause)}`;
    equal(SECRETS.exec(said), null);
    return true;
  });
}

/** Other places, however near to the registry they look. */
const PLACES = [
  'https://storage.test/layer?sig=signature-of-it',
  'https://r.test:8443/layer?sig=signature-of-it', // GHSA-vh4v-2xq2-g5cg
  'https://r.test.evil.test/layer',
  'https://sub.r.test/layer',
];

for (const scheme of ['basic', 'bearer'] as const) {
  describe(`${scheme} credentials`, () => {
    for (const place of PLACES) {
      it(`do not follow a redirect of a blob to ${place}`, async () => {
        const { wire, repository } = scene(scheme, ({ url }) =>
          url.pathname === BLOB ? redirect(place) : { status: 200, body: BYTES },
        );

        equal(await read(repository), 'a layer');

        const [hop, ...more] = elsewhere(wire);
        deepEqual([hop?.url.href, hop?.headers.authorization, more], [place, undefined, []]);
      });

      it(`do not answer the 401 that ${place} answers`, async () => {
        const evil = { status: 401, headers: { 'www-authenticate': 'Basic realm="evil"' } };
        const { wire, repository } = scene(scheme, ({ url }) =>
          url.pathname === BLOB ? redirect(place) : evil,
        );

        await fails(read(repository), 'UNAUTHORIZED');

        deepEqual(
          elsewhere(wire).map(({ headers }) => headers.authorization),
          [undefined],
        );
      });

      it(`do not follow an upload Location at ${place} (CVE-2026-50151)`, async () => {
        const location = { location: place };
        const { wire, repository } = scene(scheme, ({ method }) => {
          if (method === 'HEAD') return { status: 404 };
          return method === 'POST' ? { status: 202, headers: location } : { status: 201 };
        });

        await repository.sink('1').putBlob(LAYER, async () => Readable.from([BYTES]), NEVER);

        const [put, ...more] = elsewhere(wire);
        deepEqual([put?.method, put?.headers.authorization, more], ['PUT', undefined, []]);
      });
    }

    it('are on every hop that leads back, and only there', async () => {
      const { wire, repository } = scene(scheme, ({ url }) => {
        if (url.pathname === BLOB) return redirect('https://storage.test/');
        return url.host === 'storage.test'
          ? redirect(`${REGISTRY}/mirror`)
          : { status: 200, body: BYTES };
      });

      await read(repository);

      const hops = wire.requests
        .slice(-3)
        .map(({ url, headers }) => [url.host, headers.authorization !== undefined]);
      deepEqual(hops, [
        ['r.test', true],
        ['storage.test', false],
        ['r.test', true],
      ]);
    });
  });
}

describe('a redirect', () => {
  it('from TLS to plain http at another host is refused', async () => {
    const { wire, repository } = scene('basic', () =>
      redirect('http://storage.test/?sig=signature-of'),
    );

    await fails(read(repository), 'PROTOCOL');

    deepEqual(elsewhere(wire), []);
  });

  it('from TLS to plain http at the registry itself is taken for TLS', async () => {
    const { wire, repository } = scene('basic', ({ url }) =>
      url.pathname === BLOB ? redirect('http://r.test/layer') : { status: 200, body: BYTES },
    );

    equal(await read(repository), 'a layer');

    deepEqual(elsewhere(wire), []);
  });

  it('in circles is refused', async () => {
    const { repository } = scene('basic', ({ url }) => redirect(url.href));

    await fails(read(repository), 'PROTOCOL');
  });
});

/** Addresses of this machine and its neighbours, in the forms in which they have been hidden. */
const PRIVATE = [
  'https://127.0.0.1',
  'https://localhost',
  'https://evil.localhost',
  'https://2130706433', // 127.0.0.1
  'https://0x7f.1',
  'https://0177.0.0.1',
  'https://169.254.169.254',
  'https://2852039166', // 169.254.169.254
  'https://10.0.0.1',
  'https://172.16.0.1',
  'https://192.168.0.1',
  'https://0.0.0.0',
  'https://[::1]',
  'https://[::]',
  'https://[::ffff:127.0.0.1]',
  'https://[::ffff:a9fe:a9fe]', // 169.254.169.254
  'https://[fd00::1]',
  'https://[fe80::1]',
];

describe('a private address', () => {
  for (const place of PRIVATE) {
    it(`is no place for a token realm, a redirect or an upload: ${place}`, async () => {
      const realm = scene('bearer', () => undefined, `${place}/token`);
      const blob = scene('basic', () => redirect(`${place}/layer`));
      const upload = scene('basic', ({ method }) =>
        method === 'HEAD' ? undefined : { status: 202, headers: { location: `${place}/u` } },
      );

      await fails(read(realm.repository), 'PROTOCOL');
      await fails(read(blob.repository), 'PROTOCOL');
      const open = (): never => {
        throw new Error('nothing is to be sent');
      };
      await fails(upload.repository.sink('1').putBlob(LAYER, open, NEVER), 'PROTOCOL');

      for (const { wire } of [realm, blob, upload]) deepEqual(elsewhere(wire), []);
    });
  }
});

/** What it shows, the realm. */
const REALMS: [string, string][] = [
  ['on a foreign host without TLS (GHSA-28r5-37g7-p6mp)', 'http://evil.test/token'],
  ['on a host with a name like its own', 'http://r.test.evil.test/token'],
  ['of another protocol', 'file:///etc/passwd'],
  ['that is no URL', 'https://['],
];

describe('a token realm', () => {
  for (const [shown, realm] of REALMS) {
    it(`${shown} is asked for nothing`, async () => {
      const { wire, repository } = scene('bearer', () => undefined, realm);

      await fails(read(repository), 'PROTOCOL');

      equal(wire.requests.length, 1); // the ping
    });
  }

  it('on a foreign host is asked for nothing by a registry without TLS either', async () => {
    const wire = createWire(({ url }) => {
      const details = { reason: 'EPROTO' };
      if (url.protocol === 'https:') throw new RegistrySyncError('UNAVAILABLE', '', { details });
      const challenge = 'Bearer realm="http://evil.test/token"';
      return { status: 401, headers: { 'www-authenticate': challenge } };
    });
    const credentials = password('root', 'hunter-2');
    const client = clientOver(wire.send, '127.0.0.1:5000', { credentials });

    await fails(tagsOf(client, 'a'), 'PROTOCOL');

    equal(
      wire.requests.some(({ url }) => url.host === 'evil.test'),
      false,
    );
  });

  it('on another host with TLS (GitLab, Docker Hub) is asked', async () => {
    const answer = (): WireAnswer => ({ status: 200, body: BYTES });
    const { wire, repository } = scene('bearer', answer, 'https://auth.test/token');

    equal(await read(repository), 'a layer');

    deepEqual(
      elsewhere(wire).map(({ url }) => url.host),
      ['auth.test'],
    );
  });

  it('that leads elsewhere is not followed (ggcr #2243)', async () => {
    const wire = createWire(({ url }) =>
      url.pathname === '/token'
        ? redirect('https://evil.test/')
        : {
            status: 401,
            headers: { 'www-authenticate': `Bearer realm="${REGISTRY}/token"` },
          },
    );
    const client = clientOver(wire.send, 'r.test', { credentials: password('root', 'hunter-2') });

    await fails(read(new Repository(client, 'a')), 'PROTOCOL');

    deepEqual(elsewhere(wire), []);
  });
});

describe('a list', () => {
  it('does not go on at another origin (ggcr #2332)', async () => {
    for (const next of ['https://evil.test/', 'http://r.test/', 'https://r.test:8443/']) {
      const { wire, tags, repositories } = scene('basic', () => ({
        status: 200,
        headers: { link: `<${next}v2/a/tags/list>; rel="next"` },
        body: '{"tags":["1"],"repositories":["a"]}',
      }));

      await fails(tags(), 'PROTOCOL');
      await fails(repositories(), 'PROTOCOL');

      deepEqual(elsewhere(wire), []);
    }
  });
});

describe('a foreign layer', () => {
  it('is never asked for at its own URLs (CVE-2020-15157)', async () => {
    const { wire, repository } = scene('basic', () => ({ status: 404 }));

    await fails(read(repository, { ...LAYER, urls: ['https://evil.test/layer'] }), 'NOT_FOUND');

    deepEqual(elsewhere(wire), []);
  });
});

describe('a credential helper that fails', () => {
  it('is not replaced by the entry of another registry (CVE-2021-41092)', async () => {
    const file = {
      path: 'auth.json',
      json: {
        auths: { 'r.test': { auth: btoa('other:hunter-2') } },
        credHelpers: { 'r.test': 'broken' },
      },
    };
    const ask = async (): Promise<never> => {
      throw new RegistrySyncError('UNAUTHORIZED', 'the helper failed');
    };

    await fails(credentialsIn(file, 'r.test', 'a', ask), 'UNAUTHORIZED');
  });
});

describe('an error', () => {
  it('does not say what a proxy says, which may be what we sent', async () => {
    const { repository } = scene('basic', ({ headers }) => ({
      status: 403,
      body: `<html>denied: ${headers.authorization}</html>`,
    }));

    await fails(read(repository), 'UNAUTHORIZED');
  });

  it('does not say the signature in a storage URL', async () => {
    const { repository } = scene('basic', ({ url }) =>
      url.host === 'r.test' ? redirect('https://s.test/?sig=signature-of-it') : { status: 403 },
    );

    await fails(read(repository), 'UNAUTHORIZED');
  });
});
