/**
 * Scopes: what a token is asked for, what a user may have, what a request needs.
 *
 * Sources: https://distribution.github.io/distribution/spec/auth/scope/
 */
import type { Call } from './endpoint.ts';

/** `repository:a/b:pull,push` taken apart. */
export interface Scope {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

/** Reads scopes parted by spaces; what is none is left out. */
export function parseScopes(text: string): Scope[] {
  return [...text.matchAll(/([^\s:]+):(\S+):([^\s:]*)/g)].map(
    ([, type = '', name = '', actions = '']) => ({
      type,
      name,
      actions: actions.split(',').filter((action) => action !== ''),
    }),
  );
}

export function formatScope({ type, name, actions }: Scope): string {
  return `${type}:${name}:${actions.join(',')}`;
}

/**
 * The part of `asked` that `allowed` grants. In what is allowed a name may end in `*` and so may stand
 * for many, and the action `*` stands for all; in what is asked they stand for themselves.
 */
export function intersection(asked: readonly Scope[], allowed: readonly Scope[]): Scope[] {
  return asked
    .map((scope) => ({
      ...scope,
      actions: scope.actions.filter((action) =>
        allowed.some((rule) => allows(rule, scope, action)),
      ),
    }))
    .filter(({ actions }) => actions.length > 0);
}

/** Whether all that is needed was granted. */
export function covers(granted: readonly Scope[], needed: readonly Scope[]): boolean {
  return needed.every(({ type, name, actions }) =>
    actions.every((action) =>
      granted.some((g) => g.type === type && g.name === name && g.actions.includes(action)),
    ),
  );
}

/** What a request to the registry needs, as docker-registry asks for it. */
export function scopesFor({ exchange, name }: Call): Scope[] {
  if (name === '') {
    const isCatalog = exchange.url.pathname === '/v2/_catalog';
    return isCatalog ? [{ type: 'registry', name: 'catalog', actions: ['*'] }] : [];
  }
  const own: Scope = { type: 'repository', name, actions: actionsOf(exchange.method) };
  const from = exchange.url.searchParams.get('from');
  const isMount = exchange.url.searchParams.has('mount') && from !== null;
  return isMount ? [own, { type: 'repository', name: from, actions: ['pull'] }] : [own];
}

function actionsOf(method: string): string[] {
  if (method === 'GET' || method === 'HEAD') return ['pull'];
  return method === 'DELETE' ? ['delete'] : ['pull', 'push'];
}

function allows(rule: Scope, scope: Scope, action: string): boolean {
  if (rule.type !== scope.type) return false;
  const isNamed = rule.name.endsWith('*')
    ? scope.name.startsWith(rule.name.slice(0, -1))
    : rule.name === scope.name;
  return isNamed && (rule.actions.includes('*') || rule.actions.includes(action));
}
