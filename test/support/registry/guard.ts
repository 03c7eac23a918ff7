/**
 * Lets a request pass or challenges it.
 *
 * Sources: RFC 6750 §3; https://distribution.github.io/distribution/spec/auth/token/
 */
import {
  createTokenEndpoint,
  readBasic,
  serviceOf,
  type AuthOptions,
  type BasicAuth,
  type TokenEndpoint,
} from './auth.ts';
import type { Exchange } from './listener.ts';
import { refusal, type Reply } from './reply.ts';
import { covers, formatScope, intersection, type Scope } from './scopes.ts';
import { isPasswordOf, rightsOf, type Users } from './tokens.ts';

export interface Guard {
  /** The refusal that a request meets which needs these scopes; `undefined` lets it pass. */
  check(exchange: Exchange, needed: readonly Scope[]): Reply | undefined;
  /** The refusal of scopes that nobody is granted. */
  deny(exchange: Exchange, needed: readonly Scope[]): Reply;
  /** Where tokens are had, if that is on the registry's own origin. */
  readonly ownTokens: TokenEndpoint | undefined;
  /** Where tokens are had, wherever that is. */
  readonly tokens: TokenEndpoint | undefined;
}

/** Without options, everybody may do everything. */
export function createGuard(auth: AuthOptions | undefined): Guard {
  if (auth === undefined) return openGuard();
  return auth.scheme === 'basic' ? basicGuard(auth) : bearerGuard(auth);
}

function openGuard(): Guard {
  return {
    check: () => undefined,
    deny: (_, needed) => unauthorized(needed, {}),
    ownTokens: undefined,
    tokens: undefined,
  };
}

function basicGuard({ users }: BasicAuth): Guard {
  const challenge = { 'WWW-Authenticate': 'Basic realm="registry.test"' };
  return {
    check({ headers }, needed) {
      const basic = readBasic(headers.authorization);
      if (basic === undefined || !isPasswordOf(users, basic.name, basic.password)) {
        return unauthorized(needed, challenge);
      }
      const granted = intersection(needed, rightsOf(users, basic.name));
      if (covers(granted, needed)) return undefined;
      return refusal(403, {
        code: 'DENIED',
        message: 'requested access is denied',
        detail: needed,
      });
    },
    deny: (_, needed) => unauthorized(needed, challenge),
    ownTokens: undefined,
    tokens: undefined,
  };
}

function bearerGuard(auth: Exclude<AuthOptions, BasicAuth>): Guard {
  const service = serviceOf(auth);
  const tokens = 'server' in auth ? auth.server : createTokenEndpoint(auth);

  function challenge(exchange: Exchange, needed: readonly Scope[], error?: string): Reply {
    if (auth.basicToo !== undefined && (isCatalog(needed) || exchange.headers.authorization)) {
      return unauthorized(needed, { 'WWW-Authenticate': `Basic realm="${auth.basicToo}"` });
    }
    const realm =
      'server' in auth ? (auth.realm ?? auth.server.url) : new URL('/token', exchange.url);
    const parameters = {
      realm: realm.href,
      service,
      ...(needed.length > 0 && { scope: needed.map(formatScope).join(' ') }),
      ...(error !== undefined && { error }),
    };
    const listed = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`);
    return unauthorized(needed, { 'WWW-Authenticate': `Bearer ${listed.join(',')}` });
  }

  return {
    check(exchange, needed) {
      if (
        auth.basicToo !== undefined &&
        basicCovers(tokens.issuer.options.users, exchange, needed)
      ) {
        return undefined;
      }
      const [, token] = /^bearer (\S+)$/i.exec(exchange.headers.authorization ?? '') ?? [];
      if (token === undefined) return challenge(exchange, needed);
      const grant = tokens.issuer.grantOf(token);
      if (grant?.service !== service) return challenge(exchange, needed, 'invalid_token');
      const isEnough = auth.basicToo === undefined || !isCatalog(needed);
      if (isEnough && covers(grant.scopes, needed)) return undefined;
      return challenge(exchange, needed, 'insufficient_scope');
    },
    deny: (exchange, needed) => challenge(exchange, needed, 'insufficient_scope'),
    ownTokens: 'server' in auth ? undefined : tokens,
    tokens,
  };
}

function isCatalog(needed: readonly Scope[]): boolean {
  return needed.some(({ type }) => type === 'registry');
}

function basicCovers(users: Users, { headers }: Exchange, needed: readonly Scope[]): boolean {
  const basic = readBasic(headers.authorization);
  if (basic === undefined || !isPasswordOf(users, basic.name, basic.password)) return false;
  return covers(intersection(needed, rightsOf(users, basic.name)), needed);
}

function unauthorized(needed: readonly Scope[], headers: Record<string, string>): Reply {
  const detail = needed.flatMap(({ type, name, actions }) =>
    actions.map((action) => ({ Type: type, Class: '', Name: name, Action: action })),
  );
  const message = 'authentication required';
  const reply = refusal(401, { code: 'UNAUTHORIZED', message, detail });
  return { ...reply, headers: { ...reply.headers, ...headers } };
}
