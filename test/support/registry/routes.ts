/**
 * Which path and method lead to which endpoint.
 *
 * Sources: OCI Distribution 1.1, «Endpoints».
 */
import { deleteBlob, getBlob } from './blobs.ts';
import type { Call, Endpoint } from './endpoint.ts';
import { listRepositories, listTags } from './lists.ts';
import type { Exchange } from './listener.ts';
import { deleteManifest, getManifest, listReferrers, putManifest } from './manifests.ts';
import { json, refusal, type Reply } from './reply.ts';
import { appendToUpload, cancelUpload, finishUpload, getUpload, startUpload } from './uploads.ts';

/** Where a request leads. */
export interface Route {
  readonly call: Call;
  readonly endpoint: Endpoint;
}

export interface Path<E = Endpoint> {
  /** Groups: repository, reference. */
  readonly pattern: RegExp;
  /** By method; GET answers HEAD too. */
  readonly endpoints: Readonly<Record<string, E>>;
}

const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
/** The pattern of a repository's name, a group. */
export const NAME = `(${COMPONENT}(?:/${COMPONENT})*)`;
const PATHS: readonly Path[] = [
  path('/v2/?', { GET: () => json(200, {}) }),
  path('/v2/_catalog', { GET: listRepositories }),
  path(`/v2/${NAME}/tags/list`, { GET: listTags }),
  path(`/v2/${NAME}/manifests/([^/]+)`, {
    GET: getManifest,
    PUT: putManifest,
    DELETE: deleteManifest,
  }),
  path(`/v2/${NAME}/blobs/uploads/?`, { POST: startUpload }),
  path(`/v2/${NAME}/blobs/uploads/([^/]+)`, {
    GET: getUpload,
    PATCH: appendToUpload,
    PUT: finishUpload,
    DELETE: cancelUpload,
  }),
  path(`/v2/${NAME}/blobs/([^/]+)`, { GET: getBlob, DELETE: deleteBlob }),
  path(`/v2/${NAME}/referrers/([^/]+)`, { GET: listReferrers }),
];

/** Where the request leads, or the refusal of one that leads nowhere. `further` paths come first. */
export function routeOf(exchange: Exchange, further: readonly Path[] = []): Route | Reply {
  const found = endpointOf(exchange, [...further, ...PATHS]);
  if (found === undefined) return notFound();
  if ('status' in found) return found;
  const { endpoint, name, reference } = found;
  return { call: { exchange, name, reference }, endpoint };
}

/** The endpoint of the first path that matches, the groups of its pattern, or 405. */
export function endpointOf<E>(
  { url, method }: Exchange,
  paths: readonly Path<E>[],
): { readonly endpoint: E; readonly name: string; readonly reference: string } | Reply | undefined {
  const pathname = decoded(url.pathname);
  for (const { pattern, endpoints } of paths) {
    const match = pattern.exec(pathname);
    if (match === null) continue;
    const key = method === 'HEAD' ? 'GET' : method;
    const endpoint = Object.hasOwn(endpoints, key) ? endpoints[key] : undefined;
    if (endpoint === undefined) {
      return refusal(405, { code: 'UNSUPPORTED', message: 'The operation is unsupported.' });
    }
    const [, name = '', reference = ''] = match;
    return { endpoint, name, reference };
  }
  return undefined;
}

/** What docker-registry says where there is nothing, which includes names that can't be. */
export function notFound(): Reply {
  return {
    status: 404,
    headers: { 'Content-Type': 'text/plain; charset=utf-8' },
    body: Buffer.from('404 page not found\n'),
  };
}

/** `pattern` is that of a whole path; `NAME` in groups of its own. */
export function path<E>(pattern: string, endpoints: Path<E>['endpoints']): Path<E> {
  return { pattern: new RegExp(`^${pattern}$`), endpoints };
}

function decoded(pathname: string): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return '';
  }
}
