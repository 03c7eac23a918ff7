/**
 * What requests to a repository have to be allowed, in the words of token servers.
 *
 * Sources: https://distribution.github.io/distribution/spec/auth/scope/; Azure/acr docs, AAD-OAuth.md
 * for `metadata_read`.
 */
import type { Permission } from './authorize.ts';
import type { RegistryProfile } from './profile.ts';

/** Whoever asks: a registry that is known. */
interface Known {
  readonly profile: RegistryProfile;
}

/** Of one token for reading whatever there is. Source: jetstack/version-checker and Azure/acr-cli. */
const ALL: readonly string[] = ['repository:*:metadata_read', 'repository:*:pull'];

export function pullFrom(path: string, known: Known): Permission {
  return { repository: path, scopes: [`repository:${path}:pull`], shared: sharedBy(known) };
}

/** To read Azure's own lists. */
export function metadataOf(path: string, known: Known): Permission {
  const scopes = [`repository:${path}:metadata_read`];
  return { repository: path, scopes, shared: sharedBy(known) };
}

/** One token per repository, always: who may write everything is more dangerous to lose. */
export function pushTo(path: string): { repository: string; scopes: string[] } {
  return { repository: path, scopes: [`repository:${path}:pull,push`] };
}

/**
 * To delete. Quay gives nothing to those who ask for `delete`; `*` is understood by all that delete, and
 * what a registry wants besides it says itself (`insufficient_scope`).
 */
export function everythingIn(path: string): Permission {
  return { repository: path, scopes: [`repository:${path}:*`] };
}

export const CATALOG: Permission = { scopes: ['registry:catalog:*'] };

function sharedBy({ profile }: Known): readonly string[] | undefined {
  return profile.wildcardScopes ? ALL : undefined;
}
