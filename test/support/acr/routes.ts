/**
 * Which path and method lead to which endpoint, and what it needs.
 *
 * Sources: OCI Distribution 1.1, «Endpoints»; the API of version 2021-07-01.
 */
import { listReferrers } from '../registry/manifests.ts';
import { json, type Reply } from '../registry/reply.ts';
import { endpointOf, NAME, path, type Path } from '../registry/routes.ts';
import type { Scope } from '../registry/scopes.ts';
import { plainText } from './answers.ts';
import { pullBlob, pullManifest, pushManifest, removeBlob, removeManifest } from './content.ts';
import {
  deleteManifestAndTags,
  getManifestProperties,
  listManifests,
  patchManifest,
} from './manifest-list.ts';
import {
  deleteRepository,
  getRepository,
  listRepositories,
  patchRepository,
} from './repositories.ts';
import { CATALOG, scopeFor } from './rights.ts';
import type { AcrCall, AcrEndpoint } from './state.ts';
import { deleteTag, getTag, listTagNames, listTags, patchTag } from './tags.ts';
import { appendToUpload, cancelUpload, finishUpload, getUpload, startUpload } from './uploads.ts';

/** Where a request leads. */
export interface AcrRoute {
  readonly call: AcrCall;
  readonly endpoint: AcrEndpoint;
}

type Needs = AcrEndpoint['needs'];

const nothing: Needs = () => [];
const catalog: Needs = () => [CATALOG];
const toPull: Needs = ({ name }) => [scopeFor(name, 'pull')];
const toPush: Needs = ({ name }) => [scopeFor(name, 'pull', 'push')];
const toDelete: Needs = ({ name }) => [scopeFor(name, 'delete')];
const toRead: Needs = ({ name }) => [scopeFor(name, 'metadata_read')];
const toWrite: Needs = ({ name }) => [scopeFor(name, 'metadata_write')];

const PATHS: readonly Path<AcrEndpoint>[] = [
  path('/v2/?', { GET: { needs: nothing, answer: () => json(200, {}) } }),
  path('/(?:v2|acr/v1)/_catalog', { GET: { needs: catalog, answer: listRepositories } }),
  path(`/v2/${NAME}/tags/list`, { GET: { needs: toRead, answer: listTagNames } }),
  path(`/v2/${NAME}/manifests/([^/]+)`, {
    GET: { needs: toPull, answer: pullManifest },
    PUT: { needs: toPush, answer: pushManifest },
    DELETE: { needs: toDelete, answer: removeManifest },
  }),
  path(`/v2/${NAME}/blobs/uploads/?`, { POST: { needs: toStart, answer: startUpload } }),
  path(`/v2/${NAME}/blobs/uploads/([^/]+)`, {
    GET: { needs: toPush, answer: getUpload },
    PATCH: { needs: toPush, answer: appendToUpload },
    PUT: { needs: toPush, answer: finishUpload },
    DELETE: { needs: toDelete, answer: cancelUpload },
  }),
  path(`/v2/${NAME}/blobs/([^/]+)`, {
    GET: { needs: toPull, answer: pullBlob },
    DELETE: { needs: toDelete, answer: removeBlob },
  }),
  path(`/v2/${NAME}/referrers/([^/]+)`, { GET: { needs: toPull, answer: listReferrers } }),
  path(`/acr/v1/${NAME}/_tags`, { GET: { needs: toRead, answer: listTags } }),
  path(`/acr/v1/${NAME}/_tags/([^/]+)`, {
    GET: { needs: toRead, answer: getTag },
    PATCH: { needs: toWrite, answer: patchTag },
    DELETE: { needs: toDelete, answer: deleteTag },
  }),
  path(`/acr/v1/${NAME}/_manifests`, { GET: { needs: toRead, answer: listManifests } }),
  path(`/acr/v1/${NAME}/_manifests/([^/]+)`, {
    GET: { needs: toRead, answer: getManifestProperties },
    PATCH: { needs: toWrite, answer: patchManifest },
    DELETE: { needs: toDelete, answer: deleteManifestAndTags },
  }),
  path(`/acr/v1/${NAME}`, {
    GET: { needs: toRead, answer: getRepository },
    PATCH: { needs: toWrite, answer: patchRepository },
    DELETE: { needs: toDelete, answer: deleteRepository },
  }),
];

/** Where the request leads, or the refusal of one that leads nowhere. */
export function routeOf(exchange: AcrCall['exchange'], registry: string): AcrRoute | Reply {
  const found = endpointOf(exchange, PATHS);
  // Also what an upper-case name is answered with.
  if (found === undefined) return plainText(404, '404 page not found\n');
  if ('status' in found) return found;
  const { endpoint, name, reference } = found;
  return { call: { exchange, registry, name, reference }, endpoint };
}

/** An upload may be a mount, which needs the source too, named first. */
function toStart(call: AcrCall): readonly Scope[] {
  const { searchParams } = call.exchange.url;
  const from = searchParams.get('from');
  const isMount = searchParams.has('mount') && from !== null;
  return isMount ? [scopeFor(from, 'pull'), ...toPush(call)] : toPush(call);
}
