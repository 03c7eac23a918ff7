/**
 * What people read of skopeo works as it is written, or is refused with the reason: all commands but
 * `sync` of two guides, a block of theirs after the other, with servers of the test under the real names.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { runCli, type CliResult } from '../support/cli.ts';
import { startDockerHub, type DockerHub } from '../support/docker-hub/docker-hub.ts';
import { DOCKER_HUB_NAMES } from '../support/docker-hub/options.ts';
import { startDockerd } from '../support/dockerd.ts';
import { image, index, type BuiltImage } from '../support/images.ts';
import { startNamesProxy, type NamesProxy } from '../support/names-proxy.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { createStore, putImage, type Store } from '../support/registry/store.ts';
import { writeDir } from '../support/skopeo-dir.ts';
import { missingOf } from '../support/synced.ts';
import { tempDir } from '../support/temp-dir.ts';
import { createCertificates, type Certificates } from '../support/tls.ts';

const ARCH = process.arch === 'arm64' ? 'arm64' : 'amd64';
const REGION_HOSTS = ['us-east.io', 'eu-west.io', 'asia-pacific.io'];
const PRIVATE = ['private', 'secondary'].map((name) => `${name}.registry.local`);
const HOSTS = ['registry.local', 'registry.io', 'mirror.local', ...PRIVATE, ...REGION_HOSTS];

function one(seed: string, architecture = ARCH): BuiltImage {
  const platform = { os: 'linux', architecture };
  return image({ seed: `${seed} ${architecture}`, mediaTypes: 'docker', platform });
}

const NGINX = { amd64: one('nginx', 'amd64'), arm64: one('nginx', 'arm64') };
const NGINX_LIST = index(
  (['amd64', 'arm64'] as const).map((architecture) => ({
    image: NGINX[architecture],
    platform: { os: 'linux', architecture },
  })),
  { mediaTypes: 'docker' },
);
const [MYAPP, OTHER, LOCAL] = [one('myapp'), one('other'), one('local')];

/** What is at Docker Hub and at all others when a block begins. */
const AT_HUB: Record<string, BuiltImage> = {
  'library/nginx:latest': NGINX_LIST,
  ...Object.fromEntries(
    ['library/myapp:1.2.3', 'library/nginx:1.21', 'source/image:latest', 'library/source:latest']
      .concat(['build/app:v1', 'source/repo:1', 'library/large-image:latest'])
      .concat(['library/redis:alpine', 'library/postgres:15'])
      .map((name) => [name, MYAPP]),
  ),
  'library/myapp:1.3.0-release': OTHER,
  'source/repo:2': OTHER,
};
const VERSIONS = Array.from({ length: 12 }, (_, at) => `1.${at + 1}`);
const AT_OTHERS: Record<string, BuiltImage> = {
  ...Object.fromEntries(
    ['app:latest', 'app:staging', 'app:v1', 'app:dev-4a1', 'image:tag', 'test:latest']
      .concat(['app:stable'])
      .map((name) => [name, MYAPP]),
  ),
  ...Object.fromEntries(VERSIONS.map((tag) => [`old:${tag}`, one(tag)])),
  'old:latest': one('12 again'),
};

const dir = await tempDir();
const started = await startDockerd();
const daemon = 'daemon' in started ? started.daemon : undefined;
const noDaemon = 'reason' in started && started.reason;
let certificates: Certificates;
let hub: DockerHub;
let other: Registry;
let proxy: NamesProxy;
let home = dir.path;
let blocks = 0;

before(async () => {
  certificates = await createCertificates(dir.path, [...HOSTS, ...DOCKER_HUB_NAMES]);
  const { serverKey, serverCert } = certificates;
  const tls = { key: await readFile(serverKey), cert: await readFile(serverCert) };
  const namespaces = ['library', 'source', 'dest', 'build'];
  hub = await startDockerHub({ tls, accounts: { user: { password: 'pass', namespaces } } });
  const users = { username: { password: 'password' }, user: { password: 'pass' } };
  other = await startRegistry({ tls, store: createStore(), auth: { scheme: 'basic', users } });
  const others = Object.fromEntries(HOSTS.map((name) => [name, other.url]));
  proxy = await startNamesProxy({ ...hub.places, ...others });
});
after(async () => {
  await Promise.all([hub.close(), other.close(), proxy.close()]);
  await daemon?.[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});

/** A home of its own, with what a login has left there unless it is `new`. */
async function startBlock(login: 'logged in' | 'new'): Promise<void> {
  home = join(dir.path, `block-${(blocks += 1)}`);
  await mkdir(join(home, '.docker'), { recursive: true });
  const auth = Buffer.from('user:pass').toString('base64');
  const names = ['https://index.docker.io/v1/', ...HOSTS];
  const auths = login === 'new' ? {} : Object.fromEntries(names.map((name) => [name, { auth }]));
  await writeFile(join(home, '.docker/config.json'), JSON.stringify({ auths }));
  for (const [store, content] of [
    [hub.store, AT_HUB] as const,
    [other.store, AT_OTHERS] as const,
  ]) {
    store.repositories.clear();
    for (const [name, built] of Object.entries(content)) {
      const [repository = '', tag] = name.split(':');
      putImage(store, repository, tag, built);
    }
  }
}

/** A command as a shell without variables hands it over; files outside of the home are put below it. */
function skopeo(line: string, stdin = ''): Promise<CliResult> {
  const words = [...line.matchAll(/'[^']*'|"[^"]*"|\S+/g)].map(([word]) =>
    word
      .replaceAll(/^['"]|['"]$/g, '')
      .replace(/(^|:)\/(tmp|path)\//, `$1${home}/`)
      .replace(/^~/, home),
  );
  const env = {
    HOME: home,
    XDG_RUNTIME_DIR: home,
    HTTPS_PROXY: proxy.url,
    NODE_EXTRA_CA_CERTS: certificates.caCert,
    ...(daemon && { DOCKER_HOST: daemon.host }),
  };
  return runCli(words, { cwd: home, env, stdin });
}

/** The manifest under a name as `hub/source/repo:1` or `others/app:v1`. */
function placeOf(name: string): { store: Store; repository: string; tag: string } {
  const [, side = '', repository = '', tag = ''] = /^(\w+)\/(.*):(.*)$/.exec(name) ?? [];
  return { store: side === 'hub' ? hub.store : other.store, repository, tag };
}

function digestAt(name: string): string | undefined {
  const { store, repository, tag } = placeOf(name);
  return store.repositories.get(repository)?.tags.get(tag);
}

/** What is in its layers, however they are compressed. */
function contentAt(name: string): unknown {
  const { store, repository } = placeOf(name);
  const { bytes } = store.repositories.get(repository)?.manifests.get(digestAt(name) ?? '') ?? {};
  return bytes && contentOf(store.blobs.get(configOf(bytes)));
}

function contentOf(config: Buffer | undefined): unknown {
  return (JSON.parse(String(config)) as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids;
}

function configOf(manifest: Buffer): string {
  return (JSON.parse(String(manifest)) as { config: { digest: string } }).config.digest;
}

/** What `jq -r '.Tags[]'` prints, as words. */
function tagsOf({ stdout }: CliResult): string[] {
  return (JSON.parse(stdout) as { Tags: string[] }).Tags;
}

interface Expected {
  /** Written to stdin. */
  readonly stdin?: string;
  /** What is at these names then, byte by byte. */
  readonly leaves?: Readonly<Record<string, BuiltImage>>;
  /** The same layers, but for how they are compressed. */
  readonly remakes?: Readonly<Record<string, BuiltImage>>;
  /** A name that is no more. */
  readonly removes?: string;
  /** Where it differs: exit code 1, and this on stderr. */
  readonly refused?: RegExp;
  readonly code?: number;
  readonly check?: (result: CliResult) => unknown;
  /** Needs a daemon. */
  readonly daemon?: true;
}

/** Line of the document, the command there, and what becomes of it. */
type Example = readonly [line: number, command: string, expected: Expected];

function digestIs(built: BuiltImage): Expected {
  return {
    check: ({ stdout }) =>
      equal((JSON.parse(stdout) as { Digest: string }).Digest, built.root.digest),
  };
}

const SYSTEM = NGINX[ARCH];
const COPIED = { leaves: { 'hub/library/dest:latest': MYAPP } };
const IMAGE_COPIED = { leaves: { 'hub/dest/image:latest': MYAPP } };
/** The image for this machine is there, as a file. */
const IN_FILES = (place: string): Expected => ({
  check: async () =>
    deepEqual(
      contentOf((await skopeo(`inspect --config ${place}`)).stdoutBytes),
      contentOf(SYSTEM.blobs[0]?.bytes),
    ),
});
const ARCHIVED: Example = [
  40,
  'copy docker://nginx:latest docker-archive:nginx.tar',
  IN_FILES('docker-archive:nginx.tar'),
];
const DAEMON: Expected = { daemon: true, remakes: { 'others/myapp:latest': LOCAL } };
const FROM_DAEMON = 'copy docker-daemon:myapp:latest docker://registry.io/myapp:latest';
const SOURCE_DEST = 'docker://source/image docker://dest/image';
const LISTED = (tags: string[]): Expected => ({
  check: (result) => deepEqual(tagsOf(result), tags),
});
const LOGIN = (name: string): Expected => ({
  stdin: 'pass\n',
  check: async ({ stdout }) => {
    match(stdout, /Login Succeeded!/);
    equal((await skopeo(`login --get-login ${name}`)).stdout, 'user\n');
  },
});

const NEW_HOME = new Set(['000, 1: log in', '003: log in and out', '003: mirror images nightly']);

const BLOCKS: Record<string, readonly Example[]> = {
  '000, 1: log in': [
    [20, 'login docker.io --username "user" --password-stdin', LOGIN('docker.io')],
    [
      25,
      'login private.registry.local --username "user" --password-stdin',
      LOGIN('private.registry.local'),
    ],
  ],
  '000, 2 and 3, and its validation': [
    [33, 'list-tags docker://docker.io/library/myapp', LISTED(['1.2.3', '1.3.0-release'])],
    [
      40,
      'copy docker://docker.io/library/myapp:1.2.3 docker://private.registry.local/myapp:1.2.3',
      { leaves: { 'others/myapp:1.2.3': MYAPP } },
    ],
    ...['docker.io/library', 'private.registry.local'].map((at, more): Example => [
      73 + more,
      `inspect --format '{{.Digest}}' docker://${at}/myapp:1.2.3`,
      { check: ({ stdout }) => equal(stdout, `${MYAPP.root.digest}\n`) },
    ]),
    [83, 'list-tags docker://private.registry.local/myapp', LISTED(['1.2.3'])],
  ],
  '000, 5: from a layout': [
    [61, 'sync --src docker --dest oci docker.io/library/myapp /tmp/myapp-oci', {}],
    [
      65,
      'copy oci:/tmp/myapp-oci docker://secondary.registry.local/myapp',
      { refused: /myapp-oci.*(1\.2\.3|2 images)/ },
    ],
    [
      65,
      'copy oci:/tmp/myapp-oci:1.2.3 docker://secondary.registry.local/myapp',
      { remakes: { 'others/myapp:latest': MYAPP } },
    ],
  ],
  '003: basic usage': [
    [22, 'inspect docker://nginx:latest', digestIs(NGINX_LIST)],
    [
      25,
      'copy docker://nginx:latest docker://registry.local/nginx:latest',
      { leaves: { 'others/nginx:latest': SYSTEM } },
    ],
    [28, 'delete docker://registry.local/image:tag', { removes: 'others/image:tag' }],
    [31, 'list-tags docker://nginx', LISTED(['1.21', 'latest'])],
  ],
  '003: image operations': [
    [
      37,
      'copy docker://nginx:1.21 docker://nginx:stable',
      { leaves: { 'hub/library/nginx:stable': MYAPP } },
    ],
    ARCHIVED,
    [
      41,
      'copy docker-archive:nginx.tar docker://registry.local/nginx:v1',
      { remakes: { 'others/nginx:v1': SYSTEM } },
    ],
    [44, 'copy docker://nginx:latest oci:nginx-oci', IN_FILES('oci:nginx-oci')],
    [47, FROM_DAEMON, DAEMON],
  ],
  '003: inspect': [
    [
      56,
      'inspect --raw docker://nginx:latest',
      { check: ({ stdoutBytes }) => deepEqual(stdoutBytes, NGINX_LIST.root.bytes) },
    ],
    [
      59,
      'inspect --config docker://nginx:latest',
      { check: ({ stdout }) => match(stdout, new RegExp(`"architecture": ?"${ARCH}"`)) },
    ],
    [
      62,
      'inspect --override-os=linux --override-arch=arm64 docker://nginx:latest',
      {
        check: ({ stdout }) =>
          equal((JSON.parse(stdout) as { Architecture: string }).Architecture, 'arm64'),
      },
    ],
    [65, 'inspect docker://nginx:latest', digestIs(NGINX_LIST)],
    [
      68,
      'inspect docker://nginx:latest',
      {
        check: ({ stdout }) =>
          deepEqual(
            (JSON.parse(stdout) as { Layers: string[] }).Layers,
            SYSTEM.blobs.slice(1).map(({ digest }) => digest),
          ),
      },
    ],
  ],
  '003: log in and out': [
    [
      74,
      'login registry.io -u username -p password',
      { check: ({ stdout }) => match(stdout, /Login Succeeded!/) },
    ],
    [253, 'login --get-login registry.io', { check: ({ stdout }) => equal(stdout, 'username\n') }],
    [81, `copy --src-creds user:pass --dest-creds user:pass ${SOURCE_DEST}`, IMAGE_COPIED],
    [
      87,
      'logout registry.io',
      { check: async () => equal((await skopeo('login --get-login registry.io')).code, 1) },
    ],
  ],
  '003: a file of credentials': [
    [77, `copy --authfile ~/.docker/config.json ${SOURCE_DEST}`, IMAGE_COPIED],
  ],
  '003: multi-architecture images': [
    [
      118,
      'inspect --raw docker://nginx:latest',
      {
        check: ({ stdout }) => equal((JSON.parse(stdout) as { manifests: [] }).manifests.length, 2),
      },
    ],
    [
      121,
      'copy --all docker://nginx:latest docker://registry.local/nginx:latest',
      { leaves: { 'others/nginx:latest': NGINX_LIST } },
    ],
    [
      124,
      'copy --override-arch=arm64 docker://nginx:latest docker://registry.local/nginx:arm64',
      { leaves: { 'others/nginx:arm64': NGINX.arm64 } },
    ],
    [
      128,
      'inspect docker://nginx:latest', // tags, not architectures, in skopeo too
      {
        check: ({ stdout }) =>
          deepEqual((JSON.parse(stdout) as { RepoTags: [] }).RepoTags, ['1.21', 'latest']),
      },
    ],
  ],
  '003: signing': [
    [
      134,
      `copy --sign-by fingerprint ${SOURCE_DEST}`,
      { refused: /--sign-by: .*not supported yet/ },
    ],
    [138, `copy --sign-by-sigstore ${SOURCE_DEST}`, { refused: /copy takes 2 words/ }],
    [206, 'delete --signature docker://registry.io/image:tag', { refused: /option --signature/ }],
    [
      209,
      'standalone-sign manifest.json registry.io/image:tag fingerprint --output signature.json',
      { refused: /standalone-sign: .*not supported yet/ },
    ],
  ],
  '003: promotion and deployment': [
    [
      145,
      'copy docker://registry.io/app:staging docker://registry.io/app:production',
      { leaves: { 'others/app:production': MYAPP } },
    ],
    ...REGION_HOSTS.map((host): Example => [
      151,
      `copy docker://build/app:v1 docker://${host}/app:v1`,
      { check: () => ok(proxy.connected.includes(`${host}:443`)) },
    ]),
    [155, 'inspect docker://registry.io/app:v1', { leaves: { 'others/app:v1': MYAPP } }],
    [233, 'inspect docker://registry.io/app:absent', { code: 2 }],
    [241, 'inspect docker://registry.io/app:latest', digestIs(MYAPP)],
    [
      242, // as `grep -q "$DIGEST"`
      'inspect docker://registry.io/app:v1',
      { check: ({ stdout }) => ok(stdout.includes(MYAPP.root.digest)) },
    ],
    ...['dev staging', 'staging production'].map((pair): Example => {
      const [from = '', to = ''] = pair.split(' ');
      return [
        from === 'dev' ? 313 : 320,
        `copy docker://registry.io/app:${from}-4a1 docker://registry.io/app:${to}-4a1`,
        { leaves: { [`others/app:${to}-4a1`]: MYAPP } },
      ];
    }),
  ],
  '003: conversion': [
    [178, 'copy docker://nginx:latest oci:nginx-oci', IN_FILES('oci:nginx-oci')],
    [181, 'copy oci:nginx-oci docker-archive:nginx.tar', IN_FILES('docker-archive:nginx.tar')],
    [184, FROM_DAEMON, DAEMON],
    [
      187,
      'copy dir:/path/to/image docker://registry.io/image:tag',
      { leaves: { 'others/image:tag': OTHER } },
    ],
  ],
  '003: offline': [
    ARCHIVED,
    [
      196,
      'copy docker-archive:nginx.tar docker-daemon:nginx:latest',
      {
        daemon: true,
        check: async () =>
          equal(await daemon?.imageId('nginx:latest'), configOf(SYSTEM.root.bytes)),
      },
    ],
  ],
  '003: advanced, and trouble': [
    [
      215,
      'inspect --user-agent "MyApp/1.0" docker://nginx:latest',
      { check: () => equal(hub.requests.registry.at(-1)?.headers['user-agent'], 'MyApp/1.0') },
    ],
    [218, '--debug copy docker://source docker://dest', COPIED],
    [250, 'inspect docker://registry.io/test', digestIs(MYAPP)],
    [259, '--command-timeout=5m copy docker://large-image docker://dest', COPIED],
  ],
  '003: mirror images nightly': ['nginx:latest', 'redis:alpine', 'postgres:15'].map((name) => [
    303,
    `copy --dest-creds user:pass docker://docker.io/${name} docker://mirror.local/${name}`,
    { leaves: { [`others/${name}`]: name.startsWith('nginx') ? SYSTEM : MYAPP } },
  ]),
};

async function hold(expected: Expected, result: CliResult): Promise<void> {
  const { leaves = {}, remakes = {}, removes, refused } = expected;
  equal(result.code, expected.code ?? (refused ? 1 : 0), result.stderr);
  if (refused) match(result.stderr, refused);
  for (const [name, built] of Object.entries(leaves)) {
    const { store, repository } = placeOf(name);
    equal(digestAt(name), built.root.digest, name);
    deepEqual(missingOf(store, repository, built), []);
  }
  for (const [name, built] of Object.entries(remakes)) {
    deepEqual(contentAt(name), contentOf(built.blobs[0]?.bytes), name);
  }
  if (removes !== undefined) equal(digestAt(removes), undefined);
  await expected.check?.(result);
}

describe('examples of guides', () => {
  for (const [title, examples] of Object.entries(BLOCKS)) {
    describe(title, () => {
      before(async () => {
        await startBlock(NEW_HOME.has(title) ? 'new' : 'logged in');
        await writeDir(join(home, 'to/image'), OTHER);
        if (!examples.some(([, , { daemon: needed }]) => needed) || !daemon) return;
        await writeDir(join(home, 'local'), LOCAL);
        const { code, stderr } = await skopeo('copy dir:local docker-daemon:myapp:latest');
        equal(code, 0, stderr);
      });
      for (const [line, command, expected] of examples) {
        it(`${line}: skopeo ${command}`, { skip: expected.daemon && noDaemon }, async () => {
          await hold(expected, await skopeo(command, expected.stdin));
        });
      }
    });
  }
});

describe('loops of document 003', () => {
  before(() => startBlock('logged in'));

  it('163: copies each tag', async () => {
    for (const tag of tagsOf(await skopeo('list-tags docker://source/repo'))) {
      const line = `copy docker://source/repo:${tag} docker://dest/repo:${tag}`;
      await hold({}, await skopeo(line));
    }
    await hold(
      { leaves: { 'hub/dest/repo:1': MYAPP, 'hub/dest/repo:2': OTHER } },
      await skopeo('list-tags docker://dest/repo'),
    );
  });

  it('170: deletes all but the ten newest versions, and what is named otherwise', async () => {
    const tags = tagsOf(await skopeo('list-tags docker://registry.io/old'))
      .filter((tag) => !/latest|stable/.test(tag))
      .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })); // `sort -V`
    deepEqual(tags, VERSIONS);
    for (const tag of tags.slice(0, -10)) {
      await hold(
        { removes: `others/old:${tag}` },
        await skopeo(`delete docker://registry.io/old:${tag}`),
      );
    }
    deepEqual(tagsOf(await skopeo('list-tags docker://registry.io/old')), [
      ...VERSIONS.slice(2).toSorted(),
      'latest',
    ]);
  });
});
