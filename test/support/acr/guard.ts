/**
 * Lets a request pass or challenges it.
 *
 * Source: the challenges recorded with Azure/azure-sdk-for-js and -for-go.
 */
import { refusal, type Reply } from '../registry/reply.ts';
import { formatScope, type Scope } from '../registry/scopes.ts';
import { MORE_INFORMATION } from './answers.ts';
import type { People } from './people.ts';
import { covers } from './rights.ts';
import type { AcrCall } from './state.ts';
import type { AcrTokens } from './tokens.ts';

export interface Guard {
  readonly people: People;
  readonly tokens: AcrTokens;
}

/** The refusal that a request meets which needs these scopes; `undefined` lets it pass. */
export function refusalOf(
  { people, tokens }: Guard,
  call: AcrCall,
  needed: readonly Scope[],
): Reply | undefined {
  const { exchange, registry } = call;
  const { authorization = '' } = exchange.headers;
  if (authorization === '') return challenge(call, needed);
  const [, token] = /^bearer (\S+)$/i.exec(authorization) ?? [];
  if (token === undefined) {
    const identity = people.byBasic(authorization, registry);
    if (identity === undefined) return challenge(call, needed);
    return covers(needed, identity.rights, needed)
      ? undefined
      : challenge(call, needed, 'insufficient_scope');
  }
  const access = tokens.accessOf(token, registry);
  if (access === undefined) return challenge(call, needed, 'invalid_token');
  if (covers(access.scopes, access.identity.rights, needed)) return undefined;
  return challenge(call, needed, 'insufficient_scope');
}

function challenge(
  { exchange, registry }: AcrCall,
  needed: readonly Scope[],
  error?: string,
): Reply {
  const parameters = {
    realm: `${exchange.url.protocol}//${registry}/oauth2/token`,
    service: registry,
    ...(needed.length > 0 && { scope: needed.map(formatScope).join(' ') }),
    ...(error !== undefined && { error }),
  };
  const listed = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`);
  const detail = needed.flatMap(({ type, name, actions }) =>
    actions.map((action) => ({ Type: type, Name: name, Action: action })),
  );
  const reply = refusal(401, {
    code: 'UNAUTHORIZED',
    message: MORE_INFORMATION,
    detail: detail.length === 0 ? null : detail,
  });
  return {
    ...reply,
    headers: { ...reply.headers, 'WWW-Authenticate': `Bearer ${listed.join(',')}` },
  };
}
