/** What prune asks of the registry that it deletes from. */
import { isError, RegistrySyncError } from '../base/errors.ts';
import { discard } from '../http/send.ts';
import { isObject, type Descriptor } from '../image/descriptor.ts';
import type { Digest } from '../image/digest.ts';
import type { StoredManifest } from '../image/manifest.ts';
import { isTag } from '../image/reference.ts';
import { referrersByApi } from '../registry/attachments.ts';
import { placeOf } from '../registry/catalog.ts';
import type { RegistryClient } from '../registry/client.ts';
import { deleteByDigest, untag, untagAtAzure, type Removal } from '../registry/deletion.ts';
import { endpoints } from '../registry/endpoints.ts';
import { headManifest, nameOf, type Place } from '../registry/manifests.ts';
import { everythingIn, pushTo } from '../registry/permissions.ts';
import type { DeletionRules } from '../registry/profile.ts';
import { Repository } from '../registry/repository.ts';

/** Takes away a tag by an API beside the registry; `false`: it was not there. */
export type Untag = (repository: string, tag: string, signal: AbortSignal) => Promise<boolean>;

/** Larger configs are none. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;
/** Docker is of 2013: what says that it is older says nothing, as reproducible builds do. */
const FIRST_CREATED_MS = Date.UTC(2013, 2);

export class PruneTarget {
  readonly client: RegistryClient;
  readonly rules: DeletionRules;
  readonly #untag: Untag | undefined;

  /** @param untagElsewhere for registries that take tags away by an API beside them. */
  constructor(client: RegistryClient, untagElsewhere: Untag | undefined) {
    const { deletion } = client.profile;
    this.client = client;
    this.#untag = untagElsewhere;
    // An API knows its own registry only, not others that are said to be of its kind.
    const isApart = deletion.tags === 'docker-hub' && untagElsewhere === undefined;
    this.rules = isApart ? { tags: 'protocol', manifests: 'with tags' } : deletion;
  }

  get registry(): string {
    return this.client.registry;
  }

  /** The tags that the registry itself lists, whatever other lists say. NOT_FOUND: no such repository. */
  async *tags(repository: string, signal: AbortSignal): AsyncGenerator<string, void, void> {
    for await (const tag of new Repository(this.client, repository).tags(signal)) {
      checkTag(tag, `${this.registry}/${repository}`);
      yield tag;
    }
  }

  /** The same, all at once; `undefined`: no such repository. */
  async tagNames(repository: string, signal: AbortSignal): Promise<string[] | undefined> {
    const names: string[] = [];
    try {
      for await (const tag of this.tags(repository, signal)) names.push(tag);
      return names;
    } catch (error) {
      if (isError(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }

  head(
    repository: string,
    reference: string,
    signal: AbortSignal,
  ): Promise<Descriptor | undefined> {
    return headManifest(placeOf(this.client, repository), reference, signal);
  }

  manifest(repository: string, digest: Digest, signal: AbortSignal): Promise<StoredManifest> {
    return new Repository(this.client, repository).source(digest).manifest(digest, signal);
  }

  /** What the registry says is attached to an image: some delete that with it. */
  async referrers(
    repository: string,
    digest: Digest,
    state: Place['referrers'],
    signal: AbortSignal,
  ): Promise<readonly Descriptor[]> {
    const place = { ...placeOf(this.client, repository), referrers: state };
    return (await referrersByApi(place, digest, signal)) ?? [];
  }

  /** Deletes a manifest with the tags that it has. */
  remove(repository: string, digest: Digest, signal: AbortSignal): Promise<Removal> {
    return deleteByDigest(this.#deleting(repository), digest, signal);
  }

  /** Takes away a tag alone. */
  async untag(repository: string, tag: string, signal: AbortSignal): Promise<Removal> {
    const { tags } = this.rules;
    if (tags === 'none') return 'unable';
    if (tags === 'acr') return untagAtAzure(this.#deleting(repository), tag, signal);
    if (tags === 'protocol' || this.#untag === undefined) {
      return untag(this.#deleting(repository), tag, signal);
    }
    return (await this.#untag(repository, tag, signal)) ? 'deleted' : 'gone';
  }

  /** Puts a manifest back whose content is still there. */
  async putBack(
    repository: string,
    reference: string,
    { bytes, descriptor }: StoredManifest,
    signal: AbortSignal,
  ): Promise<void> {
    const response = await this.client.expect([201], nameOf(this.client, repository, reference), {
      method: 'PUT',
      url: (origin) => endpoints.manifest(origin, repository, reference),
      headers: { 'content-type': descriptor.mediaType },
      body: bytes,
      permission: pushTo(repository),
      signal,
    });
    await discard(response);
  }

  /** When the image says that it was made, RFC 3339; `undefined`: it does not say, or nothing that can be. */
  async created(
    repository: string,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const image = await this.#imageOf(repository, digest, signal);
    if (image?.manifest.kind !== 'image') return undefined;
    const { annotations, config } = image.manifest;
    const said = annotations?.['org.opencontainers.image.created'];
    if (said !== undefined) return plausible(said);
    if (config === undefined || config.size > MAX_CONFIG_BYTES) return undefined;
    const source = new Repository(this.client, repository).source(digest);
    const blob = await source.blob(config, signal);
    const chunks: Uint8Array[] = [];
    if (blob instanceof Uint8Array) chunks.push(blob);
    else for await (const chunk of blob) chunks.push(chunk as Uint8Array);
    return plausible(createdIn(Buffer.concat(chunks)));
  }

  /** The manifest, or of an index that of its first image. */
  async #imageOf(
    repository: string,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<StoredManifest | undefined> {
    const stored = await this.manifest(repository, digest, signal);
    if (stored.manifest.kind === 'image') return stored;
    const first = stored.manifest.manifests.find(({ platform }) => platform?.os !== 'unknown');
    return first === undefined ? undefined : this.manifest(repository, first.digest, signal);
  }

  #deleting(path: string): Place {
    return { ...placeOf(this.client, path), permission: everythingIn(path) };
  }
}

/**
 * Names of a list become parts of URLs.
 *
 * @throws {RegistrySyncError} `PROTOCOL`
 */
export function checkTag(tag: string, where: string): void {
  if (isTag(tag)) return;
  const shown = JSON.stringify(tag.slice(0, 300));
  throw new RegistrySyncError('PROTOCOL', `${where}: the registry lists ${shown}, which is no tag`);
}

function createdIn(bytes: Buffer): string | undefined {
  try {
    const json: unknown = JSON.parse(bytes.toString('utf8'));
    return isObject(json) && typeof json.created === 'string' ? json.created : undefined;
  } catch {
    return undefined; // an artifact's config may be anything
  }
}

function plausible(text: string | undefined): string | undefined {
  const time = Date.parse(text ?? '');
  return time >= FIRST_CREATED_MS ? text : undefined;
}

/** @throws {RegistrySyncError} `UNSUPPORTED` for registries that delete nothing for programs like ours. */
export function checkDeletes({ client, rules }: PruneTarget): void {
  if (rules.tags !== 'none' || rules.manifests !== 'never') return;
  const message = `${client.registry}: ${client.profile.title} deletes by an API of its own only, which is not built: ${rules.instead ?? 'delete there'}`;
  throw new RegistrySyncError('UNSUPPORTED', message);
}
