/**
 * Which addresses a name may stand for: a public registry must not lead us to a private address by a
 * name that its owner made up (server-side request forgery by DNS). What is looked at is the address
 * that the connection is made to.
 */
import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

import { RegistrySyncError } from '../base/errors.ts';
import { isPrivateHost } from './origin.ts';

/** What a host is to us: the registry that the user named, or one that an answer led to. */
export type HostRole = 'own' | 'foreign';

export class AddressRule {
  readonly #allowed: readonly string[];
  readonly #lookup: LookupFunction;
  #isOwnPrivate: boolean | undefined;

  /**
   * @param own hostname of the registry.
   * @param allowed names that may stand for private addresses; one that begins with a dot stands for
   * all names that end in it.
   */
  constructor(
    own: string,
    allowed: readonly string[],
    lookup: LookupFunction = systemLookup as LookupFunction,
  ) {
    this.#isOwnPrivate = isPrivateHost(own) || undefined;
    this.#allowed = allowed.map((name) => name.toLowerCase());
    this.#lookup = lookup;
  }

  /** Looks a name up, and fails when it stands for an address that it may not stand for. */
  lookupFor(role: HostRole): LookupFunction {
    return (hostname, options, done) => {
      this.#lookup(hostname, options, (error, found, family) => {
        const refusal = error === null ? this.#refusal(role, hostname, found) : error;
        done(refusal, found, family);
      });
    };
  }

  #refusal(
    role: HostRole,
    hostname: string,
    found: string | readonly { readonly address: string }[],
  ): Error | null {
    const addresses = typeof found === 'string' ? [found] : found.map(({ address }) => address);
    // Whoever names a registry of a private network means it, and what belongs to it is there too.
    // Decided once: a name may be given another address while we run.
    if (role === 'own') this.#isOwnPrivate ??= addresses.every(isPrivateHost);
    const hidden = addresses.find(isPrivateHost);
    if (hidden === undefined || this.#isOwnPrivate === true || this.#isAllowed(hostname))
      return null;
    const message = `${hostname} stands for the private address ${hidden}, and the registry that led there is public: not followed (--allow-private-host ${hostname} allows it)`;
    return new RegistrySyncError('PROTOCOL', message);
  }

  #isAllowed(hostname: string): boolean {
    const name = hostname.toLowerCase();
    return this.#allowed.some((one) => (one.startsWith('.') ? name.endsWith(one) : name === one));
  }
}
