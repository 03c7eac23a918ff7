/** What a registry in memory holds: by digest, and by repository. */
import type { Content } from './content.ts';
import { blobOf, holdingOf, manifestOf, type Model } from './model.ts';
import { reply, type Reply } from './reply.ts';

export interface Held {
  readonly tags: Map<string, string>;
  readonly manifests: Set<string>;
  readonly blobs: Set<string>;
}

/** A manifest as it is answered: made once, sent often. */
export interface HeldManifest {
  readonly head: Reply;
  readonly get: Reply;
}

export interface HeldBlob {
  readonly size: number;
  /** What it is repeated of; absent where only the size was kept. */
  readonly block?: Buffer;
}

export interface Store {
  readonly repositories: Map<string, Held>;
  readonly manifests: Map<string, HeldManifest>;
  readonly blobs: Map<string, HeldBlob>;
  /** Bytes so far of each upload that is open. */
  readonly uploads: Map<string, number>;
}

export function emptyStore(): Store {
  return { repositories: new Map(), manifests: new Map(), blobs: new Map(), uploads: new Map() };
}

/** The repository, which is there from then on. */
export function heldIn({ repositories }: Store, name: string): Held {
  const known = repositories.get(name);
  if (known !== undefined) return known;
  const made: Held = { tags: new Map(), manifests: new Set(), blobs: new Set() };
  repositories.set(name, made);
  return made;
}

export function keepManifest(
  { manifests }: Store,
  digest: string,
  mediaType: string,
  bytes: Buffer,
): void {
  const headers = `content-type: ${mediaType}\r\ndocker-content-digest: ${digest}\r\netag: "${digest}"\r\n`;
  manifests.set(digest, {
    head: reply(200, `${headers}content-length: ${bytes.length}\r\n`),
    get: reply(200, headers, bytes),
  });
}

/** Puts in what a model has; the bytes of its blobs only where they will be read. */
export function load(store: Store, model: Model, bytes: 'with bytes' | 'sizes only'): void {
  for (const repository of model.repositories) {
    const { tags, manifests, blobs } = holdingOf(model, repository);
    store.repositories.set(repository.name, {
      tags: new Map(tags),
      manifests: new Set(manifests),
      blobs: new Set(blobs),
    });
    for (const digest of manifests) {
      if (store.manifests.has(digest)) continue;
      const manifest = manifestOf(model, digest);
      keepManifest(store, digest, manifest.mediaType, manifest.bytes);
    }
    for (const digest of blobs) {
      if (store.blobs.has(digest)) continue;
      const blob: Content = blobOf(model, digest);
      const { size } = blob;
      store.blobs.set(digest, bytes === 'with bytes' ? { size, block: blob.block() } : { size });
    }
  }
}
