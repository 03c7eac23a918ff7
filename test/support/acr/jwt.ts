/**
 * JSON Web Tokens as the emulators issue and read them: of the right shape, signed with nothing.
 *
 * Source: RFC 7519.
 */
import { randomBytes } from 'node:crypto';

const SIGNATURE_BYTES = 256;

/** `header.payload.signature`; nobody can verify the signature. */
export function jwtOf(claims: object): string {
  const head = { alg: 'RS256', typ: 'JWT', kid: 'TEST:KEY' };
  const signature = randomBytes(SIGNATURE_BYTES).toString('base64url');
  return `${encoded(head)}.${encoded(claims)}.${signature}`;
}

/** The claims of a token, unverified; `undefined` when it is none. */
export function claimsOf(token: string): Readonly<Record<string, unknown>> | undefined {
  const parts = token.split('.');
  if (parts.length !== 3) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString());
    return typeof claims === 'object' && claims !== null ? { ...claims } : undefined;
  } catch {
    return undefined;
  }
}

/** Claims hold whole seconds. */
export function secondsOf(ms: number): number {
  return Math.floor(ms / 1000);
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
