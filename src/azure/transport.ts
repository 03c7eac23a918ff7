/**
 * Azure's SDK over our own HTTP: it makes the requests and reads the answers; how they are
 * authorised, repeated, counted and held back is the same as for every other request to the registry.
 *
 * Source: https://learn.microsoft.com/javascript/api/@azure/core-rest-pipeline/httpclient. Why:
 * docs/decisions/0008-azure-by-sdk-and-beside-it.md.
 */
import {
  createHttpHeaders,
  type HttpClient,
  type PipelineResponse,
} from '@azure/core-rest-pipeline';

import { RegistrySyncError } from '../base/errors.ts';
import { readBody } from '../http/send.ts';
import type { Permission } from '../registry/authorize.ts';
import type { RegistryClient } from '../registry/client.ts';
import { MAX_PAGE_BYTES } from '../registry/tags.ts';

/** One request of the SDK. */
export interface Asked {
  /** For messages: `tags of gsoci.azurecr.io/a/b`. */
  readonly what: string;
  readonly permission: Permission;
  /** A failure is not worth another try: the page can be asked for in another way. */
  readonly once?: boolean;
  readonly signal: AbortSignal;
}

/**
 * Sends what the SDK asks for to the registry, wherever the SDK thinks that is.
 *
 * @throws {RegistrySyncError} from `sendRequest`, for every answer but 200: the SDK neither repeats
 * nor authorises anything.
 */
export function transportTo(client: RegistryClient, asked: Asked): HttpClient {
  const { what, permission, once = false, signal } = asked;
  return {
    async sendRequest(request): Promise<PipelineResponse> {
      if (request.method !== 'GET') {
        throw new RegistrySyncError('PROTOCOL', `${what}: ${request.method} is not for lists`);
      }
      const { pathname, search } = new URL(request.url);
      const response = await client.expect([200], what, {
        method: 'GET',
        // Not `new URL(pathname, origin)`: a path that begins with // would be another host.
        url: (origin) => Object.assign(new URL(origin), { pathname, search }),
        headers: { accept: 'application/json' },
        gather: MAX_PAGE_BYTES,
        permission,
        signal,
        once,
      });
      const bytes = await readBody(response, MAX_PAGE_BYTES, what);
      const headers = createHttpHeaders();
      for (const [name, value] of Object.entries(response.headers)) {
        if (value !== undefined) headers.set(name, String(value));
      }
      return { request, status: 200, headers, bodyAsText: Buffer.from(bytes).toString('utf8') };
    },
  };
}
