/** One repository of a registry: opens its images for reading and writing. */
import { SingleFlight } from '../base/single-flight.ts';
import type { Digest } from '../image/digest.ts';
import type { StoredManifest } from '../image/manifest.ts';
import { AttachmentFinder } from './attachments.ts';
import type { RegistryClient } from './client.ts';
import type { Inventory } from './inventory.ts';
import { deleteManifest } from './deletion.ts';
import { getManifest, type Place } from './manifests.ts';
import { everythingIn, pullFrom, pushTo } from './permissions.ts';
import { RegistrySink } from './registry-sink.ts';
import { RegistrySource } from './registry-source.ts';
import { listTags } from './tags.ts';

export class Repository {
  readonly #reading: Place;
  readonly #writing: Place;
  readonly #deleting: Place;
  readonly #attachments: AttachmentFinder;
  readonly #fetching = new SingleFlight<Digest, StoredManifest>();

  /** `inventory`: what lists say of the tags that are written here. */
  constructor(client: RegistryClient, path: string, inventory?: Inventory) {
    const referrers = { areKept: undefined };
    this.#reading = { client, path, permission: pullFrom(path, client), referrers };
    this.#writing = { client, path, permission: pushTo(path), referrers, inventory };
    this.#deleting = { client, path, permission: everythingIn(path), referrers };
    this.#attachments = new AttachmentFinder(this.#reading);
  }

  /** `reference` is a tag or a digest. */
  source(reference: string): RegistrySource {
    return new RegistrySource(
      {
        place: this.#reading,
        manifest: (digest, signal) => this.#manifest(digest, signal),
        attachments: this.#attachments,
      },
      reference,
    );
  }

  /** `reference` is a tag or a digest. */
  sink(reference: string): RegistrySink {
    return new RegistrySink(this.#writing, reference);
  }

  /** All tags, in the registry's order. */
  tags(signal: AbortSignal): AsyncGenerator<string, void, void> {
    return listTags(this.#reading, signal);
  }

  /**
   * Deletes what `reference` stands for, which goes with all tags that it has. Resolves to its digest.
   *
   * @throws {RegistrySyncError} `NOT_FOUND` when there is nothing; `REJECTED` when the registry does
   * not delete.
   */
  delete(reference: string, signal: AbortSignal): Promise<Digest> {
    return deleteManifest(this.#deleting, reference, signal);
  }

  async #manifest(digest: Digest, signal: AbortSignal): Promise<StoredManifest> {
    const { client, path } = this.#reading;
    const kept = client.manifests.get(`${path}@${digest}`);
    if (kept !== undefined) return kept;
    const fetch = (all: AbortSignal) => getManifest(this.#reading, digest, all);
    const stored = await this.#fetching.run(digest, fetch, signal);
    client.manifests.set(`${path}@${digest}`, stored);
    return stored;
  }
}
