/**
 * Who may do what, and what a request needs.
 *
 * Sources: https://github.com/Azure/acr docs/AAD-OAuth.md and docs/Token-BasicAuth.md; for
 * `tags/list`, Azure/acr#600.
 */
import { parseScopes, type Scope } from '../registry/scopes.ts';

const ACTIONS = ['pull', 'push', 'delete', 'metadata_read', 'metadata_write'] as const;
export type Action = (typeof ACTIONS)[number];

/** What somebody may do; everything when `repositories` is not given. */
export interface Rights {
  /** By name, which may end in `*` and so stand for many. */
  readonly repositories?: Readonly<Record<string, readonly Action[]>>;
  /** Whether the catalog may be listed; unless given, only by those who may do everything. */
  readonly catalog?: boolean;
}

export const EVERYTHING: Rights = {};
/** What anonymous pull grants. */
export const ANYBODY: Rights = { repositories: { '*': ['pull', 'metadata_read'] }, catalog: true };

/** Whether the rights cover one action. */
export function mayDo(rights: Rights, { type, name }: Scope, action: string): boolean {
  const { repositories, catalog } = rights;
  if (type === 'registry') return name === 'catalog' && (catalog ?? repositories === undefined);
  if (type !== 'repository') return false;
  if (repositories === undefined) return true;
  return Object.entries(repositories).some(
    ([pattern, actions]) =>
      isNamed(pattern, name) && (actions as readonly string[]).includes(action),
  );
}

/**
 * The scopes of a token: of what is asked, that which is allowed. A scope for all repositories, which
 * is understood unless the registry has permissions by repository, stays one and is looked at again
 * when the token is used.
 */
export function granted(asked: readonly Scope[], rights: Rights, wildcards: boolean): Scope[] {
  return asked.flatMap((scope) => {
    if (scope.type === 'repository' && scope.name === '*') return wildcards ? [scope] : [];
    const actions = scope.actions.filter(
      (action) => mayDo(rights, scope, action) || (action === '*' && mayDoAny(rights, scope)),
    );
    return actions.length === 0 ? [] : [{ ...scope, actions }];
  });
}

/** Whether a token with these scopes, of somebody with these rights, covers all that is needed. */
export function covers(
  scopes: readonly Scope[],
  rights: Rights,
  needed: readonly Scope[],
): boolean {
  return needed.every((scope) =>
    scope.actions.every(
      (action) =>
        mayDo(rights, scope, action) &&
        scopes.some(
          ({ type, name, actions }) =>
            type === scope.type &&
            (name === scope.name || name === '*') &&
            (actions.includes(action) || actions.includes('*')),
        ),
    ),
  );
}

/** Whether there is anything to be done to the repository, for those who ask for all of it. */
function mayDoAny(rights: Rights, scope: Scope): boolean {
  return scope.type === 'repository' && ACTIONS.some((action) => mayDo(rights, scope, action));
}

/** Scopes as they come: several fields, or several in one, parted by spaces. */
export function scopesIn(parameters: URLSearchParams): Scope[] {
  return parseScopes(parameters.getAll('scope').join(' '));
}

export function scopeFor(name: string, ...actions: readonly string[]): Scope {
  return { type: 'repository', name, actions };
}

export const CATALOG: Scope = { type: 'registry', name: 'catalog', actions: ['*'] };

function isNamed(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
