/** A sync in the process, between two emulated registries that want tokens: two rows, of which one can meet faults. */
import { equal, ok } from 'node:assert/strict';

import { createTransfers } from '../../src/copy/run.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { ALL } from '../../src/copy/select.ts';
import { Repository } from '../../src/registry/repository.ts';
import { createMapping } from '../../src/sync/mapping.ts';
import type { MappedRow } from '../../src/sync/rows.ts';
import { syncTags, type TagOutcome } from '../../src/sync/sync.ts';
import { NEVER } from '../support/client.ts';
import { collect } from '../support/collect.ts';
import { artifact, image, layer, type BuiltImage } from '../support/images.ts';
import type { AuthOptions } from '../support/registry/auth.ts';
import { startRegistry, type Registry } from '../support/registry/registry.ts';
import { createStore, digestOf, putImage, repositoryOf } from '../support/registry/store.ts';
import { createNet, USERS, type Net, type NetOptions } from './net.ts';

const MIB = 1024 * 1024;
const SHARED = layer({ seed: 'shared' });
/** Sent by PATCH, as blobs above 4 MiB are. */
export const LARGE = layer({ seed: 'large', layerBytes: 4 * MIB + 1 });

/** The repository whose requests meet the faults, and one that shares a blob with it. */
export const APP = 'acme/app';
const REPOSITORIES = [APP, 'acme/lib'];

function imageOf(path: string, isLarge: boolean): BuiltImage {
  const own = isLarge && path === APP ? LARGE : layer({ seed: path });
  return image({ seed: path, layers: [own, SHARED] });
}

/** By whether the large layer is in them; made once. */
const IMAGES = [false, true].map(
  (isLarge) => new Map(REPOSITORIES.map((path) => [path, imageOf(path, isLarge)])),
);

export interface SceneOptions extends NetOptions {
  /** One layer of `APP` is `LARGE`. */
  readonly large?: boolean | undefined;
  /** The target has what is attached to the image of `APP`, but not the image. */
  readonly attached?: boolean | undefined;
  /** By default both registries give tokens of their own. */
  readonly sourceAuth?: AuthOptions;
  readonly targetAuth?: AuthOptions;
}

export interface Scene extends AsyncDisposable {
  readonly source: Registry;
  readonly target: Registry;
  /** What `source` and `target` hold, on other origins that ask for nothing. */
  readonly mirrors: { readonly source: Registry; readonly target: Registry };
  readonly net: Net;
  /** Syncs all rows at once; the outcomes are by repository. */
  sync(): Promise<Record<string, TagOutcome>>;
  /** Fails unless the target holds the images of these repositories with all that belongs to them. */
  expectWhole(repositories: readonly string[]): void;
}

const OWN_TOKENS: AuthOptions = { scheme: 'bearer', users: USERS };

export async function startScene(options: SceneOptions = {}): Promise<Scene> {
  const { large = false, sourceAuth = OWN_TOKENS, targetAuth = OWN_TOKENS } = options;
  const stores = { source: createStore(), target: createStore() };
  const images = IMAGES[large ? 1 : 0] ?? new Map<string, BuiltImage>();
  for (const [path, built] of images) putImage(stores.source, path, '1', built);
  const { root } = images.get(APP) ?? image();
  const sbom = artifact({ artifactType: 'test/sbom', subject: root });
  putImage(stores.source, APP, undefined, sbom);
  if (options.attached === true) putImage(stores.target, APP, undefined, sbom);
  const [source, target, sourceMirror, targetMirror] = await Promise.all([
    startRegistry({ store: stores.source, auth: sourceAuth }),
    // So that lists of referrers are kept by us, which takes requests of all classes.
    startRegistry({ store: stores.target, auth: targetAuth, referrersApi: false }),
    startRegistry({ store: stores.source }),
    startRegistry({ store: stores.target, referrersApi: false }),
  ]);
  const net = createNet(options);
  const registries = [source, target, sourceMirror, targetMirror];
  return {
    source,
    target,
    mirrors: { source: sourceMirror, target: targetMirror },
    net,
    sync: () => syncAll(net, source, target),
    expectWhole(repositories) {
      for (const path of repositories) expectSame(source, target, path);
      if (!repositories.includes(APP)) return;
      const { tags, manifests } = repositoryOf(target.store, APP);
      ok(manifests.has(sbom.root.digest), 'what is attached is there');
      const index = tags.get(root.digest.replace(':', '-')) ?? '';
      ok(manifests.get(index)?.bytes.includes(sbom.root.digest), 'what is attached is listed');
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(registries.map((registry) => registry.close()));
    },
  };
}

async function syncAll(
  net: Net,
  source: Registry,
  target: Registry,
): Promise<Record<string, TagOutcome>> {
  const [from, to] = [net.client(source.host), net.client(target.host)];
  const map = createMapping({
    source: source.host,
    target: target.host,
    targetNamespace: undefined,
    targetPath: 'keep',
    appendSuffix: '',
  });
  async function* rows(): AsyncGenerator<MappedRow> {
    for (const [line, path] of REPOSITORIES.entries()) {
      const [namespace = '', repository = ''] = path.split('/');
      const row = { line, namespace, repository, tag: '1' };
      yield { row, ...map(row) };
    }
  }
  const selection = ALL;
  const outcomes = syncTags(rows(), {
    open: (pair) => ({
      source: new Repository(from, pair.source.path).source(
        pair.source.digest ?? pair.source.tag ?? '',
      ),
      sink: new Repository(to, pair.target.path).sink(pair.target.tag ?? ''),
    }),
    copy: createCopier({ transfers: createTransfers(8, 8), selection, referrers: 'copied' }),
    selection,
    jobs: REPOSITORIES.length,
    followMoved: true, // a HEAD at the source, and then all by digest
    dryRun: false,
    clock: net.clock,
    stopping: NEVER,
    signal: NEVER,
  });
  const all = await collect(outcomes);
  return Object.fromEntries(all.map((outcome) => [outcome.source.path, outcome]));
}

/** The target's repository holds what the source's holds, and its bytes are those of their digests. */
function expectSame(source: Registry, target: Registry, path: string): void {
  const from = repositoryOf(source.store, path);
  const to = repositoryOf(target.store, path);
  equal(to.tags.get('1'), from.tags.get('1'), `${path}: tag`);
  for (const digest of from.manifests.keys()) {
    equal(digestOf(to.manifests.get(digest)?.bytes ?? ''), digest, `${path}: manifest ${digest}`);
  }
  for (const digest of from.blobs) {
    ok(to.blobs.has(digest), `${path}: blob ${digest}`);
    equal(digestOf(target.store.blobs.get(digest) ?? ''), digest, `${path}: bytes of ${digest}`);
  }
}
