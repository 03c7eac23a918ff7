/** What a registry, or its token server, is shown to let us in. */
import { claimsOf, expiryOf } from './jwt.ts';

/** `from` says where they were found, for messages: never the value. */
export type Credentials = { readonly from: string } & (
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | IdentityToken
  | { readonly kind: 'bearer'; readonly token: string }
);

/** A token that is shown to the token server only (a refresh token, in the words of OAuth). */
export interface IdentityToken {
  readonly kind: 'identity-token';
  readonly username: string;
  readonly token: string;
  readonly from: string;
  /** Milliseconds since the epoch; absent where the token doesn't say. */
  readonly expiresAt?: number;
  /** Tokens that it is changed for have to name each repository. */
  readonly isPerRepository?: boolean;
}

/** `az acr login` stores a registry's refresh token under this user name. */
export const AZURE_TOKEN_USER = '00000000-0000-0000-0000-000000000000';

/**
 * Reads what an identity token says of itself.
 *
 * Azure's tokens carry the claim `aad_identity` where roles are granted per repository (ABAC); such a
 * registry passes over scopes with `*` in silence. Source: Azure/acr-cli, internal/api.
 */
export function identityToken(username: string, token: string, from: string): IdentityToken {
  const expiresAt = expiryOf(token);
  return {
    kind: 'identity-token',
    username,
    token,
    from,
    ...(expiresAt !== undefined && { expiresAt }),
    ...(claimsOf(token).aad_identity !== undefined && { isPerRepository: true }),
  };
}
