import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';

import { digestOf } from '../../../src/image/digest.ts';
import { readManifest } from '../../../src/image/manifest.ts';
import type { ImageSource } from '../../../src/image/source-and-sink.ts';
import { parseLocation, type StoreLocation } from '../../../src/store/location.ts';
import { openStoreSink, openStoreSource, type StoreSettings } from '../../../src/store/open.ts';
import { archivedImage, archiveEntries } from '../../support/docker-archive.ts';
import { tarOf } from '../../support/tar-bytes.ts';
import { tempDir } from '../../support/temp-dir.ts';

const never = new AbortController().signal;
const IMAGE = archivedImage({ seed: 'daemon', layerBytes: 300_000 });
const ARCHIVE = tarOf(archiveEntries([{ image: IMAGE, tags: ['one:1'] }]));

type Answer = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

interface FakeDaemon {
  readonly settings: StoreSettings;
  readonly tmpdir: string;
  /** What was asked: `GET /v1.41/images/one:1/get`. */
  readonly asked: string[];
}

/** Runs `work` beside a daemon that answers pings itself, and all else by `answer`. */
async function withDaemon<T>(
  answer: Answer,
  work: (daemon: FakeDaemon) => Promise<T>,
  version: string | undefined = '1.41',
): Promise<T> {
  await using dir = await tempDir();
  await using tmp = await tempDir();
  const socket = join(dir.path, 'socket');
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (request.url !== '/_ping') return void answer(request, response);
    if (version !== undefined) response.setHeader('api-version', version);
    response.end('OK');
  }).listen(socket);
  await once(server, 'listening');
  const settings = { tmpdir: tmp.path, env: { DOCKER_HOST: `unix://${socket}` } };
  try {
    return await work({ settings, asked, tmpdir: tmp.path });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

function open(settings: StoreSettings, reference = 'one:1', signal = never): Promise<ImageSource> {
  return openStoreSource(
    parseLocation(`docker-daemon:${reference}`) as StoreLocation,
    settings,
    signal,
  );
}

async function load(settings: StoreSettings, reference = 'one:1', signal = never): Promise<void> {
  const location = parseLocation(`docker-daemon:${reference}`) as StoreLocation;
  await using sink = await openStoreSink(location, settings, signal);
  for (const { mediaType, bytes } of IMAGE.blobs) {
    const target = { mediaType, digest: digestOf(bytes), size: bytes.length };
    await sink.putBlob(target, async () => bytes, signal);
  }
  await sink.putManifest(readManifest(IMAGE.root.bytes, IMAGE.root.mediaType), 'root', signal);
}

describe('an image of a docker daemon', () => {
  it('is asked for in the version that the daemon has, and read', async () => {
    const { asked, root } = await withDaemon(
      (_, response) => void response.end(ARCHIVE),
      async ({ settings, ...daemon }) => {
        await using source = await open(settings, 'registry.test:5000/a/one:1');
        const { bytes } = await source.manifest('root', never);
        return { asked: daemon.asked, root: Buffer.from(bytes) };
      },
      '1.52',
    );

    deepEqual(asked, ['GET /_ping', 'GET /v1.52/images/registry.test:5000/a/one:1/get']);
    deepEqual(root, IMAGE.root.bytes);
  });

  it('is asked for without a version when the daemon names none', async () => {
    for (const version of [undefined, '../x']) {
      const answer: Answer = (_, response) => void response.end(ARCHIVE);
      const work = async ({ settings, asked }: FakeDaemon): Promise<readonly string[]> => {
        await using source = await open(settings);
        equal(source.name, 'docker-daemon:one:1');
        return asked;
      };
      const asked = await withDaemon(answer, work, version ?? '');

      deepEqual(asked.slice(1), ['GET /images/one:1/get']);
    }
  });
});

describe('an image that a docker daemon can not hand out', () => {
  const failures: [string, Answer, string, RegExp][] = [
    [
      'is absent',
      (_, response) => void response.writeHead(404).end('{"message":"no such image"}'),
      'NOT_FOUND',
      /^docker-daemon:one:1: .* 404: no such image$/,
    ],
    [
      'fails',
      (_, response) => void response.writeHead(500).end('oh\nno'),
      'UNAVAILABLE',
      /500: oh no/,
    ],
    ['is no archive', (_, response) => void response.end('x'.repeat(5000)), 'PROTOCOL', /no tar/],
    [
      'breaks off',
      (_, response) => {
        response.writeHead(200, { 'content-length': ARCHIVE.length });
        response.write(ARCHIVE.subarray(0, 5000), () => response.destroy());
      },
      'UNAVAILABLE',
      /broke off/,
    ],
  ];
  for (const [shown, answer, code, message] of failures) {
    it(`that ${shown} is ${code}, and leaves nothing behind`, async () => {
      await withDaemon(answer, async ({ settings, tmpdir }) => {
        await rejects(open(settings), { code, message });
        deepEqual(await readdir(tmpdir), []);
      });
    });
  }

  it('is given up when the run is', async () => {
    const abort = new AbortController();
    await withDaemon(
      () => setImmediate(() => abort.abort()) && undefined,
      async ({ settings }) => {
        await rejects(open(settings, 'one:1', abort.signal), { code: 'CANCELLED' });
      },
    );
  });
});

describe('an image is loaded into a docker daemon', () => {
  it('whole, under its name and others', async () => {
    const bodies: Buffer[] = [];
    const asked = await withDaemon(
      async (request, response) => {
        bodies.push(await buffer(request));
        equal(request.headers['content-length'], String(bodies[0]?.length));
        response.end('{"stream":"Loaded image: one:1\\n"}\n');
      },
      async (daemon) => {
        await load({ ...daemon.settings, additionalTags: ['docker.io/library/two:2'] });
        deepEqual(await readdir(daemon.tmpdir), []);
        return daemon.asked;
      },
    );

    deepEqual(asked, ['GET /_ping', 'POST /v1.41/images/load?quiet=1']);
    match(
      bodies[0]?.toString('latin1') ?? '',
      /"RepoTags":\["docker.io\/library\/one:1","docker.io\/library\/two:2"\]/,
    );
  });
});

describe('an image is not loaded into a docker daemon', () => {
  const failures: [string, Answer, string, RegExp][] = [
    [
      'answers with an error in its stream',
      (request, response) => {
        request.resume();
        request.once('end', () =>
          response.end(
            '{"stream":"…"}\n{"errorDetail":{"message":"no space\\nleft"},"error":"x"}\n',
          ),
        );
      },
      'REJECTED',
      /refuses it: no space left$/,
    ],
    [
      'refuses before it has read all',
      (_, response) => void response.writeHead(400).end('{"message":"not today"}'),
      'REJECTED',
      /400: not today/,
    ],
    [
      'answers what is no JSON',
      (_, response) => void response.end('<html>'),
      'PROTOCOL',
      /no JSON/,
    ],
    [
      'does not stop talking',
      (_, response) => void response.end('\n'.repeat(2 * 1024 ** 2)),
      'PROTOCOL',
      /more than 1048576 bytes/,
    ],
    ['goes away', (request) => void request.socket.destroy(), 'UNAVAILABLE', /no Docker daemon/],
  ];
  for (const [shown, answer, code, message] of failures) {
    it(`that ${shown}: ${code}`, async () => {
      await withDaemon(answer, async ({ settings, tmpdir }) => {
        await rejects(load(settings), { code, message });
        deepEqual(await readdir(tmpdir), []);
      });
    });
  }

  for (const reference of [`sha256:${'a'.repeat(64)}`, `one@sha256:${'a'.repeat(64)}`]) {
    it(`not under ${reference.slice(0, 20)}…`, async () => {
      const settings = { tmpdir: '/tmp', env: {} };

      await rejects(load(settings, reference), { code: 'USAGE', message: /NAME:TAG/ });
    });
  }
});

describe('a docker daemon', () => {
  const settings = (daemonHost: string): StoreSettings => ({ tmpdir: '/tmp', env: {}, daemonHost });

  it('that does not run is UNAVAILABLE, with its address and what to do', async () => {
    await rejects(open(settings('unix:///nonexistent/docker.sock')), {
      code: 'UNAVAILABLE',
      message:
        'docker-daemon:one:1: no Docker daemon answers at unix:///nonexistent/docker.sock (there is no such socket): start it, or say where it is by DOCKER_HOST, --src-daemon-host or --dest-daemon-host',
    });
    await rejects(open(settings('tcp://127.0.0.1:1')), {
      code: 'UNAVAILABLE',
      message: /tcp:\/\/127\.0\.0\.1:1 \(.*ECONNREFUSED/,
    });
  });

  for (const host of [
    'ssh://user:secret@host',
    'unix://',
    'npipe:////./pipe/x',
    'host:2375',
    '/x',
  ]) {
    it(`can't be at ${host}`, async () => {
      await rejects(open(settings(host)), (error) => {
        const { code, message } = error as { code?: string; message: string };
        equal(code, 'USAGE');
        equal(message.includes('secret'), false);
        return true;
      });
    });
  }
});
