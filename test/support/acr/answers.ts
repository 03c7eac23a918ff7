/**
 * Refusals in the words of Azure Container Registry, and the headers that all its answers have.
 *
 * Sources: recordings published with Azure/azure-sdk-for-js and azure-sdk-for-go.
 */
import { randomUUID } from 'node:crypto';

import { isDigest } from '../registry/endpoint.ts';
import type { Exchange } from '../registry/listener.ts';
import { refusal, type Reply } from '../registry/reply.ts';

export const MORE_INFORMATION =
  'authentication required, visit https://aka.ms/acr/authorization for more information.';
const DISALLOWED =
  'The operation is disallowed on this registry, repository or image. View troubleshooting steps at ' +
  'https://aka.ms/acr/faq/#why-does-my-pull-or-push-request-fail-with-disallowed-operation';
const HSTS = 'max-age=31536000; includeSubDomains';
const EXPOSED = [
  'Docker-Content-Digest',
  'WWW-Authenticate',
  'Link',
  'X-Ms-Correlation-Request-Id',
];
const SERVER = 'AzureContainerRegistry';
/** What a Premium registry allows, in requests in a second. */
const READS_PER_SECOND = '166.65';
const DELETES_PER_SECOND = '8.000000';

export function unknownRepository(name: string): Reply {
  return refusal(404, { code: 'NAME_UNKNOWN', message: `repository "${name}" is not found` });
}

export function unknownTag(): Reply {
  return refusal(404, { code: 'TAG_UNKNOWN', message: 'the specified tag does not exist' });
}

export function unknownManifest(reference: string): Reply {
  const message = isDigest(reference)
    ? `manifest ${reference} is not found`
    : `manifest tagged by "${reference}" is not found`;
  const detail = isDigest(reference) ? { Digest: reference } : { Tag: reference };
  return refusal(404, { code: 'MANIFEST_UNKNOWN', message, detail });
}

export function unknownBlob(): Reply {
  return refusal(404, { code: 'BLOB_UNKNOWN', message: 'blob unknown to registry' });
}

/** The refusal of what a lock forbids. */
export function disallowed(): Reply {
  const code = 'REGISTRY_DISALLOWED_OPERATION';
  return refusal(405, { code, message: DISALLOWED, detail: {} });
}

export function plainText(status: number, text: string): Reply {
  const headers = { 'Content-Type': 'text/plain; charset=utf-8' };
  return { status, headers, body: Buffer.from(text) };
}

/** A refusal that says nothing. */
export function silent(status: number): Reply {
  return { status, headers: { 'Content-Length': '0' } };
}

/** An answer of `/v2` or `/acr/v1` with all its headers. */
export function dressed(reply: Reply, exchange: Exchange): Reply {
  const { method, url, headers } = exchange;
  const isDelete = method === 'DELETE';
  const isTraced =
    (isDelete || url.pathname.startsWith('/v2/')) && reply.status !== 401 && reply.status !== 307;
  const clientId = headers['x-ms-client-request-id'];
  return {
    ...reply,
    headers: {
      Server: SERVER,
      'Docker-Distribution-Api-Version': 'registry/2.0',
      'X-Content-Type-Options': 'nosniff',
      'X-Ms-Correlation-Request-Id': randomUUID(),
      ...(isTraced && { 'X-Ms-Request-Id': randomUUID() }),
      ...(isTraced && typeof clientId === 'string' && { 'X-Ms-Client-Request-Id': clientId }),
      ...(isTraced &&
        isDelete && { 'X-Ms-Ratelimit-Remaining-Calls-Per-Second': DELETES_PER_SECOND }),
      ...reply.headers,
    },
    repeated: {
      'Strict-Transport-Security': [HSTS, HSTS],
      'Access-Control-Expose-Headers': EXPOSED,
    },
  };
}

/** An answer of `/oauth2` with all its headers. */
export function dressedToken(reply: Reply): Reply {
  return {
    ...reply,
    chunked: reply.status === 200,
    headers: {
      Server: SERVER,
      'Strict-Transport-Security': HSTS,
      'X-Ms-Correlation-Request-Id': randomUUID(),
      'x-ms-ratelimit-remaining-calls-per-second': READS_PER_SECOND,
      ...reply.headers,
    },
  };
}
