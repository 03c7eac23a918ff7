/** Opens the images that a command names, of whatever transport, for one side of it. */
import { tmpdir } from 'node:os';

import type { ImageSink, ImageSource } from '../image/source-and-sink.ts';
import type { Reference } from '../image/reference.ts';
import type { RegistryClient } from '../registry/client.ts';
import { Repository } from '../registry/repository.ts';
import type { Location } from '../store/location.ts';
import { openStoreSink, openStoreSource, type StoreSettings } from '../store/open.ts';
import type { Access } from './options/access.ts';
import { connect, type Runtime } from './runtime.ts';

export interface ImagesSettings {
  readonly runtime: Runtime;
  readonly access: Access;
  /** Whose environment variables count. */
  readonly variables: 'SOURCE' | 'TARGET';
  /** What transports need that are no registries; `tmpdir` and `env` are known. */
  readonly store?: Partial<StoreSettings>;
  /** The other side: a registry that is both is one client's knowledge of blobs. */
  readonly other?: Images;
}

/** The images of one side. Registries are met once. */
export class Images {
  readonly #settings: ImagesSettings;
  readonly #clients = new Map<string, RegistryClient>();

  constructor(settings: ImagesSettings) {
    this.#settings = settings;
  }

  /** The client of a registry. */
  client(registry: string): RegistryClient {
    let client = this.#clients.get(registry);
    if (client === undefined) {
      const { runtime, access, variables, other } = this.#settings;
      const sharedBlobs = other?.known(registry)?.blobs;
      client = connect(runtime, { registry, access, variables, sharedBlobs });
      this.#clients.set(registry, client);
    }
    return client;
  }

  /** The client of a registry, if it was asked for before. */
  known(registry: string): RegistryClient | undefined {
    return this.#clients.get(registry);
  }

  repository({ registry, path }: Pick<Reference, 'registry' | 'path'>): Repository {
    return new Repository(this.client(registry), path);
  }

  async source(location: Location, signal: AbortSignal): Promise<ImageSource> {
    if (location.transport !== 'docker') {
      return openStoreSource(location, this.#store(), signal);
    }
    return this.repository(location.reference).source(versionOf(location.reference));
  }

  async sink(location: Location, signal: AbortSignal): Promise<ImageSink> {
    if (location.transport !== 'docker') return openStoreSink(location, this.#store(), signal);
    return this.repository(location.reference).sink(versionOf(location.reference));
  }

  #store(): StoreSettings {
    const { runtime, store } = this.#settings;
    return { tmpdir: runtime.env.TMPDIR || tmpdir(), env: runtime.env, ...store };
  }
}

/** Without a tag and a digest `latest` is meant. */
export function versionOf({ tag, digest }: Pick<Reference, 'tag' | 'digest'>): string {
  return digest ?? tag ?? 'latest';
}
