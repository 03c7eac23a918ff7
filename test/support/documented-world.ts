/**
 * The registries that our pages speak of, under their names: Azure's `gsoci`, Docker Hub, and some at
 * example.com, with images in them.
 */
import { readFile } from 'node:fs/promises';

import { startAcr, type Acr } from './acr/acr.ts';
import { startDockerHub, type DockerHub } from './docker-hub/docker-hub.ts';
import { DOCKER_HUB_NAMES } from './docker-hub/options.ts';
import { image, index, layer, type BuiltImage } from './images.ts';
import { startNamesProxy } from './names-proxy.ts';
import { startRegistry, type Registry } from './registry/registry.ts';
import { createStore, putImage, type Store } from './registry/store.ts';
import { tempDir } from './temp-dir.ts';
import { createCertificates } from './tls.ts';

const GSOCI = 'gsoci.azurecr.io';
const STORAGE = 'weurmanaged42.blob.core.windows.net';
/** Where images come from. */
const SOURCES = [
  'registry.example.com',
  'r.example.com',
  'a.example.com',
  'ghcr.io',
  'quay.io',
  'registry.gitlab.com',
];
/** Where they go. */
const TARGETS = ['mirror.example.com', 'b.example.com', 'registry.io'];
const LOGIN = { user: 'acme', password: 'dckr_pat_battery-staple' };

export interface DocumentedWorld extends AsyncDisposable {
  /** What a program needs to find the names, and to be let in. */
  readonly env: Readonly<Record<string, string>>;
  readonly source: Registry;
  readonly target: Registry;
  readonly gsoci: Acr;
  readonly hub: DockerHub;
}

export async function startDocumentedWorld(): Promise<DocumentedWorld> {
  const dir = await tempDir();
  const names = [GSOCI, STORAGE, ...SOURCES, ...TARGETS, ...DOCKER_HUB_NAMES];
  const certificates = await createCertificates(dir.path, names);
  const tls = {
    key: await readFile(certificates.serverKey),
    cert: await readFile(certificates.serverCert),
  };
  const store = filled(createStore());
  const source = await startRegistry({ tls, store });
  const target = await startRegistry({ tls });
  const gsoci = await startAcr({
    tls,
    store: filled(createStore()),
    storageName: STORAGE,
    users: { [LOGIN.user]: { password: LOGIN.password } },
  });
  const hub = await startDockerHub({
    tls,
    accounts: {
      [LOGIN.user]: { password: LOGIN.password, namespaces: ['acme', 'giantswarm', 'me'] },
    },
  });
  fillTargets(hub.store, target.store);
  const proxy = await startNamesProxy({
    ...hub.places,
    [GSOCI]: gsoci.url,
    [STORAGE]: gsoci.storageUrl,
    ...Object.fromEntries(SOURCES.map((name) => [name, source.url])),
    ...Object.fromEntries(TARGETS.map((name) => [name, target.url])),
  });
  return {
    env: {
      HTTPS_PROXY: proxy.url,
      NODE_EXTRA_CA_CERTS: certificates.caCert,
      SOURCE_USERNAME: LOGIN.user,
      SOURCE_PASSWORD: LOGIN.password,
      TARGET_USERNAME: LOGIN.user,
      TARGET_PASSWORD: LOGIN.password,
    },
    source,
    target,
    gsoci,
    hub,
    async [Symbol.asyncDispose]() {
      await Promise.all([
        source.close(),
        target.close(),
        gsoci.close(),
        hub.close(),
        proxy.close(),
      ]);
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Two namespaces and some levels, with versions of each. */
function filled(store: Store): Store {
  const paths = [
    'acme/web',
    'acme/team/api',
    'giantswarm/operator',
    'team/web',
    'team/app',
    'a/b/c',
    'me/shop/web',
  ];
  for (const path of paths) {
    for (const tag of ['1.0', '2.0', '2.1']) putImage(store, path, tag, imageOf(`${path}:${tag}`));
    putImage(store, path, 'latest', multi(`${path}:latest`));
  }
  for (const version of ['latest', 'stable', ...Array.from({ length: 12 }, (_, n) => `v1.${n}`)]) {
    putImage(store, 'app', version, imageOf(`app:${version}`));
  }
  return store;
}

/** What is there before anything is copied. */
function fillTargets(hub: Store, target: Store): void {
  for (const tag of ['7', '8']) putImage(hub, 'library/redis', tag, multi(`redis:${tag}`));
  putImage(target, 'team/old', '1.0', imageOf('old'));
}

const BASE = layer({ seed: 'base of the documented world' });

function imageOf(seed: string): BuiltImage {
  return image({ seed, layers: [BASE, layer({ seed })] });
}

function multi(seed: string): BuiltImage {
  const platforms = ['amd64', 'arm64'].map((architecture) => ({
    image: image({ seed: `${seed} ${architecture}`, layers: [BASE] }),
    platform: { os: 'linux', architecture },
  }));
  return index(platforms);
}
