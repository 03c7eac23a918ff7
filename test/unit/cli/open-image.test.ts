/** Images that registries.conf has read elsewhere, from emulated registries whose requests are counted. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';

import { Secrets } from '../../../src/base/redact.ts';
import type { RunIo } from '../../../src/cli/command.ts';
import { Images, type ImagesSettings } from '../../../src/cli/open-image.ts';
import type { Access } from '../../../src/cli/options/access.ts';
import { createRuntime } from '../../../src/cli/runtime.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { parseLocation } from '../../../src/store/location.ts';
import { blobDescriptor, NEVER } from '../../support/client.ts';
import { image } from '../../support/images.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../support/registry/registry.ts';
import { createStore, putImage, type Store } from '../../support/registry/store.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { createCertificates } from '../../support/tls.ts';

const IMAGE = image({ seed: 'wanted' });
const OTHER = image({ seed: 'other' });

/** A store with an image under a name; empty without one. */
function holding(name?: string, built = IMAGE): Store {
  const store = createStore();
  if (name !== undefined) putImage(store, name, '1', built);
  return store;
}

interface Scene extends AsyncDisposable {
  readonly registries: readonly Registry[];
  readonly images: Images;
  readonly log: () => string;
}

interface SceneOptions {
  readonly registries: readonly RegistryOptions[];
  /** registries.conf; `$0` is the first registry's host. */
  readonly conf: string;
  readonly access?: Access;
  readonly env?: Readonly<Record<string, string>>;
}

async function scene({
  registries: options,
  conf,
  access = {},
  env,
}: SceneOptions): Promise<Scene> {
  const dir = await tempDir();
  const registries = await Promise.all(options.map(startRegistry));
  const file = join(dir.path, 'registries.conf');
  await writeFile(
    file,
    conf.replaceAll(/\$(\d)/g, (_, n: string) => registries[Number(n)]?.host ?? ''),
  );
  const stderr = new PassThrough().setEncoding('utf8');
  const [stopping, aborting] = [new AbortController(), new AbortController()];
  const io: RunIo = {
    env: { HOME: dir.path, ...env },
    stdout: new PassThrough(),
    stderr,
    version: '0.0.0',
    shutdown: { stopping: stopping.signal, signal: aborting.signal, graceMs: 0 },
    secrets: new Secrets(),
    conclude: () => {},
  };
  const values = {
    'log-format': 'text',
    quiet: false,
    debug: true,
    'retry-times': 0,
    'max-connections': 8,
    'allow-private-host': [],
    'registries-conf': file,
  };
  const runtime = await createRuntime(values, io);
  const settings: ImagesSettings = { runtime, access, variables: 'SOURCE' };
  let log = '';
  return {
    registries,
    images: new Images(settings),
    log: () => (log += (stderr.read() as string | null) ?? ''),
    async [Symbol.asyncDispose]() {
      await Promise.all(registries.map((registry) => registry.close()));
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Reads an image, a blob of it included, and says by its digest what it was. */
async function read({ images }: Scene, text: string): Promise<string> {
  await using source = await images.source(parseLocation(text), NEVER);
  const root = await source.manifest('root', NEVER);
  const [blob] = IMAGE.blobs;
  if (blob) ok(await source.blob(blobDescriptor(blob), NEVER));
  return digestOf(root.bytes);
}

/** What was asked for, of each registry. */
const asked = ({ registries }: Scene): string[][] =>
  registries.map(({ requests }) =>
    requests.map(({ method, path }) => `${method} ${path.replace(/sha256:.*/, 'D')}`),
  );

const MIRRORED = `
[[registry]]
location = "$2"
[[registry.mirror]]
location = "$0/cache"
[[registry.mirror]]
location = "$1"
`;

describe('an image with mirrors', () => {
  it('is read from the first that has it, and no other is asked', async () => {
    await using s = await scene({
      registries: [
        { store: holding() },
        { store: holding('a/b') },
        { store: holding('a/b', OTHER) },
      ],
      conf: MIRRORED,
    });

    equal(await read(s, `docker://${s.registries[2]?.host}/a/b:1`), IMAGE.root.digest);

    deepEqual(asked(s), [
      ['GET /v2/', 'GET /v2/cache/a/b/manifests/1'],
      ['GET /v2/', 'GET /v2/a/b/manifests/1', 'GET /v2/a/b/blobs/D'],
      [],
    ]);
    match(s.log(), /this mirror failed/);
  });

  it('is looked for by head in the same order', async () => {
    await using s = await scene({
      registries: [{ store: holding() }, { store: holding() }, { store: holding('a/b') }],
      conf: MIRRORED,
    });
    const location = parseLocation(`docker://${s.registries[2]?.host}/a/b:1`);
    await using source = await s.images.source(location, NEVER);

    equal((await source.head(NEVER))?.digest, IMAGE.root.digest);
    await source.manifest('root', NEVER);

    deepEqual(asked(s), [
      ['GET /v2/', 'HEAD /v2/cache/a/b/manifests/1'],
      ['GET /v2/', 'HEAD /v2/a/b/manifests/1'],
      ['GET /v2/', 'HEAD /v2/a/b/manifests/1', 'GET /v2/a/b/manifests/1'],
    ]);
  });
});

describe('an image with mirrors, and what they lack', () => {
  it('is not where no place has it, and all are named when they fail', async () => {
    await using s = await scene({
      registries: [{ store: holding() }, { store: holding() }, { store: holding() }],
      conf: MIRRORED,
    });
    const [first, second, third] = s.registries.map(({ host }) => host);
    const text = `docker://${third}/a/b:1`;
    await using source = await s.images.source(parseLocation(text), NEVER);

    equal(await source.head(NEVER), undefined);
    await rejects(read(s, text), ({ message }: Error) =>
      [first, second, third].every((host) => message.includes(`${host}`)),
    );
  });

  it('is read from a mirror that lies only if it is by tag: digests are checked', async () => {
    const store = holding('a/b');
    const lying = holding('cache/a/b', OTHER);
    const { manifests } = lying.repositories.get('cache/a/b') ?? { manifests: new Map() };
    const { mediaType, bytes } = OTHER.root;
    manifests.set(IMAGE.root.digest, { mediaType, bytes });
    await using s = await scene({
      registries: [{ store: lying }, { store: holding() }, { store }],
      conf: MIRRORED,
    });

    const text = `docker://${s.registries[2]?.host}/a/b@${IMAGE.root.digest}`;
    equal(await read(s, text), IMAGE.root.digest);
  });

  it('is written to its own place, which is also where its tags are', async () => {
    await using s = await scene({
      registries: [{ store: holding('cache/a/b') }, { store: holding() }, { store: holding() }],
      conf: MIRRORED,
    });
    const location = parseLocation(`docker://${s.registries[2]?.host}/a/b:1`);
    await using sink = await s.images.sink(location, NEVER);

    await sink.head(NEVER);

    deepEqual(
      asked(s).map(({ length }) => length),
      [0, 0, 2],
    );
  });
});

describe('credentials and mirrors', () => {
  const users = { me: { password: 'secret-1' } };
  const closed: RegistryOptions = { store: holding('a/b'), auth: { scheme: 'basic', users } };
  const conf = '[[registry]]\nlocation = "$1"\n[[registry.mirror]]\nlocation = "$0"';

  for (const [what, given] of [
    ['options', { access: { username: 'me', password: 'secret-1' } }],
    ['variables', { env: { SOURCE_USERNAME: 'me', SOURCE_PASSWORD: 'secret-1' } }],
  ] as const) {
    it(`gives no mirror what ${what} say of the registry`, async () => {
      await using s = await scene({ registries: [closed, closed], conf, ...given });

      equal(await read(s, `docker://${s.registries[1]?.host}/a/b:1`), IMAGE.root.digest);

      const shown = s.registries.map(({ requests }) =>
        requests.some(({ headers }) => headers.authorization !== undefined),
      );
      deepEqual(shown, [false, true]);
    });
  }
});

/** Of a server that nobody trusts. */
async function keysIn(path: string): Promise<{ key: Buffer; cert: Buffer }> {
  const { serverKey, serverCert } = await createCertificates(path);
  return { key: await readFile(serverKey), cert: await readFile(serverCert) };
}

describe('insecure and blocked', () => {
  it('takes any certificate of the location that is named, and of no other', async () => {
    await using dir = await tempDir();
    const tls = await keysIn(dir.path);
    const registries = [
      { tls, store: holding('a/b') },
      { tls, store: holding('a/b') },
    ];
    const conf = '[[registry]]\nlocation = "$0/a"\ninsecure = true';
    await using s = await scene({ registries, conf });
    const [named, other] = s.registries.map(({ host }) => host);

    equal(await read(s, `docker://${named}/a/b:1`), IMAGE.root.digest);
    await rejects(read(s, `docker://${named}/b/b:1`), { code: 'UNAVAILABLE' });
    await rejects(read(s, `docker://${other}/a/b:1`), { code: 'UNAVAILABLE' });
  });

  it('is less than an option', async () => {
    await using dir = await tempDir();
    const tls = await keysIn(dir.path);
    const registries = [{ tls, store: holding('a/b') }];
    const conf = '[[registry]]\nlocation = "$0"\ninsecure = true';
    await using s = await scene({ registries, conf, access: { tlsVerify: true } });

    await rejects(read(s, `docker://${s.registries[0]?.host}/a/b:1`), { code: 'UNAVAILABLE' });
  });

  it('asks nothing of what is blocked, to read or to write', async () => {
    const conf = '[[registry]]\nlocation = "$0/a"\nblocked = true';
    await using s = await scene({ registries: [{ store: holding('a/b') }], conf });
    const location = parseLocation(`docker://${s.registries[0]?.host}/a/b:1`);
    const expected = { code: 'REJECTED', message: /is blocked in .*registries\.conf/ };

    await rejects(s.images.source(location, NEVER), expected);
    await rejects(s.images.sink(location, NEVER), expected);

    deepEqual(asked(s), [[]]);
  });
});
