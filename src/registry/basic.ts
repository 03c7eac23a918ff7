/**
 * Names and passwords: how they travel, and where they are not sent again.
 *
 * Source: RFC 7617.
 */
import type { RegistrySyncError } from '../base/errors.ts';
import type { Credentials } from './credentials.ts';

/** `Basic …` of these credentials; `undefined` when they are none for it. */
export function basicAuthorization(credentials: Credentials): string | undefined {
  switch (credentials.kind) {
    case 'basic':
      return basic(credentials.username, credentials.password);
    case 'identity-token':
      return basic(credentials.username || '<token>', credentials.token);
    default:
      return undefined;
  }
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/**
 * Credentials that are wrong: refused even for what needs no right but to be who one says. A run has thousands of rows, and would
 * else try a wrong password thousands of times, until the account is locked. What was accepted once
 * may be refused later for what it was used for; that says nothing about the other rows.
 */
export class RefusedCredentials {
  readonly #accepted = new Set<string>();
  readonly #refused = new Map<string, RegistrySyncError>();

  /** @throws {RegistrySyncError} the refusal, when `server` is known to have no use for them. */
  check(server: string, credentials: Credentials): void {
    const refusal = this.#refused.get(keyOf(server, credentials));
    if (refusal !== undefined) throw refusal;
  }

  isAccepted(server: string, credentials: Credentials): boolean {
    return this.#accepted.has(keyOf(server, credentials));
  }

  noteAccepted(server: string, credentials: Credentials): void {
    const key = keyOf(server, credentials);
    this.#accepted.add(key);
    this.#refused.delete(key);
  }

  noteRefused(server: string, credentials: Credentials, refusal: RegistrySyncError): void {
    if (basicAuthorization(credentials) === undefined) return; // who gives none may be let in elsewhere
    const key = keyOf(server, credentials);
    if (!this.#accepted.has(key)) this.#refused.set(key, refusal);
  }
}

function keyOf(server: string, credentials: Credentials): string {
  return `${server} ${basicAuthorization(credentials) ?? ''}`;
}
