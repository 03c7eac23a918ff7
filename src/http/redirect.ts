/** Follows redirects of GET and HEAD, each hop as a request of its own. Source: RFC 9110 §15.4. */
import { RegistrySyncError } from '../base/errors.ts';
import { resolveHop } from './origin.ts';
import { discard, header, type Wrap } from './send.ts';

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MAX_HOPS = 5;

/**
 * Follows up to five redirects. It belongs *outside* of authorisation: each hop is authorised anew,
 * for its own origin, so what was added for one is never on the next.
 *
 * @throws {RegistrySyncError} `PROTOCOL` for a redirect that leads nowhere, in circles, or where
 * `resolveHop` won't go.
 */
export function withRedirects(): Wrap {
  return (send) => async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(request);
    let { url } = request;
    for (let hops = 0; hops <= MAX_HOPS; hops += 1) {
      const response = await send({ ...request, url });
      if (!REDIRECTS.has(response.status)) return response;
      const location = header(response, 'location');
      await discard(response);
      if (location === undefined) {
        throw new RegistrySyncError('PROTOCOL', `${url.host} redirects to nowhere`);
      }
      url = resolveHop(location, url, 'a redirect');
    }
    throw new RegistrySyncError('PROTOCOL', `${request.url.host} redirects in circles`);
  };
}
