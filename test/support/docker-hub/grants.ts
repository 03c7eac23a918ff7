/**
 * What Docker Hub's tokens grant. What is denied is no error: the token just lacks it.
 *
 * Sources: distribution docs, «Token Authentication Specification»; tokens of auth.docker.io as seen.
 */
import type { Scope } from '../registry/scopes.ts';
import { isVisible, namespacesOf, twoParts, type HubState } from './options.ts';
import { pullLimitOf, windowSecondsOf } from './pulls.ts';

/** The narrowing of a `TokenIssuer`: what of the scopes a user is granted. */
export function hubGrants(
  state: HubState,
): (user: string, scopes: readonly Scope[]) => readonly Scope[] {
  return (user, scopes) =>
    scopes
      .filter(({ type }) => type === 'repository')
      .map(({ type, name, actions }) => ({
        type,
        name,
        actions: actions.filter((action) => isGranted(state, user, name, action)),
        parameters: limitsOf(state, user),
      }))
      .filter(({ actions }) => actions.length > 0);
}

function isGranted(state: HubState, user: string, repository: string, action: string): boolean {
  const parts = twoParts(repository);
  if (parts === undefined) return false;
  const isOwn = namespacesOf(state, user).includes(parts[0]);
  const exists = state.store.repositories.has(repository);
  // What is to be created must be readable too: clients ask for pull and push at once.
  if (action === 'pull') return isOwn || (exists && isVisible(state, user, repository));
  return isOwn && state.accounts[user]?.may !== 'pull';
}

/** As they are in a token; `undefined` where there is no limit. */
function limitsOf({ options }: HubState, user: string): object | undefined {
  const limit = pullLimitOf(options, user);
  if (limit === undefined) return undefined;
  const interval = String(windowSecondsOf(options));
  return { pull_limit: String(limit), pull_limit_interval: interval };
}
