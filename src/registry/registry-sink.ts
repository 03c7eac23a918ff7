/** An image of a registry, to be written. Source: OCI Distribution 1.1, «Pushing Manifests». */
import { isError, RegistrySyncError } from '../base/errors.ts';
import { backoffMs } from '../http/retry.ts';
import { discard, header, type HttpResponse } from '../http/send.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { tryParseDigest, type Digest } from '../image/digest.ts';
import { isTag } from '../image/reference.ts';
import { childrenOf, type StoredManifest } from '../image/manifest.ts';
import type {
  Attachments,
  AttachmentSink,
  BlobOutcome,
  OpenBlob,
} from '../image/source-and-sink.ts';
import { attachByTag } from './attachments.ts';
import type { Claim } from './blob-directory.ts';
import type { RegistryRequest } from './client.ts';
import { endpoints } from './endpoints.ts';
import { headManifest, nameOf, type Place } from './manifests.ts';
import { putBlob } from './upload.ts';

/** Replicas are in step again after seconds; what is missing then is really missing. */
const MAX_LAG_TRIES = 3;

export class RegistrySink implements AttachmentSink {
  readonly name: string;
  readonly #place: Place;
  readonly #reference: string;
  /** Of blobs that were brought and that no stored manifest needs yet. */
  readonly #claims = new Map<Digest, Claim>();

  /** `reference` is a tag or a digest. */
  constructor(place: Place, reference: string) {
    this.name = nameOf(place.client, place.path, reference);
    this.#place = place;
    this.#reference = reference;
  }

  async head(signal: AbortSignal, hoped?: Digest): Promise<Descriptor | undefined> {
    if (hoped !== undefined && (await this.#isListed(hoped, signal))) {
      return { mediaType: '', digest: hoped, size: 0 };
    }
    // Artifactory and others deny what isn't there (RTFACT-13797); a push that is really denied fails itself.
    return headManifest(this.#place, this.#reference, signal, [403]);
  }

  async #isListed(hoped: Digest, signal: AbortSignal): Promise<boolean> {
    const { inventory, path } = this.#place;
    if (inventory === undefined || !isTag(this.#reference)) return false;
    return inventory.says(path, this.#reference, hoped, signal);
  }

  async putBlob(target: Descriptor, open: OpenBlob, signal: AbortSignal): Promise<BlobOutcome> {
    const { client, path } = this.#place;
    const claim = client.blobs.claim(target.digest, path); // before the first await
    try {
      const outcome = await putBlob({ client, path, target, open, signal }, claim);
      if (outcome === 'copied') this.#claims.set(target.digest, claim);
      else claim.release();
      return outcome;
    } catch (error) {
      // What the source could not give here it may give from another repository.
      const isLasting = isError(error, 'UNAVAILABLE', 'RATE_LIMITED') && !signal.aborted;
      if (isLasting && error.details.side !== 'source' && claim.isFirst) {
        client.blobs.fail(claim, error);
      }
      claim.release();
      throw error;
    }
  }

  async putManifest(
    stored: StoredManifest,
    as: 'child' | 'root',
    signal: AbortSignal,
  ): Promise<void> {
    const { client, path } = this.#place;
    const { digest } = stored.descriptor;
    // By its own digest, if not by a tag: a selection of platforms has another than the one asked for.
    const reference = as === 'root' && isTag(this.#reference) ? this.#reference : digest;
    // An index needs its children to be here by their digests, once; a tag is put each time.
    try {
      if (as === 'root') await this.#put(stored, reference, signal);
      else if (!client.blobs.holdsManifest(path, digest)) {
        const put = (all: AbortSignal): Promise<void> => this.#put(stored, reference, all);
        await client.putting.run(`${path}@${digest}`, put, signal);
      }
    } catch (error) {
      // The next try asks anew, and who asks must not hold what others wait for.
      this.#releaseAll();
      throw error;
    }
    client.blobs.noteManifest(path, digest);
    this.#commit(stored);
  }

  async attach(subject: Digest, attachments: Attachments, signal: AbortSignal): Promise<void> {
    await attachByTag(this.#place, subject, attachments, signal);
  }

  sibling(reference: string): RegistrySink {
    return new RegistrySink(this.#place, reference);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#releaseAll();
  }

  async #put(stored: StoredManifest, reference: string, signal: AbortSignal): Promise<void> {
    const { client, path, permission, referrers } = this.#place;
    const { mediaType, digest } = stored.descriptor;
    if (isTag(reference)) this.#place.inventory?.noteWritten(path, reference);
    try {
      const request: RegistryRequest = {
        method: 'PUT',
        url: (origin) => endpoints.manifest(origin, path, reference),
        headers: { 'content-type': mediaType },
        body: stored.bytes,
        permission,
        signal,
      };
      const response = await this.#expectCreated(nameOf(client, path, reference), request);
      await discard(response);
      const put = header(response, 'docker-content-digest');
      if (put !== undefined && put !== digest) {
        const message = `${this.name}: the registry stored ${put} instead of ${digest}`;
        throw new RegistrySyncError('PROTOCOL', message);
      }
      if (stored.manifest.subject !== undefined) {
        referrers.areKept ||= header(response, 'oci-subject') !== undefined;
      }
    } catch (error) {
      if (isError(error, 'REJECTED', 'NOT_FOUND')) this.#forget(stored, error);
      throw error;
    }
  }

  /** A replica may not have heard yet of what was just pushed to another: it is told again, later. */
  async #expectCreated(what: string, request: RegistryRequest): Promise<HttpResponse> {
    const { client } = this.#place;
    const tries = client.profile.lags ? Math.min(client.retry.times, MAX_LAG_TRIES) : 0;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await client.expect([201], what, request);
      } catch (error) {
        const isBehind = isError(error, 'REJECTED', 'NOT_FOUND') && 'missing' in error.details;
        if (!isBehind || attempt > tries) throw error;
        client.log.debug({ attempt, error: error.message }, 'manifest is put again');
        await client.clock.sleep(backoffMs(client.retry, attempt), request.signal);
      }
    }
  }

  /** The registry lacks what we believed it holds: for the next try nothing is believed of it. */
  #forget({ manifest }: StoredManifest, { details }: RegistrySyncError): void {
    if (typeof details.missing !== 'string') return;
    const { client, path } = this.#place;
    const named = details.missing.split(' ').flatMap((text) => tryParseDigest(text) ?? []);
    const all = childrenOf(manifest).map(({ digest }) => digest);
    for (const digest of named.length > 0 ? named : all) client.blobs.doubt(path, digest);
  }

  /** What a stored manifest needs is here to stay: an index may list blobs too (BuildKit's cache). */
  #commit({ manifest }: StoredManifest): void {
    const { client, path } = this.#place;
    for (const { digest } of childrenOf(manifest)) {
      if (client.blobs.holds(path, digest)) client.blobs.noteMountable(path, digest); // else foreign
      this.#claims.get(digest)?.release();
      this.#claims.delete(digest);
    }
  }

  #releaseAll(): void {
    for (const claim of this.#claims.values()) claim.release();
    this.#claims.clear();
  }
}
