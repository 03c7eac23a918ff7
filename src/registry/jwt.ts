/** What a token says of itself. Read without a check of its signature: it was given to us to be used. */
import { isObject, type JsonObject } from '../image/descriptor.ts';

/** The claims of a JSON Web Token; empty when it is none. Source: RFC 7519. */
export function claimsOf(token: string): JsonObject {
  const [, payload = ''] = token.split('.');
  try {
    const json: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return isObject(json) ? json : {};
  } catch {
    return {};
  }
}

/** When a token expires, in milliseconds since the epoch; `undefined`: it does not say. */
export function expiryOf(token: string): number | undefined {
  const { exp } = claimsOf(token);
  return typeof exp === 'number' && exp > 0 ? exp * 1000 : undefined;
}
