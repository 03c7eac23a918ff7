/**
 * What is attached to the images of a repository: referrers, and tags made of digests.
 *
 * Sources: OCI Distribution 1.1, «Listing Referrers», «Referrers Tag Schema»; cosign's
 * specs/SIGNATURE_SPEC.md for `sha256-….sig`, `.att` and `.sbom`.
 */
import { isError, RegistrySyncError } from '../base/errors.ts';
import { orAborted } from '../base/on-abort.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { discard, header, readBody, type HttpResponse } from '../http/send.ts';
import { isObject, type Descriptor } from '../image/descriptor.ts';
import { algorithmOf, hexOf, type Digest } from '../image/digest.ts';
import { readManifest, type StoredManifest } from '../image/manifest.ts';
import { OCI_INDEX } from '../image/media-types.ts';
import type { Attachments } from '../image/source-and-sink.ts';
import type { RegistryRequest } from './client.ts';
import { endpoints } from './endpoints.ts';
import { getManifest, headManifest, nameOf, type Place } from './manifests.ts';
import { pages } from './pages.ts';
import { listTags, MAX_PAGE_BYTES, TAGS_PER_PAGE } from './tags.ts';

/** A tag that is made of a digest. */
const DIGEST_TAG = /^sha(?:256|384|512)-[0-9a-f]{64}/;
const SUFFIXES = ['.sig', '.att', '.sbom'];
/** A repository with more tags is asked tag by tag: that is less than reading them all. */
const MAX_LISTED_TAGS = 20 * TAGS_PER_PAGE;
/** Attached to one image: more is an attack or an accident (CVE-2024-29902). */
const MAX_REFERRERS = 1000;

/** Finds what is attached to the images of one repository. */
export class AttachmentFinder {
  readonly #place: Place;
  readonly #listing = new SingleFlight<'tags', ReadonlySet<string> | undefined>();
  #digestTags: ReadonlySet<string> | undefined;
  #isListed = false;
  /** The first question whether referrers are kept: its answer spares the others theirs. */
  #asking: Promise<unknown> | undefined;

  constructor(place: Place) {
    this.#place = place;
  }

  /** Costs one request per image where the registry keeps referrers, else one list per repository. */
  async find(subject: Digest, signal: AbortSignal): Promise<Attachments> {
    const [byApi, tags] = await Promise.all([
      this.#referrersOf(subject, signal),
      this.#tagsOf(subject, signal),
    ]);
    if (byApi !== undefined) return { referrers: byApi, tags };
    const index = await this.#referrersIndex(subject, signal);
    if (index?.manifest.kind !== 'index') return { referrers: [], tags };
    return { referrers: limited(index.manifest.manifests, subject), index, tags };
  }

  async #referrersOf(
    subject: Digest,
    signal: AbortSignal,
  ): Promise<readonly Descriptor[] | undefined> {
    if (this.#asking !== undefined) await orAborted(this.#asking, signal);
    const asked = referrersByApi(this.#place, subject, signal);
    if (this.#place.referrers.areKept === undefined) this.#asking ??= this.#ended(asked);
    return asked;
  }

  /** However it ends: whoever asked is told. */
  async #ended(asked: Promise<unknown>): Promise<void> {
    await Promise.allSettled([asked]);
    this.#asking = undefined;
  }

  async #tagsOf(subject: Digest, signal: AbortSignal): Promise<readonly string[]> {
    const known = await this.#list(signal);
    const candidates = SUFFIXES.map((suffix) => `${tagOf(subject)}${suffix}`);
    if (known !== undefined) return candidates.filter((tag) => known.has(tag));
    const found = await Promise.all(
      candidates.map(async (tag) => (await headManifest(this.#place, tag, signal)) && tag),
    );
    return found.filter((tag) => tag !== undefined);
  }

  async #referrersIndex(subject: Digest, signal: AbortSignal): Promise<StoredManifest | undefined> {
    const known = await this.#list(signal);
    if (known !== undefined && !known.has(tagOf(subject))) return undefined;
    return getOrAbsent(this.#place, tagOf(subject), signal);
  }

  /** All tags made of digests; `undefined` when there are too many tags to look through. */
  async #list(signal: AbortSignal): Promise<ReadonlySet<string> | undefined> {
    if (this.#isListed) return this.#digestTags;
    const read = (all: AbortSignal) => readDigestTags(this.#place, all);
    this.#digestTags = await this.#listing.run('tags', read, signal);
    this.#isListed = true;
    return this.#digestTags;
  }
}

async function readDigestTags(
  place: Place,
  signal: AbortSignal,
): Promise<ReadonlySet<string> | undefined> {
  const found = new Set<string>();
  let seen = 0;
  try {
    for await (const tag of listTags(place, signal)) {
      if (DIGEST_TAG.test(tag)) found.add(tag);
      seen += 1;
      if (seen > MAX_LISTED_TAGS) return undefined;
    }
  } catch (error) {
    if (isError(error, 'UNAUTHORIZED', 'NOT_FOUND', 'REJECTED')) return undefined;
    throw error;
  }
  return found;
}

/** The registry's own list; `undefined` when it keeps none. */
export async function referrersByApi(
  place: Place,
  subject: Digest,
  signal: AbortSignal,
): Promise<readonly Descriptor[] | undefined> {
  const { client, path, permission, referrers } = place;
  if (referrers.areKept === false) return undefined;
  const what = `referrers of ${nameOf(client, path, subject)}`;
  const requestTo = (url: URL): RegistryRequest => ({
    method: 'GET',
    url: () => url,
    gather: MAX_PAGE_BYTES,
    headers: { accept: OCI_INDEX },
    permission,
    // GHCR leads to a web page on another host.
    followRedirects: false,
    signal,
  });
  const first = await client.send({
    ...requestTo(new URL('https://unused.invalid')),
    url: (origin) => endpoints.referrers(origin, path, subject),
  });
  if (!isIndex(first)) {
    await checkAbsence(place, first, what);
    return undefined;
  }
  referrers.areKept = true;
  const found: Descriptor[] = [];
  let answer: HttpResponse | undefined = first;
  const list = pages(endpointOf(place, subject), async (url) => {
    const response = answer ?? (await client.expect([200], what, requestTo(url)));
    answer = undefined;
    return { items: await readReferrers(response, what), link: header(response, 'link') };
  });
  for await (const descriptor of list) {
    found.push(descriptor);
    limited(found, subject);
  }
  return found;
}

/**
 * What it means that there is no list. A registry that has none says 404 or leads elsewhere, for all
 * of a repository. Other refusals may be of the moment: they are said, and asked again next time.
 */
async function checkAbsence(
  { client, permission, referrers }: Place,
  response: HttpResponse,
  what: string,
): Promise<void> {
  const { status } = response;
  if (status >= 500 || status === 429) {
    const url = (origin: string): URL => endpoints.ping(origin);
    const { signal } = new AbortController();
    throw await client.failure(response, what, { method: 'GET', url, permission, signal });
  }
  await discard(response);
  const isNone = status < 400 || status === 404 || status === 405;
  if (isNone)
    referrers.areKept ??= false; // one that has shown its list once has it
  else client.log.warn({ status }, `${what} can't be listed, looking for their tag instead`);
}

function endpointOf({ client, path }: Place, subject: Digest): URL {
  return endpoints.referrers(client.origin ?? `https://${client.registry}`, path, subject);
}

function isIndex(response: HttpResponse): boolean {
  const type = header(response, 'content-type') ?? '';
  return response.status === 200 && /^application\/[\w.+-]*json/.test(type);
}

async function readReferrers(response: HttpResponse, what: string): Promise<Descriptor[]> {
  const bytes = await readBody(response, MAX_PAGE_BYTES, what);
  const { manifest } = readManifest(bytes, OCI_INDEX);
  return manifest.kind === 'index' ? [...manifest.manifests] : [];
}

function limited<T>(found: readonly T[], subject: Digest): readonly T[] {
  if (found.length <= MAX_REFERRERS) return found;
  const message = `more than ${MAX_REFERRERS} referrers are attached to ${subject}`;
  throw new RegistrySyncError('PROTOCOL', message);
}

/**
 * Keeps the list of referrers in the registry's place: adds what is missing to the index under the
 * digest's tag. An index of the source is put as it is where there is none yet.
 */
export async function attachByTag(
  place: Place,
  subject: Digest,
  attachments: Attachments,
  signal: AbortSignal,
): Promise<void> {
  if (attachments.referrers.length === 0) return;
  const { client, path } = place;
  if (place.referrers.areKept === undefined) await referrersByApi(place, subject, signal);
  if (place.referrers.areKept === true) return;
  const tag = tagOf(subject);
  const key = nameOf(client, path, tag);
  // One writer per tag: the list is read, changed and put.
  await client.attaching.run(key, async () => {
    const there = await getOrAbsent(place, tag, signal);
    const index =
      there === undefined && attachments.index !== undefined
        ? attachments.index
        : merged(there, attachments.referrers);
    if (index === undefined) return;
    place.inventory?.noteWritten(path, tag);
    const response = await client.expect([201], key, {
      method: 'PUT',
      url: (origin) => endpoints.manifest(origin, path, tag),
      headers: { 'content-type': index.descriptor.mediaType },
      body: index.bytes,
      permission: place.permission,
      signal,
    });
    await discard(response);
  });
}

/** `there` with what it lacks of `added`; `undefined` when it lacks nothing. */
function merged(
  there: StoredManifest | undefined,
  added: readonly Descriptor[],
): StoredManifest | undefined {
  const listed = there === undefined ? [] : rawEntries(there);
  const known = new Set(listed.map((entry) => (isObject(entry) ? entry.digest : undefined)));
  const missing = added.filter(({ digest }) => !known.has(digest));
  if (missing.length === 0) return undefined;
  const json = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [...listed, ...missing] };
  return readManifest(Buffer.from(JSON.stringify(json)), OCI_INDEX);
}

/** As they stand in the index: what we don't know of an entry is kept. */
function rawEntries({ bytes }: StoredManifest): readonly unknown[] {
  const json: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
  return isObject(json) && Array.isArray(json.manifests) ? json.manifests : [];
}

async function getOrAbsent(
  place: Place,
  tag: string,
  signal: AbortSignal,
): Promise<StoredManifest | undefined> {
  try {
    return await getManifest(place, tag, signal);
  } catch (error) {
    if (isError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

/** The tag made of a digest: `sha256-<hex>`, the hex cut to 64 characters. */
function tagOf(digest: Digest): string {
  return `${algorithmOf(digest)}-${hexOf(digest).slice(0, 64)}`;
}
