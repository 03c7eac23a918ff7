/** Opens the images that a command names, of whatever transport, for one side of it. */
import type { ImageSink, ImageSource } from '../image/source-and-sink.ts';
import { formatReference, type Reference } from '../image/reference.ts';
import type { AzureCloudName } from '../registry/azure-clouds.ts';
import type { RegistryClient } from '../registry/client.ts';
import { MirroredSource } from '../registry/mirrored-source.ts';
import type { PullPlace, RegistryRules } from '../registry/registry-rules.ts';
import type { RegistrySource } from '../registry/registry-source.ts';
import { Repository } from '../registry/repository.ts';
import type { Location } from '../store/location.ts';
import { openStoreSink, openStoreSource, type StoreSettings } from '../store/open.ts';
import type { Access } from './options/access.ts';
import { connect, type Runtime } from './runtime.ts';
import { temporaryDirectory } from './temporary-directory.ts';

export interface ImagesSettings {
  readonly runtime: Runtime;
  readonly access: Access;
  /** Whose environment variables count. */
  readonly variables: 'SOURCE' | 'TARGET';
  /** What transports need that are no registries; `tmpdir` and `env` are known. */
  readonly store?: Partial<StoreSettings>;
  /** That registries and identities of Azure belong to. */
  readonly azureCloud?: AzureCloudName | undefined;
  /** The other side: a registry that is both is one client's knowledge of blobs. */
  readonly other?: Images;
}

/** How a registry is met. */
interface Met {
  readonly registry: string;
  readonly insecure: boolean;
  /** It is another registry than the user named. */
  readonly isStandIn?: boolean;
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
    return this.#client({ registry, insecure: this.#rules.isInsecure(registry) });
  }

  /** The client of a registry, if it was asked for before. */
  known(registry: string): RegistryClient | undefined {
    return [...this.#clients.values()].find((client) => client.registry === registry);
  }

  repository(reference: Pick<Reference, 'registry' | 'path'>): Repository {
    const { registry, path } = reference;
    const insecure = this.#rules.isInsecure(formatReference(reference));
    return new Repository(this.#client({ registry, insecure }), path);
  }

  async source(location: Location, signal: AbortSignal): Promise<ImageSource> {
    if (location.transport !== 'docker') {
      return openStoreSource(location, this.#store(), signal);
    }
    const { reference } = location;
    const places = this.#rules.pullPlaces(reference);
    const open = places.map((place) => () => this.#sourceAt(place, reference.registry));
    const [only, ...others] = open;
    if (only !== undefined && others.length === 0) return only();
    return new MirroredSource(formatReference(reference), open, this.#settings.runtime.log);
  }

  async sink(location: Location, signal: AbortSignal): Promise<ImageSink> {
    if (location.transport !== 'docker') return openStoreSink(location, this.#store(), signal);
    return this.repository(location.reference).sink(versionOf(location.reference));
  }

  get #rules(): RegistryRules {
    return this.#settings.runtime.registries;
  }

  /** What the user gave for one registry is not for those that stand in for it. */
  #sourceAt({ reference, insecure }: PullPlace, named: string): RegistrySource {
    const { registry, path } = reference;
    const client = this.#client({ registry, insecure, isStandIn: registry !== named });
    return new Repository(client, path).source(versionOf(reference));
  }

  #client({ registry, insecure, isStandIn = false }: Met): RegistryClient {
    const key = JSON.stringify([registry, insecure, isStandIn]);
    let client = this.#clients.get(key);
    if (client === undefined) {
      const { runtime, access, variables, azureCloud, other } = this.#settings;
      const sharedBlobs = other?.known(registry)?.blobs;
      const side = { registry, access, variables, azureCloud, insecure, sharedBlobs };
      client = isStandIn
        ? connect(withoutVariables(runtime), { ...side, access: withoutCredentials(access) })
        : connect(runtime, side);
      this.#clients.set(key, client);
    }
    return client;
  }

  #store(): StoreSettings {
    const { runtime, store } = this.#settings;
    return { tmpdir: temporaryDirectory(undefined, runtime.env), env: runtime.env, ...store };
  }
}

/** Without a tag and a digest `latest` is meant. */
export function versionOf({ tag, digest }: Pick<Reference, 'tag' | 'digest'>): string {
  return digest ?? tag ?? 'latest';
}

/** Files and helpers name the registry that their credentials are for; these options don't. */
function withoutCredentials({ noCreds, authfile, certDir, tlsVerify }: Access): Access {
  return { noCreds, authfile, certDir, tlsVerify };
}

function withoutVariables(runtime: Runtime): Runtime {
  const entries = Object.entries(runtime.env);
  const kept = entries.filter(([name]) => !/^(?:SOURCE|TARGET)_(?:USERNAME|PASSWORD)/.test(name));
  return { ...runtime, env: Object.fromEntries(kept) };
}
