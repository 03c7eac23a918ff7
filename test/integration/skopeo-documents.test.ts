/**
 * What people read of `skopeo sync` works as it is written, or is refused with the reason: the
 * examples of three documents and of skopeo-sync(1), with servers of the test under the real names.
 */
import { deepEqual, equal, match } from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';

import { runCli, type CliResult } from '../support/cli.ts';
import { startDockerHub, type DockerHub } from '../support/docker-hub/docker-hub.ts';
import { DOCKER_HUB_NAMES } from '../support/docker-hub/options.ts';
import { image } from '../support/images.ts';
import { startNamesProxy, type NamesProxy } from '../support/names-proxy.ts';
import { startTokenServer, type TokenServer } from '../support/registry/auth.ts';
import { quirksOf } from '../support/registry/quirks.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { createStore, putImage, snapshot } from '../support/registry/store.ts';
import { missingOf } from '../support/synced.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { createCertificates, type Certificates } from '../support/tls.ts';

const GITLAB = 'registry.gitlab.com';
const GITLAB_TOKENS = 'gitlab.com';
const PRIVATE = ['private.registry.local', 'registry.local', 'registry.example.com', 'quay.io'];
const PAT = 'dckr_pat_battery-staple';
const TOKEN = 'glpat-horse';
const NAMES = ['api', 'web'];
const IMAGES = Object.fromEntries(NAMES.map((name) => [name, image({ seed: name })]));

let dir: TempDir;
let certificates: Certificates;
let tokens: TokenServer;
let gitlab: Registry;
let hub: DockerHub;
let other: Registry;
let proxy: NamesProxy;

before(async () => {
  dir = await tempDir();
  const names = [GITLAB, GITLAB_TOKENS, ...PRIVATE, ...DOCKER_HUB_NAMES];
  certificates = await createCertificates(dir.path, names);
  const tls = {
    key: await readFile(certificates.serverKey),
    cert: await readFile(certificates.serverCert),
  };
  const users = { marcin: { password: TOKEN } };
  tokens = await startTokenServer({ users, service: 'container_registry', tls });
  gitlab = await startRegistry({
    ...quirksOf('gitlab', { projects: ['acme/shop'] }),
    auth: { scheme: 'bearer', server: tokens, realm: new URL(`https://${GITLAB_TOKENS}/token`) },
    tls,
  });
  hub = await startDockerHub({ tls, accounts: { me: { password: PAT, namespaces: ['me'] } } });
  other = await startRegistry({ tls, store: createStore() });
  proxy = await startNamesProxy({
    ...hub.places,
    [GITLAB]: gitlab.url,
    [GITLAB_TOKENS]: tokens.url,
    ...Object.fromEntries(PRIVATE.map((name) => [name, other.url])),
  });
  for (const [name, one] of Object.entries(IMAGES)) {
    for (const tag of ['1.0', '2.0-release']) putImage(gitlab.store, `acme/shop/${name}`, tag, one);
  }
  const auth = Buffer.from(`me:${PAT}`).toString('base64');
  const auths = { 'https://index.docker.io/v1/': { auth } }; // as document 001 has it
  await writeFile(join(dir.path, 'auth.json'), JSON.stringify({ auths }));
});
beforeEach(() => {
  hub.store.repositories.clear();
  other.store.repositories.clear();
  for (const name of ['library/nginx', 'library/myapp']) {
    putImage(hub.store, name, 'latest', image({ seed: name }));
    putImage(hub.store, name, '1.2-release', image({ seed: name }));
  }
});
after(async () => {
  await Promise.all([gitlab.close(), tokens.close(), hub.close(), other.close(), proxy.close()]);
  await dir[Symbol.asyncDispose]();
});

function sync(...args: string[]): Promise<CliResult> {
  return runCli(['sync', ...args], {
    cwd: dir.path,
    env: {
      HTTPS_PROXY: proxy.url,
      NODE_EXTRA_CA_CERTS: certificates.caCert,
    },
  });
}

const DOCKERS = ['--src', 'docker', '--dest', 'docker'];

describe("document 001: GitLab's three parts to Docker Hub's two", () => {
  const LOGINS = ['--src-creds', `marcin:${TOKEN}`, '--dest-authfile', './auth.json'];

  /** What is given besides, and the names at Docker Hub. */
  const WAYS: [string[], string, string[]][] = [
    [['--prepend-image-suffix', 'shop-'], 'docker.io/me', ['me/shop-web']],
    [['--destination-path-style', 'flat'], 'docker.io/me', ['me/acme-shop-web']],
    [['--target-path', '{path:-}'], 'docker.io/me', ['me/shop-web']],
    [[], 'docker.io/me', ['me/web']],
  ];
  for (const [args, to, expected] of WAYS) {
    it(`syncs in one command with ${args.join(' ') || 'nothing more'}`, async () => {
      const from = `${GITLAB}/acme/shop/web`;
      const { code, stderr } = await sync(...args, ...DOCKERS, ...LOGINS, from, to);

      equal(code, 0, stderr);
      const names = Object.keys(snapshot(hub.store)).filter((name) => name.startsWith('me/'));
      deepEqual(
        names,
        expected.flatMap((name) => [`${name}:1.0`, `${name}:2.0-release`]),
      );
      deepEqual(missingOf(hub.store, expected[0] ?? '', IMAGES['web'] ?? image()), []);
    });
  }

  it('refuses names that are too deep before it copies, and says what to do', async () => {
    const style = ['--destination-path-style', 'scoped-without-registry'];
    const from = `${GITLAB}/acme/shop/web`;
    const { code, stderr } = await sync(...style, ...DOCKERS, ...LOGINS, from, 'docker.io/me');

    equal(code, 1);
    match(stderr, /names at Docker Hub have exactly 2 parts: --destination-path-style flat joins/);
    equal(hub.store.repositories.has('me/acme/shop/web'), false);
  });

  it('syncs a whole project by a file, each repository in its own way', async () => {
    await writeFile(
      join(dir.path, 'shop.yml'),
      `${GITLAB}:
  credentials: {username: marcin, password: ${TOKEN}}
  images:
    acme/shop/web: []
    acme/shop/api: ["1.0"]
  destination-path-style:
    acme/shop/web: flat
  target-path:
    acme/shop/api: "{path:_}"
`,
    );
    const to = ['--dest-authfile', './auth.json', 'shop.yml', 'docker.io/me'];
    const { code, stderr } = await sync('--src', 'yaml', '--dest', 'docker', ...to);

    equal(code, 0, stderr);
    deepEqual(
      Object.keys(snapshot(hub.store)).filter((name) => name.startsWith('me/')),
      ['me/acme-shop-web:1.0', 'me/acme-shop-web:2.0-release', 'me/shop_api:1.0'],
    );
  });
});

interface Example {
  /** After `sync`. */
  readonly args: readonly string[];
  readonly yaml?: string;
  /** Names at the other registry, or what is said of it. */
  readonly becomes: readonly string[] | RegExp;
}

const MIRROR = ['myapp:1.2-release', 'myapp:latest'];

const EXAMPLES: Record<string, Example> = {
  '000, 4: bulk synchronization with a filter': {
    args: [
      ...DOCKERS,
      '--filter',
      '.*-release$',
      'docker.io/library/myapp',
      'private.registry.local/myapp',
    ],
    becomes: ['myapp/myapp:1.2-release'],
  },
  '003: mirror single image': {
    args: [...DOCKERS, 'nginx:latest', 'registry.local/'],
    becomes: ['nginx:latest'],
  },
  '003: sync all tags': {
    args: [...DOCKERS, '--all', 'nginx', 'registry.local/'],
    becomes: ['nginx:1.2-release', 'nginx:latest'],
  },
  '003: sync from YAML': {
    args: ['--src', 'yaml', '--dest', 'docker', 'sync.yaml', 'registry.local/'],
    yaml: 'nginx:\n  - latest\n  - stable\n  - 1.21\nredis:\n  - alpine\n  - 6.2\n',
    becomes:
      /sync\.yaml:1: "nginx" has a list, but the first level is registries: write docker\.io/,
  },
  'skopeo-sync(1): to a container registry': {
    args: [...DOCKERS, 'docker.io/library/myapp', 'registry.local'],
    becomes: MIRROR,
  },
  'skopeo-sync(1): keeping the repository': {
    args: [...DOCKERS, 'docker.io/library/myapp', 'registry.local/repo'],
    becomes: MIRROR.map((name) => `repo/${name}`),
  },
  'skopeo-sync(1): with tag suffix': {
    args: [...DOCKERS, '--append-suffix', '-mirror', 'docker.io/library/myapp', 'registry.local'],
    becomes: MIRROR.map((name) => `${name}-mirror`),
  },
  'skopeo-sync(1): scoped': {
    args: [...DOCKERS, '--scoped', 'docker.io/library/myapp', 'registry.local'],
    becomes: MIRROR.map((name) => `docker.io/library/${name}`),
  },
};

/** What ends at files: with --dry-run, as it is the names that count here. */
const TO_FILES: Record<string, readonly [string[], RegExp]> = {
  '000, 5: mirror to an OCI layout': [
    ['--src', 'docker', '--dest', 'oci', 'docker.io/library/myapp', '/tmp/myapp-oci'],
    /to=oci:\/tmp\/myapp-oci:1\.2-release\n/,
  ],
  '001: to a directory': [
    ['--src', 'docker', '--dest', 'dir', 'docker.io/library/myapp', '/home/marcin/dockersync'],
    /to=dir:\/home\/marcin\/dockersync\/myapp:latest\n/,
  ],
  '003: download for offline use': [
    ['--src', 'docker', '--dest', 'dir', 'nginx:latest', '/offline-images/'],
    /to=dir:\/offline-images\/nginx:latest\n/,
  ],
  'skopeo-sync(1): to a local directory, scoped': [
    ['--src', 'docker', '--dest', 'dir', '--scoped', 'docker.io/library/myapp', '/media/usb'],
    /to=dir:\/media\/usb\/docker\.io\/library\/myapp:latest\n/,
  ],
};

describe('examples of documents', () => {
  for (const [title, { args, yaml, becomes }] of Object.entries(EXAMPLES)) {
    it(title, async () => {
      if (yaml !== undefined) await writeFile(join(dir.path, 'sync.yaml'), yaml);
      const { code, stderr } = await sync(...args);

      if (becomes instanceof RegExp) match(stderr, becomes);
      equal(code, becomes instanceof RegExp ? 1 : 0, stderr);
      const expected = becomes instanceof RegExp ? [] : becomes;
      deepEqual(Object.keys(snapshot(other.store)), expected.toSorted());
    });
  }

  for (const [title, [args, expected]] of Object.entries(TO_FILES)) {
    it(title, async () => {
      const { code, stderr } = await sync('--dry-run', ...args);

      match(stderr, expected);
      equal(code, 0);
    });
  }
});
