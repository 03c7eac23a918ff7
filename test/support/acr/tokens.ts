/**
 * The registry's own tokens: refresh tokens, which say who somebody is, and access tokens, which say
 * what for.
 *
 * Source: the claims shown in https://github.com/Azure/acr docs/AAD-OAuth.md and in recordings
 * published with Azure/azure-sdk-for-go.
 */
import { randomUUID } from 'node:crypto';

import { formatScope, type Scope } from '../registry/scopes.ts';
import { jwtOf, secondsOf } from './jwt.ts';
import { granted, type Rights } from './rights.ts';

/** Somebody the registry knows. */
export interface Identity {
  /** A user's name or an application's id; empty for anybody. */
  readonly subject: string;
  readonly rights: Rights;
}

export interface TokenOptions {
  readonly accessTokenSeconds: number;
  readonly refreshTokenSeconds: number;
  /** Whether permissions go by repository: then scopes for all repositories are ignored. */
  readonly abac: boolean;
  /** The clock, in ms. */
  readonly now: () => number;
}

/** A token that was issued. */
export interface Issued {
  readonly identity: Identity;
  /** The registry that it is for. */
  readonly audience: string;
  /** Empty for refresh tokens. */
  readonly scopes: readonly Scope[];
  readonly expiresAtMs: number;
}

const ISSUER = 'Azure Container Registry';
const ACTIONS = ['read', 'write', 'delete', 'deleted/read', 'metadata/read', 'metadata/write'];

export class AcrTokens {
  readonly #options: TokenOptions;
  readonly #access = new Map<string, Issued>();
  readonly #refresh = new Map<string, Issued>();

  constructor(options: TokenOptions) {
    this.#options = options;
  }

  issueRefresh(identity: Identity, audience: string): string {
    const { abac, refreshTokenSeconds } = this.#options;
    const { claims, expiresAtMs } = this.#claims(identity, audience, refreshTokenSeconds);
    const token = jwtOf({
      ...claims,
      version: '1.0',
      rid: 'df5a80a5cb57435d8ae8597be148f036',
      grant_type: 'refresh_token',
      appid: identity.subject,
      permissions: { Actions: ACTIONS, NotActions: null },
      roles: [],
      ...(abac && { aad_identity: { appid: identity.subject, oid: identity.subject } }),
    });
    this.#refresh.set(token, { identity, audience, scopes: [], expiresAtMs });
    return token;
  }

  /** An access token for what is both asked for and allowed, which may be nothing. */
  issueAccess(
    identity: Identity,
    audience: string,
    asked: readonly Scope[],
  ): { readonly token: string; readonly scopes: readonly Scope[] } {
    const scopes = granted(asked, identity.rights, !this.#options.abac);
    const { accessTokenSeconds } = this.#options;
    const { claims, expiresAtMs } = this.#claims(identity, audience, accessTokenSeconds);
    const access = scopes.map(({ type, name, actions }) => ({
      Type: type,
      Name: name,
      Actions: actions,
    }));
    const token = jwtOf({
      ...claims,
      version: '2.0',
      grant_type: 'access_token',
      access,
      scope: scopes.map(formatScope).join(' '),
      roles: [],
    });
    this.#access.set(token, { identity, audience, scopes, expiresAtMs });
    return { token, scopes };
  }

  /** Whose refresh token it is, while it holds. */
  identityOf(token: string, audience: string): Identity | undefined {
    const issued = this.#refresh.get(token);
    return issued?.audience === audience && this.#holds(issued) ? issued.identity : undefined;
  }

  /** What an access token is good for, while it holds. */
  accessOf(token: string, audience: string): Issued | undefined {
    const issued = this.#access.get(token);
    return issued?.audience === audience && this.#holds(issued) ? issued : undefined;
  }

  #holds({ expiresAtMs }: Issued): boolean {
    return expiresAtMs > this.#options.now();
  }

  #claims(
    { subject }: Identity,
    audience: string,
    lifeSeconds: number,
  ): { readonly claims: object; readonly expiresAtMs: number } {
    const now = this.#options.now();
    const expiresAtMs = now + lifeSeconds * 1000;
    const claims = {
      jti: randomUUID(),
      sub: subject,
      nbf: secondsOf(now) - 900,
      exp: secondsOf(expiresAtMs),
      iat: secondsOf(now),
      iss: ISSUER,
      aud: audience,
    };
    return { claims, expiresAtMs };
  }
}
