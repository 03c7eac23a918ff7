/**
 * Manifests: got, put and deleted by tag and by digest; and the list of those with one subject.
 *
 * Sources: OCI Distribution 1.1, «Pulling manifests», «Pushing Manifests», «Listing Referrers».
 * Wording and statuses of errors as docker-registry 2.8.2 gives them.
 */
import { algorithmOf, isDigest, type Call, type Endpoint, type RegistryState } from './endpoint.ts';
import {
  neededBy,
  parsed,
  readManifest,
  subjectOf,
  type ManifestContent,
} from './manifest-content.ts';
import { empty, json, refusal, type Complaint, type Reply } from './reply.ts';
import { digestOf, repositoryOf, type StoredManifest } from './store.ts';

const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const TAG = /^\w[\w.-]{0,127}$/;

/** `GET` and `HEAD /v2/NAME/manifests/REFERENCE`. */
export const getManifest: Endpoint = (state, call) => {
  const found = find(state, call);
  if (found === undefined) return unknownManifest(call);
  const { digest, mediaType, bytes } = found;
  return {
    status: 200,
    headers: { 'Content-Type': mediaType, 'Docker-Content-Digest': digest, ETag: `"${digest}"` },
    body: bytes,
  };
};

/** `PUT /v2/NAME/manifests/REFERENCE`. */
export const putManifest: Endpoint = async (state, call) => {
  const { exchange, name, reference } = call;
  const bytes = await bodyOf(call, MAX_MANIFEST_BYTES);
  if (bytes === undefined) {
    return refusal(413, { code: 'SIZE_INVALID', message: 'manifest exceeds 4 MiB' });
  }
  const mediaType = exchange.headers['content-type'] ?? parsed(bytes)?.mediaType ?? '';
  const content = readTaken(state, mediaType, bytes);
  if (content === undefined) return refusal(400, invalid('MANIFEST_INVALID', 'manifest invalid'));
  const digest = digestOf(bytes, isDigest(reference) ? algorithmOf(reference) : 'sha256');
  const objection = objectionTo(reference, digest);
  if (objection !== undefined) return refusal(400, objection);
  const missing = missingFrom(state, name, content);
  if (missing.length > 0) return refusal(state.behaviour.missingStatus, missing);

  const repository = repositoryOf(state.store, name);
  repository.manifests.set(digest, { mediaType, bytes });
  if (!isDigest(reference)) repository.tags.set(reference, digest);
  const { subject } = content;
  return empty(201, {
    Location: `/v2/${name}/manifests/${digest}`,
    'Docker-Content-Digest': digest,
    ...(subject && state.behaviour.referrersApi === true && { 'OCI-Subject': subject.digest }),
  });
};

/** `DELETE /v2/NAME/manifests/REFERENCE`: a tag alone, or a manifest with its tags. */
export const deleteManifest: Endpoint = (state, call) => {
  const found = find(state, call);
  if (found === undefined) return unknownManifest(call);
  const { tags, manifests } = repositoryOf(state.store, call.name);
  const { tagDeletion, tagsHoldManifests } = state.behaviour;
  const isTag = !isDigest(call.reference);
  if (tagDeletion === 'nothing' || (isTag && tagDeletion === 'refused')) return unsupported();
  if (isTag && tagDeletion === 'alone') {
    tags.delete(call.reference);
    return empty(202);
  }
  const holder = [...tags].find(([, digest]) => digest === found.digest);
  if (tagsHoldManifests && holder !== undefined) {
    const message = `Manifest is still referenced by tag: ${holder[0]}`;
    return refusal(400, { code: 'GOOGLE_MANIFEST_DANGLING_TAG', message });
  }
  manifests.delete(found.digest);
  for (const [tag, digest] of tags) if (digest === found.digest) tags.delete(tag);
  return empty(202);
};

/** `GET /v2/NAME/referrers/DIGEST`. */
export const listReferrers: Endpoint = (state, { exchange, name, reference }) => {
  const { referrersApi } = state.behaviour;
  if (!referrersApi) return { status: 404, body: Buffer.from('404 page not found\n') };
  if (referrersApi !== true) {
    return empty(303, { Location: new URL(exchange.url.pathname, referrersApi).href });
  }
  if (!isDigest(reference)) return refusal(400, invalid('DIGEST_INVALID', 'invalid digest'));
  const wanted = exchange.url.searchParams.get('artifactType');
  const manifests = [...(state.store.repositories.get(name)?.manifests ?? [])]
    .filter(([, { bytes }]) => subjectOf(bytes) === reference)
    .map(([digest, manifest]) => referrer(digest, manifest))
    .filter(({ artifactType }) => wanted === null || artifactType === wanted);
  return json(
    200,
    { schemaVersion: 2, mediaType: OCI_INDEX, manifests },
    {
      'Content-Type': OCI_INDEX,
      ...(wanted !== null && { 'OCI-Filters-Applied': 'artifactType' }),
    },
  );
};

function referrer(digest: string, { mediaType, bytes }: StoredManifest) {
  const { artifactType, config, annotations } = parsed(bytes) ?? {};
  return {
    mediaType,
    digest,
    size: bytes.length,
    artifactType: artifactType ?? config?.mediaType,
    annotations,
  };
}

function find(
  { store }: RegistryState,
  { name, reference }: Call,
): (StoredManifest & { readonly digest: string }) | undefined {
  const repository = store.repositories.get(name);
  const digest = isDigest(reference) ? reference : repository?.tags.get(reference);
  if (digest === undefined) return undefined;
  const manifest = repository?.manifests.get(digest);
  return manifest && { digest, ...manifest };
}

/** The whole body, or `undefined` when it is longer than `maxBytes`. */
async function bodyOf({ exchange }: Call, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of exchange.body) {
    size += chunk.length;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The manifest, unless it is none or is of a kind that is not taken. */
function readTaken(
  { behaviour }: RegistryState,
  mediaType: string,
  bytes: Buffer,
): ManifestContent | undefined {
  const content = readManifest(mediaType, bytes);
  const { configTypes } = behaviour;
  const config = content?.config?.mediaType;
  if (configTypes === undefined || config === undefined) return content;
  return configTypes.includes(config) ? content : undefined;
}

function objectionTo(reference: string, digest: string): Complaint | undefined {
  if (isDigest(reference)) {
    const message = 'provided digest did not match uploaded content';
    return reference === digest ? undefined : invalid('DIGEST_INVALID', message);
  }
  return TAG.test(reference) ? undefined : invalid('TAG_INVALID', 'manifest tag did not match URI');
}

function missingFrom(state: RegistryState, name: string, content: ManifestContent): Complaint[] {
  const repository = state.store.repositories.get(name);
  const needed = neededBy(content);
  const missing = [
    ...needed.blobs.filter((digest) => !repository?.blobs.has(digest)),
    ...needed.manifests.filter((digest) => !repository?.manifests.has(digest)),
  ];
  return [...new Set(missing)].map((digest) => ({
    code: 'MANIFEST_BLOB_UNKNOWN',
    message: 'blob unknown to registry',
    detail: state.behaviour.missingDetail === 'object' ? { digest } : digest,
  }));
}

function unknownManifest({ name, reference }: Call): Reply {
  const detail = isDigest(reference) ? { Name: name, Revision: reference } : { Tag: reference };
  return refusal(404, { code: 'MANIFEST_UNKNOWN', message: 'manifest unknown', detail });
}

/** As docker-registry says it. */
function unsupported(): Reply {
  return refusal(405, { code: 'UNSUPPORTED', message: 'The operation is unsupported.' });
}

function invalid(code: string, message: string): Complaint {
  return { code, message };
}
